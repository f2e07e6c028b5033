/** A reverse proxy that offers a server below a path, as IIS and nginx do: it calls by its own name for the server. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { CertificatePair } from './certificates.ts'
import { freeTcpPort } from './ports.ts'

export interface PathProxy extends AsyncDisposable {
  /** `http://127.0.0.1:40001/footman` */
  readonly url: string
  /** Host and port. */
  readonly host: string
  /** Where requests go; to be set before the first one. */
  target: number
  /** Added to every request, like `x-forwarded-proto`. */
  headers: IncomingHttpHeaders
}

/** `keepsPath`: the server gets the whole path, else what follows the path of the proxy. `tls`: browsers speak https with it. */
export async function startPathProxy(path: string, keepsPath: boolean, tls?: CertificatePair): Promise<PathProxy> {
  const port = await freeTcpPort()
  const host = `127.0.0.1:${port}`
  const proxy = {
    url: `${tls ? 'https' : 'http'}://${host}${path}`,
    host,
    target: 0,
    headers: {} as IncomingHttpHeaders,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  const server = tls ? createTlsServer(tls, forward) : createServer(forward)

  function forward(incoming: IncomingMessage, answer: ServerResponse): void {
    const { url = '', method, headers } = incoming
    if (!url.startsWith(`${path}/`)) {
      answer.writeHead(404, { 'content-type': 'text/plain' }).end('The proxy offers nothing here.')
      return
    }
    const call = request(
      {
        host: '127.0.0.1',
        port: proxy.target,
        method,
        path: keepsPath ? url : url.slice(path.length),
        headers: { ...headers, host: `127.0.0.1:${proxy.target}`, ...proxy.headers },
      },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers)
        response.pipe(answer)
      },
    )
    call.on('error', () => answer.destroy())
    answer.on('close', () => call.destroy())
    incoming.pipe(call)
  }
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return proxy
}
