/** Notifications to the service manager: over its socket, or with the command `systemd-notify` when that cannot be opened. */
import { type RunCommand, runCommand } from './command.ts'
import { errorText } from './errors.ts'
import type { Logger } from './types.ts'

export interface Notifier {
  /** Assignments as in `sd_notify(3)`: `READY=1`. They arrive in order; the first failure is logged. */
  send(...assignments: readonly string[]): void
  /** Null where this clock cannot be read. */
  monotonicMicroseconds(): bigint | null
  /** Resolves when all was sent. */
  close(): Promise<void>
}

const COMMAND = 'systemd-notify'
const TIMEOUT_MS = 5000

export async function createNotifier(
  { log, open = openNotifySocket, run = runCommand }: NotifierDeps,
  address: string,
): Promise<Notifier> {
  let isReported = false
  function problem(reason: string): void {
    if (isReported) return
    isReported = true
    log.warn(`MAIN: The service manager cannot be notified (NOTIFY_SOCKET=${address}): ${reason}`)
  }

  const socket = await open(address).catch(() => null)
  if (socket) {
    return {
      send(...assignments) {
        if (!socket.send(assignments.join('\n'))) problem('it does not take messages')
      },
      monotonicMicroseconds: () => socket.monotonicMicroseconds(),
      close: async () => socket.close(),
    }
  }

  let sending = Promise.resolve()
  return {
    send(...assignments) {
      sending = sending.then(async () => {
        try {
          const { code, stderr } = await run(COMMAND, assignments, { timeoutMs: TIMEOUT_MS })
          if (code !== 0) problem(`${COMMAND} ended with ${code}: ${stderr.trim()}`)
        } catch (error) {
          problem(errorText(error))
        }
      })
    },
    monotonicMicroseconds: () => null,
    close: () => sending,
  }
}

interface NotifierDeps {
  readonly log: Logger
  /** Replaced in tests. */
  readonly open?: typeof openNotifySocket
  readonly run?: RunCommand
}

/**
 * Unix datagrams to the service manager. The `dgram` of the runtimes does not have them, so this calls the C library through
 * the foreign functions of Bun; in source and executable, with glibc and with musl.
 */
export interface NotifySocket {
  /** False when the service manager did not take the message. */
  send(message: string): boolean
  /** CLOCK_MONOTONIC in microseconds, which is what the service manager compares with. */
  monotonicMicroseconds(): bigint
  close(): void
}

const AF_UNIX = 1
const SOCK_DGRAM_CLOEXEC = 0o2000002
const MSG_NOSIGNAL = 0x4000
const CLOCK_MONOTONIC = 1
const AT = '@'.charCodeAt(0)
/** Limit of `sockaddr_un`. */
const MAX_PATH_BYTES = 107
const C_LIBRARIES = ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`, 'libc.so']

const SYMBOLS = {
  socket: { args: ['int', 'int', 'int'], returns: 'int' },
  sendto: { args: ['int', 'ptr', 'u64', 'int', 'ptr', 'u32'], returns: 'i64' },
  clock_gettime: { args: ['int', 'ptr'], returns: 'int' },
  close: { args: ['int'], returns: 'int' },
} as const

/**
 * `address`: as in NOTIFY_SOCKET, a path or `@` and an abstract name. Null when it cannot be used:
 * another kind of address, another runtime, another operating system.
 */
export async function openNotifySocket(address: string): Promise<NotifySocket | null> {
  const target = socketAddress(address)
  if (!target || process.platform !== 'linux' || !('Bun' in globalThis)) return null
  const { dlopen, ptr } = await import('bun:ffi')
  const libc = firstOf(C_LIBRARIES, (name) => dlopen(name, SYMBOLS))
  if (!libc) return null
  const { socket, sendto, clock_gettime, close } = libc.symbols
  const handle = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0)
  if (handle < 0) return null
  return {
    send(message) {
      const bytes = Buffer.from(message)
      return Number(sendto(handle, ptr(bytes), bytes.length, MSG_NOSIGNAL, ptr(target), target.length)) === bytes.length
    },
    monotonicMicroseconds() {
      const time = new BigInt64Array(2)
      clock_gettime(CLOCK_MONOTONIC, ptr(time))
      return time[0]! * 1_000_000n + time[1]! / 1000n
    },
    close: () => void close(handle),
  }
}

/** `struct sockaddr_un`; null when the text is not the address of a Unix socket. */
function socketAddress(address: string): Uint8Array | null {
  const name = Buffer.from(address)
  const isAbstract = name[0] === AT
  if ((!isAbstract && !address.startsWith('/')) || name.length > MAX_PATH_BYTES) return null
  // An abstract name starts with a zero and has its length; a path ends with a zero.
  if (isAbstract) name[0] = 0
  const family = Buffer.from(new Uint16Array([AF_UNIX]).buffer)
  return Buffer.concat([family, name, ...(isAbstract ? [] : [Buffer.alloc(1)])])
}

function firstOf<T>(names: readonly string[], open: (name: string) => T): T | null {
  for (const name of names) {
    try {
      return open(name)
    } catch {
      // Not the C library of this system: the next name.
    }
  }
  return null
}
