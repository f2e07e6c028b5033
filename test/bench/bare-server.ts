/** The fastest server that the runtime can offer, with the answer of the product's ping: what the product is held against. */
const body = JSON.stringify({ response: 'Butler reporting for duty', butlerVersion: '0.1.0' })
const server = Bun.serve({
  port: Number(process.argv[2] ?? 0),
  hostname: '127.0.0.1',
  fetch: () => new Response(body, { headers: { 'content-type': 'application/json; charset=utf-8' } }),
})
console.log(`listening on ${server.port}`)
