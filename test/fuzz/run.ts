/** Sends random requests to a running server and collects what must not happen. */
import { type FuzzConnection, openConnection } from './connection.ts'
import { createRandom } from './random.ts'
import { type Endpoint, type FuzzRequest, randomRequest } from './requests.ts'

export interface FuzzSettings {
  readonly port: number
  readonly endpoints: readonly Endpoint[]
  /** The same seed makes the same requests. */
  readonly seed: number
  /** Number of the first request; the requests of a seed are numbered from 0. */
  readonly from?: number
  readonly count: number
  /** Connections at a time; default 8. */
  readonly connections?: number
}

export interface FuzzFailure {
  readonly seed: number
  readonly number: number
  readonly problem: string
  readonly request: string
  readonly answer: string
}

export interface FuzzReport {
  readonly failures: readonly FuzzFailure[]
  /** Answers by status; 0 = the server hung up on what was no request. */
  readonly statuses: Readonly<Record<number, number>>
}

const TIMEOUT_MS = 15_000
const NOISE_TIMEOUT_MS = 300
/** Requests on one connection. */
const REUSED = 20
const MAX_FAILURES = 20
const SHOWN = 1500

export async function runFuzz(settings: FuzzSettings): Promise<FuzzReport> {
  const { port, endpoints, seed, from = 0, count, connections = 8 } = settings
  const statuses: Record<number, number> = {}
  const failures: FuzzFailure[] = []
  let next = from

  async function work(): Promise<void> {
    let connection: FuzzConnection | null = null
    let used = 0
    while (next < from + count && failures.length < MAX_FAILURES) {
      const number = next++
      const request = randomRequest(createRandom(seed * 1_000_003 + number), endpoints)
      if (!connection || used >= REUSED || !request.wellFormed) {
        connection?.close()
        connection = openConnection(port)
        used = 0
      }
      let result = await attempt(connection, request)
      // A server may close a connection that it has kept open, for example because it has not read a body to its end.
      if (result.hungUp && used > 0) {
        connection.close()
        connection = openConnection(port)
        used = 0
        result = await attempt(connection, request)
      }
      used += 1
      const { problem, answer, status } = result
      statuses[status] = (statuses[status] ?? 0) + 1
      if (problem) failures.push({ seed, number, problem, request: shown(request), answer: answer.slice(0, SHOWN) })
      if (result.open && request.wellFormed) continue
      connection.close()
      connection = null
    }
    connection?.close()
  }

  await Promise.all(Array.from({ length: connections }, work))
  return { failures, statuses }
}

interface Attempt {
  readonly problem: string | null
  readonly answer: string
  readonly status: number
  readonly open: boolean
  readonly hungUp: boolean
}

async function attempt(connection: FuzzConnection, { bytes, method, wellFormed }: FuzzRequest): Promise<Attempt> {
  const none = { problem: null, answer: '', status: 0, open: false, hungUp: false }
  try {
    // The end of noise may be missing: what is no request may wait for more until the client gives up.
    const answer = await connection.exchange(bytes, method, wellFormed ? TIMEOUT_MS : NOISE_TIMEOUT_MS)
    if (!answer) return { ...none, problem: wellFormed ? 'no answer' : null, hungUp: true }
    const { status, head, body, open } = answer
    const problem = isFault(status, wellFormed) ? `status ${status}` : bodyProblem(head, body)
    return { problem, answer: `${head}\n\n${body}`, status, open, hungUp: false }
  } catch (error) {
    return { ...none, problem: wellFormed ? (error as Error).message : null }
  }
}

/** 505 tells that noise looks like another version of HTTP. */
const isFault = (status: number, wellFormed: boolean): boolean =>
  Number.isNaN(status) || (status >= 500 && (wellFormed || status !== 505))

/** What calls itself JSON is JSON, and nothing tells about the inside of the program. */
function bodyProblem(head: string, body: string): string | null {
  if (/\bat \w+ \(|node_modules|\$bunfs|\/work\//.test(body)) return 'the answer shows program code'
  const isJson = /^content-type:\s*application\/json/im.test(head) && !/^transfer-encoding:/im.test(head)
  if (!isJson || body === '') return null
  try {
    JSON.parse(body)
    return null
  } catch {
    return 'the answer is no JSON'
  }
}

const shown = ({ bytes }: FuzzRequest): string => JSON.stringify(bytes.toString('latin1').slice(0, SHOWN))
