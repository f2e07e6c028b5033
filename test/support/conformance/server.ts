import assert from 'node:assert/strict'
import { get as httpsGet } from 'node:https'
import { connect } from 'node:net'
import { type HttpServer, type ServeSettings, serveHttp } from '../../../src/platform/http-server.ts'
import { testCertificates } from './certificates.ts'
import { type Case, signal } from './suite.ts'

type Handler = ServeSettings['handler']

/** Answers `<method> <path><query> <body>`. */
const echo: Handler = async (request) => {
  const url = new URL(request.url)
  return new Response(`${request.method} ${url.pathname}${url.search} ${await request.text()}`)
}

async function withServer(
  settings: Partial<ServeSettings>,
  use: (server: HttpServer, base: string) => Promise<void>,
): Promise<void> {
  const server = await serveHttp({ hostname: '127.0.0.1', port: 0, handler: echo, ...settings })
  try {
    await use(server, `http://127.0.0.1:${server.port}`)
  } finally {
    await server.stop(0)
  }
}

/** Sends bytes as they are and resolves with what came back until `enough` matches or the connection ends. */
function raw(port: number, text: string, enough: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString()
      if (enough.test(answer)) socket.destroy()
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
    socket.write(text.replaceAll('\n', '\r\n'))
  })
}

const listenFailure = (settings: Partial<ServeSettings>) =>
  serveHttp({ hostname: '127.0.0.1', port: 0, handler: echo, ...settings }).then(
    () => assert.fail('listened'),
    (error) => error,
  )

export const serverCases: readonly Case[] = [
  {
    name: 'methods, paths, queries and bodies reach the handler',
    run: () =>
      withServer({}, async (_server, base) => {
        for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH']) {
          const body = method === 'GET' ? undefined : `body of ${method}`
          const response = await fetch(`${base}/v4/x%20y?a=1&b=%2F`, { method, body })
          assert.equal(await response.text(), `${method} /v4/x%20y?a=1&b=%2F ${body ?? ''}`)
        }
      }),
  },
  {
    name: 'malformed percent escapes reach the handler untouched',
    run: () =>
      withServer({}, async ({ port }) => {
        const answer = await raw(port, 'GET /v4/keyvalues/%zz?q=%zz HTTP/1.1\nHost: x\n\n', /keyvalues.* /)
        assert.match(answer, /^HTTP\/1\.1 200 /)
        assert.match(answer, /GET \/v4\/keyvalues\/%zz\?q=%zz /)
      }),
  },
  {
    name: 'HTTP/1.0 without a Host header is served',
    run: () =>
      withServer({}, async ({ port }) => {
        const answer = await raw(port, 'GET /v4/butlerping HTTP/1.0\n\n', /butlerping/)
        assert.match(answer, /^HTTP\/1\.[01] 200 /)
        assert.match(answer, /GET \/v4\/butlerping /)
      }),
  },
  {
    name: 'a malformed Host header or request line is answered with 400',
    run: () =>
      withServer({}, async ({ port }) => {
        assert.match(await raw(port, 'GET /x HTTP/1.1\nHost: a b:zz\n\n', /valid/), /^HTTP\/1\.1 400 /)
        assert.match(await raw(port, 'NONSENSE\n\n', /\r\n\r\n/), /^HTTP\/1\.1 400 /)
      }),
  },
  {
    name: 'chunked bodies and Expect: 100-continue work',
    run: () =>
      withServer({}, async ({ port }) => {
        const chunked = 'POST /c HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3\nabc\n2\nde\n0\n\n'
        assert.match(await raw(port, chunked, /POST/), /POST \/c abcde$/)
        const waiting = 'POST /e HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: 3\n\n'
        assert.match(await raw(port, waiting, /100 Continue\r\n\r\n/), /^HTTP\/1\.1 100 Continue/)
        assert.match(await raw(port, `${waiting}abc`, /POST/), /POST \/e abc$/)
      }),
  },
  {
    name: 'both a length and chunks (request smuggling) is refused',
    run: () =>
      withServer({}, async ({ port }) => {
        const both = 'POST /b HTTP/1.1\nHost: x\nContent-Length: 5\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\n'
        assert.match(await raw(port, both, /\r\n\r\n/), /^HTTP\/1\.1 400 /)
      }),
  },
  {
    name: 'the handler learns the address of the peer',
    run: () =>
      withServer({ handler: (_request, info) => new Response(info.remoteAddress) }, async (_server, base) => {
        assert.equal(await (await fetch(base)).text(), '127.0.0.1')
      }),
  },
  {
    name: 'a throwing handler is answered with 500 and reported',
    async run() {
      const reported: unknown[] = []
      const settings: Partial<ServeSettings> = {
        handler: (request) => {
          if (request.url.endsWith('/later')) return Promise.reject(new Error('later'))
          throw new Error('now')
        },
        onError: (error) => reported.push((error as Error).message),
      }
      await withServer(settings, async (_server, base) => {
        for (const path of ['/now', '/later']) {
          const response = await fetch(base + path)
          assert.equal(response.status, 500)
          const body = (await response.json()) as { error: string }
          assert.equal(body.error, 'Internal Server Error')
        }
      })
      assert.deepEqual(reported, ['now', 'later'])
    },
  },
  {
    name: 'a stream is sent as it grows',
    async run() {
      const release = signal()
      const handler: Handler = () => {
        const encoder = new TextEncoder()
        const body = new ReadableStream({
          async start(controller) {
            controller.enqueue(encoder.encode('first '))
            await release.promise
            controller.enqueue(encoder.encode('second'))
            controller.close()
          },
        })
        return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
      }
      await withServer({ handler }, async (_server, base) => {
        const reader = (await fetch(base)).body!.getReader()
        assert.equal(new TextDecoder().decode((await reader.read()).value), 'first ')
        release.resolve()
        assert.equal(new TextDecoder().decode((await reader.read()).value), 'second')
      })
    },
  },
  {
    name: 'a taken port, a foreign address, an unknown name and a bad port are ListenErrors',
    run: () =>
      withServer({}, async ({ port }) => {
        const taken = await listenFailure({ port })
        assert.deepEqual([taken.name, taken.code], ['ListenError', 'EADDRINUSE'])
        assert.equal(
          taken.message,
          `cannot listen on TCP 127.0.0.1:${port}: the port is already in use by another program (EADDRINUSE)`,
        )
        assert.equal((await listenFailure({ hostname: '8.8.8.8' })).code, 'EADDRNOTAVAIL')
        const unknown = await listenFailure({ hostname: 'no-such-host.invalid' })
        assert.equal(unknown.code, 'ENOTFOUND')
        assert.match(unknown.message, /no-such-host\.invalid.*set an IP address of this machine, or 0\.0\.0\.0/)
        assert.equal((await listenFailure({ port: 99_999 })).code, 'ERR_OUT_OF_RANGE')
      }),
  },
  {
    name: 'unusable TLS files are a ListenError',
    async run() {
      const error = await listenFailure({ tls: { cert: 'no certificate', key: 'no key' } })
      assert.equal(error.name, 'ListenError')
    },
  },
  {
    name: 'serves TLS',
    async run() {
      const { ca, server } = await testCertificates()
      const tls = { cert: server.cert.pem, key: server.key.pem }
      await withServer({ tls }, async ({ port }) => {
        const status = await new Promise((resolve, reject) => {
          const options = { host: '127.0.0.1', port, ca: ca.pem, agent: false as const }
          httpsGet(options, (response) => resolve(response.resume().statusCode)).on('error', reject)
        })
        assert.equal(status, 200)
      })
    },
  },
  {
    name: 'stop lets a request under way finish and refuses new ones',
    async run() {
      const entered = signal()
      const release = signal()
      const handler: Handler = async () => {
        entered.resolve()
        await release.promise
        return new Response('finished')
      }
      const server = await serveHttp({ hostname: '127.0.0.1', port: 0, handler })
      const base = `http://127.0.0.1:${server.port}`
      const answer = fetch(base).then((response) => response.text())
      await entered.promise
      const stopped = server.stop(10_000)
      release.resolve()
      assert.equal(await answer, 'finished')
      await stopped
      await assert.rejects(fetch(base))
    },
  },
  {
    name: 'paused it takes no connections, finishes what runs, and resumes on the same port; plain and TLS',
    async run() {
      const { server: certificate } = await testCertificates()
      const tls = { cert: certificate.cert.pem, key: certificate.key.pem }
      for (const settings of [{}, { tls }]) {
        const entered = signal()
        const release = signal()
        const handler: Handler = async (request) => {
          if (!request.url.endsWith('/slow')) return new Response('ok')
          entered.resolve()
          await release.promise
          return new Response('finished')
        }
        const server = await serveHttp({ hostname: '127.0.0.1', port: 0, handler, ...settings })
        const ask = async (path: string): Promise<string> => {
          if (!('tls' in settings)) return (await fetch(`http://127.0.0.1:${server.port}${path}`)).text()
          return new Promise((resolve, reject) => {
            const options = {
              host: '127.0.0.1',
              port: server.port,
              path,
              rejectUnauthorized: false,
              agent: false as const,
            }
            httpsGet(options, (response) => response.on('data', (chunk) => resolve(String(chunk)))).on('error', reject)
          })
        }
        try {
          // Not under Deno.
          if (!server.pause || !server.resume) return
          const slow = ask('/slow')
          await entered.promise
          server.pause()
          await assert.rejects(ask('/'))
          release.resolve()
          assert.equal(await slow, 'finished')
          await server.resume()
          assert.equal(await ask('/'), 'ok')
        } finally {
          await server.stop(0)
        }
      }
    },
  },
  {
    name: 'stop cuts what hangs when the grace is over, and does not wait for idle connections',
    async run() {
      const entered = signal()
      const handler: Handler = (request) => {
        if (!request.url.endsWith('/hang')) return new Response('ok')
        entered.resolve()
        return new Promise<Response>(() => {})
      }
      const idle = await serveHttp({ hostname: '127.0.0.1', port: 0, handler })
      await (await fetch(`http://127.0.0.1:${idle.port}/`)).text()
      const before = performance.now()
      await idle.stop(5000)
      assert.ok(performance.now() - before < 2500, 'an idle keep-alive connection held the stop back')

      const busy = await serveHttp({ hostname: '127.0.0.1', port: 0, handler })
      const hanging = fetch(`http://127.0.0.1:${busy.port}/hang`).then(
        () => 'answered',
        () => 'cut',
      )
      await entered.promise
      await busy.stop(50)
      assert.equal(await hanging, 'cut')
    },
  },
]
