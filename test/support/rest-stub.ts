/** A REST API with the answers of a test, for the commands that call a running Footman. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CommandIo } from '../../src/cli/io.ts'

export interface StubRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly body: unknown
}

export interface RestStub extends AsyncDisposable {
  readonly url: string
  /** The requests as they came, without the questions which installation answers and what its zone is. */
  readonly requests: readonly StubRequest[]
}

/**
 * `answer`: status and body of each call; null = 404 of an endpoint that is not there. `installation`: the member `footman`
 * of `/health`; absent = an older Footman, which reports none. `timezone`: that of the site.
 */
export async function restStub(
  answer: (request: StubRequest) => readonly [status: number, body: unknown] | null,
  installation?: { readonly version: string; readonly configuration: string | null },
  timezone = 'UTC',
): Promise<RestStub> {
  const requests: StubRequest[] = []
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const { method = '', url: path = '' } = incoming
      const request = { method, path, body: text === '' ? null : (JSON.parse(text) as unknown) }
      const own = { '/health': () => health(installation), '/v4/about': () => [200, { timezone }] as const }[path]
      if (!own) requests.push(request)
      const [status, body] = (own ? own() : answer(request)) ?? [404, { error: 'Not Found', code: 'NOT_FOUND' }]
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const health = (footman: object | undefined): readonly [number, unknown] | null =>
  footman ? [200, { statusCode: 200, status: 'ok', footman }] : null

/** Keeps what a command writes. */
export function heard(): CommandIo & { readonly stdout: () => string; readonly stderr: () => string } {
  const [out, err]: [string[], string[]] = [[], []]
  return {
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    stdout: () => out.join('\n'),
    stderr: () => err.join('\n'),
  }
}
