/** A unix datagram socket like that of the service manager, for the notifications of a process. */
import { dlopen, ptr } from 'bun:ffi'
import { existsSync } from 'node:fs'
import { until } from './wait.ts'

export interface NotifyReceiver extends Disposable {
  /** For NOTIFY_SOCKET. */
  readonly address: string
  /** All assignments so far, in order of arrival. */
  readonly received: readonly string[]
  /** The first assignment that matches, past ones included. */
  waitFor(pattern: RegExp, timeout?: number): Promise<string>
}

const MSG_DONTWAIT = 0x40
const LIBRARIES = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1']

/** Null where the C library cannot be opened. */
function library() {
  for (const name of LIBRARIES) {
    try {
      return dlopen(name, {
        socket: { args: ['int', 'int', 'int'], returns: 'int' },
        bind: { args: ['int', 'ptr', 'u32'], returns: 'int' },
        recv: { args: ['int', 'ptr', 'u64', 'int'], returns: 'i64' },
        close: { args: ['int'], returns: 'int' },
      }).symbols
    } catch {
      // The next one.
    }
  }
  return null
}

const libc = process.platform === 'linux' ? library() : null

export const canReceive = libc !== null

/** `address`: a path, or `@name` for an abstract socket. */
export function notifyReceiver(address: string): NotifyReceiver {
  if (!libc) throw new Error('no C library for unix datagrams')
  const isAbstract = address.startsWith('@')
  const name = Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`, 'latin1')
  const target = Buffer.concat([Buffer.from([1, 0]), name])
  const socket = libc.socket(1, 2, 0)
  if (libc.bind(socket, ptr(target), target.length) !== 0) throw new Error(`cannot bind ${address}`)
  if (!isAbstract && !existsSync(address)) throw new Error(`${address} is not there`)
  const received: string[] = []
  const buffer = Buffer.alloc(8192)
  const poll = setInterval(() => {
    for (;;) {
      const size = Number(libc.recv(socket, ptr(buffer), buffer.length, MSG_DONTWAIT))
      if (size <= 0) return
      received.push(...buffer.toString('utf8', 0, size).split('\n'))
    }
  }, 5)
  poll.unref()

  return {
    address,
    received,
    waitFor: (pattern, timeout = 20_000) =>
      until(() => received.find((assignment) => pattern.test(assignment)), {
        timeout,
        what: `${pattern} on ${address}`,
        state: () => received,
      }),
    [Symbol.dispose]() {
      clearInterval(poll)
      libc.close(socket)
    },
  }
}
