/** The value of a secret, from a person or from a program; never from the arguments, which others can see. */
import { createPrompt } from '../prompt.ts'
import { standardInput } from '../standard-input.ts'

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
  let bytes = 0
  for await (const chunk of standardInput()) {
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
