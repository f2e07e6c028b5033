/** Questions on the terminal, and the content of standard input. */
import { readSync } from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

/** Every question rejects with `PromptEnded` on Ctrl-C, Ctrl-D or the end of the input. */
export interface Prompt {
  /** The answer without blanks around it; empty when only Enter was pressed. */
  ask(question: string): Promise<string>
  /** The same, with nothing of the answer shown. */
  askHidden(question: string): Promise<string>
  close(): void
}

interface PromptStreams {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly output: NodeJS.WritableStream
}

export class PromptEnded extends Error {
  override readonly name = 'PromptEnded'
  constructor() {
    super('stopped at a question')
  }
}

/** Questions go to standard error, so that standard output stays what the command prints. */
const PROCESS: PromptStreams = { input: process.stdin, output: process.stderr }

export function createPrompt({ input, output }: PromptStreams = PROCESS): Prompt {
  let isHidden = false
  const echo = new Writable({
    write(chunk, _, done) {
      if (!isHidden) output.write(chunk)
      done()
    },
  })
  const lines = createInterface({ input, output: echo, terminal: input.isTTY === true })
  /** Lines that came before they were asked for. */
  const early: string[] = []
  let waiting: { resolve(line: string): void; reject(error: Error): void } | null = null
  let isOver = false
  lines.on('line', (line) => {
    if (waiting) waiting.resolve(line)
    else early.push(line)
    waiting = null
  })
  lines.on('close', () => {
    isOver = true
    waiting?.reject(new PromptEnded())
    waiting = null
  })

  /** The question is the prompt of the line, so that it stays there while the answer is edited. */
  async function next(question: string): Promise<string> {
    if (!isOver) {
      lines.setPrompt(question)
      lines.prompt()
    } else output.write(question)
    const line = early.shift()
    if (line !== undefined) return line.trim()
    if (isOver) throw new PromptEnded()
    return (await new Promise<string>((resolve, reject) => (waiting = { resolve, reject }))).trim()
  }

  return {
    ask: next,
    async askHidden(question) {
      output.write(question)
      isHidden = true
      try {
        return await next('')
      } finally {
        isHidden = false
        output.write('\n')
      }
    },
    close: () => lines.close(),
  }
}

/** `yes` and `y`; anything else is no. With `byDefault` only Enter means yes as well. */
export async function confirm(prompt: Prompt, question: string, byDefault = false): Promise<boolean> {
  const answer = await prompt.ask(`${question} ${byDefault ? '[Y/n]' : '[y/N]'} `)
  return /^y(es)?$/i.test(answer) || (byDefault && answer === '')
}

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
      // Errors on Windows of a closed pipe, or without standard input.
      if (code === 'EOF' || code === 'EPIPE' || code === 'EBADF') return
      if (code !== 'EAGAIN') throw error
      await pause(PAUSE_MS)
    }
  }
}
