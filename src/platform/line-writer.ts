/**
 * Ordered, non-blocking writing of text to one file descriptor. Pending text can be written synchronously at exit, and
 * neither a full disk nor a stalled reader blocks the process (pino's own destination never returns from its flush at exit
 * when the disk is full, and streams lose their last lines).
 */
import { close, write, writeSync } from 'node:fs'

export interface LineWriter {
  write(text: string): void
  /** Resolves when the operating system has all text, or after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>
  /** Writes pending text synchronously, at the exit of the process. Gives up after `limitMs`. */
  flushSync(limitMs: number): void
  /** Writes pending text, then closes the descriptor (1 and 2 stay open). */
  end(): Promise<void>
}

/** Beyond this, lines for a stalled reader are dropped, and their number is written afterwards. */
const MAX_PENDING_CHARACTERS = 32 * 1024 * 1024
const CHUNK_CHARACTERS = 256 * 1024
const RETRY_MS = 20
/** Lines that come soon after others are collected this long: a write costs as much as making hundreds of lines. */
const PACE_MS = 10

/** `lostLine` returns the line that replaces `count` lines which could not be written. */
export function createLineWriter(fd: number, lostLine: (count: number) => string): LineWriter {
  let pending: string[] = []
  let pendingCharacters = 0
  /** The lines of one turn of the event loop are written together. */
  let planned = false
  let writtenAt = Number.NEGATIVE_INFINITY
  /** The chunk that is being written, from `offset` on. */
  let chunk: Buffer | null = null
  let offset = 0
  /** True while the operating system holds the chunk, false while it waits for the next attempt. */
  let inKernel = false
  let lost = 0
  let broken = false
  let idle: (() => void)[] = []

  function plan(): void {
    if (planned || chunk) return
    planned = true
    const write = () => {
      planned = false
      writtenAt = performance.now()
      next()
    }
    if (performance.now() - writtenAt < PACE_MS) setTimeout(write, PACE_MS)
    else setImmediate(write)
  }

  function next(): void {
    if (chunk || pending.length === 0) return
    let characters = 0
    let count = 0
    while (count < pending.length && characters < CHUNK_CHARACTERS) characters += pending[count++]!.length
    chunk = Buffer.from(pending.splice(0, count).join(''))
    pendingCharacters -= characters
    offset = 0
    attempt()
  }

  function attempt(): void {
    inKernel = true
    write(fd, chunk!, offset, chunk!.length - offset, null, (error, written) => {
      inKernel = false
      if (!chunk) return
      if (error && isBusy(error)) {
        setTimeout(attempt, RETRY_MS)
        return
      }
      if (error) giveUpChunk(error)
      else offset += written
      if (chunk && offset < chunk.length) return attempt()
      chunk = null
      if (!error) reportLost()
      // Not at once for a few lines: under load each write would take only those that came during the one before.
      if (idle.length > 0 || pendingCharacters >= CHUNK_CHARACTERS) next()
      else if (pending.length > 0) plan()
      if (!chunk && pending.length === 0) settleIdle()
    })
  }

  function giveUpChunk(error: NodeJS.ErrnoException): void {
    lost += countLines(chunk!.subarray(offset))
    offset = chunk!.length
    if (error.code !== 'EPIPE') return
    broken = true
    pending = []
    pendingCharacters = 0
  }

  function reportLost(): void {
    if (lost === 0) return
    const line = lostLine(lost)
    lost = 0
    pending.push(line)
    pendingCharacters += line.length
  }

  function settleIdle(): void {
    const waiting = idle
    idle = []
    for (const resolve of waiting) resolve()
  }

  function flush(timeoutMs: number): Promise<void> {
    if (!chunk && pending.length === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      idle.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  return {
    write(text) {
      if (broken) return
      if (pendingCharacters + text.length > MAX_PENDING_CHARACTERS) {
        lost += 1
        return
      }
      pending.push(text)
      pendingCharacters += text.length
      plan()
    },
    flush,
    flushSync(limitMs) {
      // The operating system finishes a write that it has accepted; a second call would write the chunk twice.
      if (inKernel) sleepSync(RETRY_MS)
      const lines = Buffer.from(pending.join(''))
      const rest = inKernel || !chunk ? [lines] : [chunk.subarray(offset), lines]
      if (!inKernel) chunk = null
      pending = []
      pendingCharacters = 0
      if (!broken) writeAllSync(fd, Buffer.concat(rest), limitMs)
    },
    async end() {
      await flush(2000)
      if (fd > 2) await new Promise<void>((resolve) => close(fd, () => resolve()))
    },
  }
}

function writeAllSync(fd: number, bytes: Buffer, limitMs: number): void {
  const until = Date.now() + limitMs
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(fd, bytes, written)
    } catch (error) {
      if (!isBusy(error) || Date.now() > until) return
      sleepSync(RETRY_MS)
    }
  }
}

const isBusy = (error: unknown) => ['EAGAIN', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')

const sleepSync = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

function countLines(bytes: Uint8Array): number {
  let lines = 0
  for (const byte of bytes) if (byte === 10) lines += 1
  return lines
}
