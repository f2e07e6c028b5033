/** All that stands on standard input, in pieces; for commands that are fed by a file or another program. */
import { readSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

const STANDARD_INPUT = 0
const CHUNK_BYTES = 64 * 1024
const PAUSE_MS = 20

/**
 * Read directly: the stream of the runtime cannot be opened on every kind of pipe. Ends where the input ends, also when
 * there is none at all.
 */
export async function* standardInput(read: typeof readSync = readSync): AsyncGenerator<Uint8Array, void> {
  for (;;) {
    const buffer = Buffer.alloc(CHUNK_BYTES)
    try {
      const bytes = read(STANDARD_INPUT, buffer, 0, buffer.length, null)
      if (bytes === 0) return
      yield buffer.subarray(0, bytes)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // How Windows tells that the other side of a pipe has closed it, or that nothing was handed over.
      if (code === 'EOF' || code === 'EPIPE' || code === 'EBADF') return
      if (code !== 'EAGAIN') throw error
      await pause(PAUSE_MS)
    }
  }
}
