/** The newest log file of a Footman on Windows: its last lines, and what is added to it. */
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type CommandIo, EXIT } from '../../io.ts'
import { ServiceError, type ServiceFacts } from '../types.ts'
import { winswBase } from './places.ts'

export interface FileLogOptions {
  readonly lines: number
  readonly follow: boolean
  /** Ends following. */
  readonly signal?: AbortSignal
}

const POLL_MS = 500
/** More is not read to find the last lines. */
const TAIL_BYTES = 4 * 1024 * 1024

/** Prints what Footman wrote, and what WinSW caught of its errors. */
export async function fileLogs(facts: ServiceFacts, options: FileLogOptions, io: CommandIo): Promise<number> {
  const folder = facts.outputDirectory
  const file: string | null = await newest(folder, facts)
  if (file === null) {
    const hint = facts.logDirectory === null ? ' Without WinSW or NSSM, set Butler.fileLogging to true.' : ''
    throw new ServiceError(`service logs: there is no log file in ${folder}.${hint}`, EXIT.missing)
  }
  io.err(file)
  let position = await printTail(file, options.lines, io)
  while (options.follow && !options.signal?.aborted) {
    await delay(POLL_MS, undefined, options.signal ? { signal: options.signal } : {}).catch(() => undefined)
    const current: string = (await newest(folder, facts)) ?? file
    // A new day, or a full file, has a new one.
    if (current !== file) return fileLogs(facts, { ...options, lines: Number.MAX_SAFE_INTEGER }, io)
    position = await printFrom(file, position, io)
  }
  return EXIT.ok
}

/** Footman's own files before the output that a service manager caught. */
async function newest(folder: string, { name, logDirectory }: ServiceFacts): Promise<string | null> {
  const entries = await readdir(folder).catch(() => [])
  const kinds = [
    ...(logDirectory === null ? [] : [/^butler\.\d{4}-\d{2}-\d{2}(\.\d+)?\.log$/]),
    new RegExp(`^(${literal(winswBase(name))}|${literal(name)})\\.out\\.log$`, 'i'),
  ]
  for (const kind of kinds) {
    const files = entries.filter((entry) => kind.test(entry)).map((entry) => join(folder, entry))
    const dated = await Promise.all(files.map(async (file) => ({ file, at: (await stat(file)).mtimeMs })))
    const last = dated.sort((a, b) => b.at - a.at || b.file.localeCompare(a.file))[0]
    if (last) return last.file
  }
  return null
}

const literal = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Returns the position behind what was printed. */
async function printTail(file: string, count: number, io: CommandIo): Promise<number> {
  const { size } = await stat(file)
  const start = Math.max(0, size - TAIL_BYTES)
  const text = await read(file, start, size)
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
  const last = lines.slice(Math.max(0, lines.length - count))
  if (text !== '' && count > 0) io.out(last.join('\n'))
  return size
}

async function printFrom(file: string, position: number, io: CommandIo): Promise<number> {
  const { size } = await stat(file)
  if (size <= position) return size
  const text = await read(file, position, size)
  // A line that is being written comes with the next look.
  const end = text.lastIndexOf('\n') + 1
  if (end === 0) return position
  io.out(text.slice(0, end).replace(/\r?\n$/, ''))
  return position + Buffer.byteLength(text.slice(0, end))
}

async function read(file: string, from: number, to: number): Promise<string> {
  const handle = await open(file, 'r')
  try {
    const buffer = Buffer.alloc(to - from)
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, from)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
