/** Messages to the service manager: over its socket, or where that cannot be opened with the command `systemd-notify`. */
import { type RunCommand, runCommand } from '../command.ts'
import type { Logger } from '../types.ts'
import { openNotifySocket } from './socket.ts'

export interface Notifier {
  /** Assignments as in `sd_notify(3)`: `READY=1`. They arrive in order; what cannot be sent is told once in the log. */
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
  let told = false
  function problem(reason: string): void {
    if (told) return
    told = true
    log.warn(`MAIN: The service manager cannot be told how Footman is (NOTIFY_SOCKET=${address}): ${reason}`)
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
          problem((error as Error).message)
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
