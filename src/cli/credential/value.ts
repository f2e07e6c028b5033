/** The value of a secret, from a person or from a program; never from the arguments, which others can see. */
import { readSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { createPrompt } from '../prompt.ts'

/** A certificate chain is the largest of what is meant. */
const MAX_BYTES = 64 * 1024

/** '' when nothing was given. Rejects when the two answers differ, or the input is too long or no text. */
export async function readSecret(isTerminal: boolean): Promise<string> {
  if (!isTerminal) return readAll()
  const prompt = createPrompt()
  try {
    const value = await prompt.askHidden('Value (not shown): ')
    if (value !== '' && (await prompt.askHidden('Once more: ')) !== value) throw new Error('the two values differ')
    return value
  } finally {
    prompt.close()
  }
}

/** All of the input without the line break at its end, which `echo` and editors add. */
async function readAll(): Promise<string> {
  const chunks: Uint8Array[] = []
  for (let bytes = 0; ; ) {
    const chunk = await readSome()
    if (chunk.length === 0) break
    bytes += chunk.length
    if (bytes > MAX_BYTES) throw new Error('the value is longer than 64 KB')
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)).replace(/\r?\n$/, '')
  } catch {
    throw new Error('the value is no text in UTF-8')
  }
}

const STANDARD_INPUT = 0
const PAUSE_MS = 20

/** The next bytes; empty at the end. Read directly, as the stream of the runtime cannot be opened on every kind of pipe. */
async function readSome(): Promise<Uint8Array> {
  const buffer = Buffer.alloc(MAX_BYTES + 1)
  for (;;) {
    try {
      return buffer.subarray(0, readSync(STANDARD_INPUT, buffer, 0, buffer.length, null))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // How Windows tells that the other side of a pipe has closed it.
      if (code === 'EOF' || code === 'EPIPE') return buffer.subarray(0, 0)
      if (code !== 'EAGAIN') throw error
      await pause(PAUSE_MS)
    }
  }
}
