/** The simulated Qlik Sense site for tests: on free ports, with a client that speaks to its repository. */
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { createSimulator, type Simulator, type SimulatorSettings } from '../../simulator/index.ts'
import type { SimClock } from '../../simulator/types.ts'
import { type RecordingLog, recordingLog } from './recording-log.ts'
import { copyCertificates } from './site-certificates.ts'
import { tempDirectory } from './temp.ts'

export const XRF = 'abcdefghijklmnop'
export const REPOSITORY_USER = 'UserDirectory=Internal;UserId=sa_repository'

export interface QrsAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The parsed body; throws when it isn't JSON. */
  json<T = Record<string, unknown>>(): T
}

export interface QrsCall {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Percent-encoded by the client. */
  readonly filter?: string
  readonly timeoutMs?: number
  /** Over plain HTTP instead of mutual TLS. */
  readonly plain?: boolean
}

export interface TestSite extends AsyncDisposable {
  readonly simulator: Simulator
  readonly log: RecordingLog
  /** A request to `/qrs/<path>` with xrfkey and identity; rejects on network errors and after `timeoutMs` (5,000). */
  qrs(method: string, path: string, call?: QrsCall): Promise<QrsAnswer>
  /** Does the same as `qrs`, with path, query and headers exactly as given. */
  raw(method: string, path: string, call?: QrsCall): Promise<QrsAnswer>
}

/** Sites share their certificates, except one with a `certificateDirectory` of its own. */
export async function startSite(
  settings: Partial<SimulatorSettings> = {},
  deps: { clock?: SimClock } = {},
): Promise<TestSite> {
  const directory = tempDirectory()
  if (settings.certificateDirectory === undefined) await copyCertificates(directory.path)
  const log = recordingLog()
  const simulator = createSimulator({ log, ...deps }, { certificateDirectory: directory.path, ...settings })
  await simulator.start()
  const { ca, client } = simulator.certificates.pem
  const agent = new Agent({ keepAlive: true, maxSockets: 10, ca: ca.pem, cert: client.cert.pem, key: client.key.pem })
  const plainAgent = new HttpAgent({ keepAlive: true, maxSockets: 10 })

  function raw(method: string, path: string, call: QrsCall = {}): Promise<QrsAnswer> {
    const { headers, body, plain = false, timeoutMs = 5000 } = call
    const port = plain ? simulator.ports.qrsHttp : simulator.ports.qrs
    const options = { method, host: '127.0.0.1', port, path, headers, timeout: timeoutMs }
    return new Promise((resolve, reject) => {
      const onResponse = (response: import('node:http').IncomingMessage) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: <T>() => JSON.parse(text) as T,
          })
        })
      }
      const request = plain
        ? httpRequest({ ...options, agent: plainAgent }, onResponse)
        : httpsRequest({ ...options, agent }, onResponse)
      request.on('timeout', () => request.destroy(new Error('timed out')))
      request.on('error', reject)
      request.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  function qrs(method: string, path: string, call: QrsCall = {}) {
    const filter = call.filter === undefined ? '' : `filter=${encodeURIComponent(call.filter)}&`
    const joint = path.includes('?') ? '&' : '?'
    const headers = { 'X-Qlik-Xrfkey': XRF, 'X-Qlik-User': REPOSITORY_USER, ...call.headers }
    return raw(method, `/qrs/${path}${joint}${filter}xrfkey=${XRF}`, { ...call, headers })
  }

  return {
    simulator,
    log,
    qrs,
    raw,
    async [Symbol.asyncDispose]() {
      agent.destroy()
      plainAgent.destroy()
      await simulator.stop()
      directory.remove()
    },
  }
}
