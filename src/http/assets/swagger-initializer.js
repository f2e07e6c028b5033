/* Shows the description of the API; everything comes from the server of this page. */
const root = location.pathname.replace(/\/documentation\/?$/, '')

async function show() {
  const answer = await fetch(`${root}/documentation/json`)
  if (!answer.ok) throw new Error(`the description of the API could not be loaded (status ${answer.status})`)
  const spec = await answer.json()
  // The server goes by many names; calls go to the one that this page was opened with.
  spec.servers = [{ url: location.origin + root }]
  // An endpoint that answers PUT and POST alike is shown once.
  for (const item of Object.values(spec.paths)) {
    if (item.put && item.put.summary === item.post?.summary) delete item.put
  }
  window.ui = SwaggerUIBundle({
    spec,
    dom_id: '#swagger-ui',
    docExpansion: 'list',
    deepLinking: true,
    operationsSorter: 'alpha',
    displayRequestDuration: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
    layout: 'BaseLayout',
  })
}

show().catch((error) => {
  document.getElementById('swagger-ui').textContent = `Error: ${error.message}. Is Footman still running?`
})
