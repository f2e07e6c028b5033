/** Plain connections, with a time limit. */
import { connect, type Socket } from 'node:net'

export interface Place {
  readonly host: string
  readonly port: number
}

/** Resolves with a connected socket; rejects with the system's error, or with `ETIMEDOUT` after `timeoutMs`. */
export function openTcp({ host, port }: Place, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const timer = setTimeout(() => fail(timeOver(timeoutMs, 'no answer', 'ETIMEDOUT')), timeoutMs)
    const fail = (error: Error) => {
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    }
    socket.once('error', fail)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', fail)
      // What comes after the end of the examination is nobody's business.
      socket.on('error', () => {})
      resolve(socket)
    })
  })
}

/** `ESILENT`: somebody is there, and says nothing, or nothing that makes sense. */
export function timeOver(timeoutMs: number, what = 'no answer', code = 'ESILENT'): Error {
  return Object.assign(new Error(`${what} within ${timeoutMs / 1000} s`), { code })
}

/** Settles as `promise` does, or rejects with `ESILENT`. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, what?: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(timeOver(timeoutMs, what)), timeoutMs)
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** Bytes until `done` says that they are enough; rejects when the other side closes or stays silent. */
export function readUntil(socket: Socket, done: (text: string) => boolean, timeoutMs: number): Promise<string> {
  let text = ''
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const onData = (chunk: Buffer) => {
    text += chunk.toString('latin1')
    if (done(text)) resolve(text)
    else if (text.length > MAX_ANSWER) reject(new Error('an endless answer'))
  }
  const onClose = () => reject(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET', text }))
  socket.on('data', onData)
  socket.once('close', onClose)
  return within(promise, timeoutMs).finally(() => {
    socket.off('data', onData)
    socket.off('close', onClose)
  })
}

const MAX_ANSWER = 64 * 1024
