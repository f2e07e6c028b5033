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
}

const OK = Buffer.from('HTTP/1.1 200')

/** Requests answered with 200 per second. Rejects when an answer is something else or does not come. */
export async function requestsPerSecond(settings: LoadSettings): Promise<number> {
  const { port, path, seconds, connections = 16, pipeline = 8 } = settings
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: */*\r\n\r\n`
  const batch = Buffer.from(request.repeat(pipeline))
  const started = performance.now()
  const deadline = started + seconds * 1000
  const counts = Array.from({ length: connections }, () => drive(port, batch, pipeline, deadline))
  const answered = await within(Promise.all(counts), (seconds + 10) * 1000, `answers with status 200 from ${path}`)
  const elapsed = (performance.now() - started) / 1000
  return answered.reduce((sum, count) => sum + count, 0) / elapsed
}

/** Sends batch after batch on one connection until the deadline; resolves with the number of answers. */
async function drive(port: number, batch: Buffer, pipeline: number, deadline: number): Promise<number> {
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
      if (answered === 0 && tail.length === 0 && chunk.indexOf(OK) !== 0) {
        return reject(new Error(`expected "${OK}", got "${chunk.toString('latin1').split('\r\n')[0]}"`))
      }
      const found = countAnswers(tail, chunk)
      tail = Buffer.from(chunk.subarray(-(OK.length - 1)))
      answered += found
      open -= found
      if (open > 0) return
      if (performance.now() >= deadline) return finish()
      open = pipeline
      socket.write(batch)
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`the server closed the connection after ${answered} answers`)))
    socket.write(batch)
  })
}

/** Status lines that end in `chunk`; `tail` is the end of what came before. */
function countAnswers(tail: Buffer, chunk: Buffer): number {
  const text = tail.length > 0 ? Buffer.concat([tail, chunk]) : chunk
  let count = 0
  for (let at = text.indexOf(OK); at !== -1; at = text.indexOf(OK, at + OK.length)) count++
  return count
}
