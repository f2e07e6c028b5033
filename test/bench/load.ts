/** A small HTTP load generator on raw sockets, so that the server is the slower end. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { within } from '../support/wait.ts'

export interface LoadSettings {
  readonly port: number
  readonly path: string
  readonly seconds: number
  /** Connections kept alive; default 16. */
  readonly connections?: number
  /** Requests sent at once on each connection; default 8. */
  readonly pipeline?: number
  /** Default GET. */
  readonly method?: string
  /** A JSON body, asked for again for each batch. */
  readonly body?: () => string
  /** What every answer must have; default 200. */
  readonly status?: number
}

/** Requests answered with the wanted status per second. Rejects when an answer is something else or does not come. */
export async function requestsPerSecond(settings: LoadSettings): Promise<number> {
  const { port, path, seconds, connections = 16, pipeline = 8, method = 'GET', body, status = 200 } = settings
  const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: */*\r\n`
  const plain = Buffer.from(`${head}\r\n`.repeat(pipeline))
  const withBody = (text: string) =>
    `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
  const batch = body ? () => Buffer.from(withBody(body()).repeat(pipeline)) : () => plain
  const started = performance.now()
  const deadline = started + seconds * 1000
  const drive = () => driveOne({ port, batch, pipeline, deadline, wanted: Buffer.from(`HTTP/1.1 ${status}`) })
  const counts = Array.from({ length: connections }, drive)
  const answered = await within(
    Promise.all(counts),
    (seconds + 10) * 1000,
    `answers with status ${status} from ${path}`,
  )
  const elapsed = (performance.now() - started) / 1000
  return answered.reduce((sum, count) => sum + count, 0) / elapsed
}

interface Drive {
  readonly port: number
  readonly batch: () => Buffer
  readonly pipeline: number
  readonly deadline: number
  /** Begin of a good answer. */
  readonly wanted: Buffer
}

/** Sends batch after batch on one connection until the deadline; resolves with the number of answers. */
async function driveOne({ port, batch, pipeline, deadline, wanted }: Drive): Promise<number> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return new Promise<number>((resolve, reject) => {
    let [answered, open] = [0, pipeline]
    let tail = Buffer.alloc(0)
    const finish = () => {
      socket.destroy()
      resolve(answered)
    }
    socket.on('data', (chunk: Buffer) => {
      if (answered === 0 && tail.length === 0 && chunk.indexOf(wanted) !== 0) {
        return reject(new Error(`expected "${wanted}", got "${chunk.toString('latin1').split('\r\n')[0]}"`))
      }
      const found = countAnswers(wanted, tail, chunk)
      tail = Buffer.from(chunk.subarray(-(wanted.length - 1)))
      answered += found
      open -= found
      if (open > 0) return
      if (performance.now() >= deadline) return finish()
      open = pipeline
      socket.write(batch())
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`the server closed the connection after ${answered} answers`)))
    socket.write(batch())
  })
}

/** Status lines that end in `chunk`; `tail` is the end of what came before. */
function countAnswers(wanted: Buffer, tail: Buffer, chunk: Buffer): number {
  const text = tail.length > 0 ? Buffer.concat([tail, chunk]) : chunk
  let count = 0
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + wanted.length)) count++
  return count
}
