/** `footman kv export` and `footman kv import`: the key-value store as a file. */
import { readFile, writeFile } from 'node:fs/promises'
import { type CommandIo, EXIT } from '../io.ts'
import { CommandFailure, type Remote, type RemoteOptions, withRemote } from './client.ts'

interface ExportOptions extends RemoteOptions {
  /** None = all that the key may see. */
  readonly namespace: readonly string[]
  /** Absent = standard output. */
  readonly output?: string
}

interface ImportOptions extends RemoteOptions {
  readonly mode?: 'merge' | 'replace'
}

/** Standard input. */
interface Input extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean | undefined
}

const SWITCHED_OFF = 'is Butler.restServerEndpointsEnable.keyValueStore true?'
/** Of an export. */
const MAX_BYTES = 1024 ** 3
/** Of the pairs of one call; the API takes 10 MiB. */
const PIECE_BYTES = 8 * 1024 ** 2

export function runKvExport(options: ExportOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { namespace, output } = options
    const { text } = await remote.call({
      path: '/v4/keyvaluesexport',
      query: { namespace },
      maxBodyBytes: MAX_BYTES,
      what: 'export',
      switchedOff: SWITCHED_OFF,
    })
    // A connection that breaks must not leave half a file that looks like all of it.
    const { namespaces } = parsed(text, 'export') as { namespaces: Record<string, unknown[]> }
    if (output === undefined) io.out(text)
    else {
      await writeFile(output, `${text}\n`, { mode: 0o600 }).catch((error: Error) => {
        throw new CommandFailure(EXIT.badInput, '--output', error.message)
      })
      io.err(`${counted(Object.values(namespaces))} written to ${output}`)
    }
    return EXIT.ok
  })
}

interface Counts {
  readonly namespaces: number
  readonly keys: number
  readonly skipped: number
}

/** `file` absent = standard input. One namespace after the other; what was imported before a failure stays. */
export function runKvImport(
  file: string | undefined,
  options: ImportOptions,
  input: Input,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { format, namespaces } = readExport(textOf(await bytesOf(file, input)), file ?? 'standard input')
    const total = { namespaces: 0, keys: 0, skipped: 0 }
    for (const [namespace, pairs] of Object.entries(namespaces)) {
      const { keys, skipped } = await importNamespace(remote, { format, namespace, pairs }, options.mode ?? 'merge')
      total.namespaces += 1
      total.keys += keys
      total.skipped += skipped
    }
    io.out(options.json ? JSON.stringify(total) : imported(total))
    return EXIT.ok
  })
}

interface Part {
  readonly format: unknown
  readonly namespace: string
  readonly pairs: readonly unknown[]
}

/** In one transaction, unless it is too large for one call. */
async function importNamespace(remote: Remote, { format, namespace, pairs }: Part, mode: string) {
  let [keys, skipped] = [0, 0]
  for (const [index, piece] of piecesOf(pairs).entries()) {
    const { text } = await remote.call({
      method: 'POST',
      path: '/v4/keyvaluesimport',
      query: { mode: index === 0 ? mode : 'merge' },
      body: { format, namespaces: { [namespace]: piece } },
      what: `namespace "${namespace}"`,
      switchedOff: SWITCHED_OFF,
    })
    const counts = JSON.parse(text) as Counts
    keys += counts.keys
    skipped += counts.skipped
  }
  return { keys, skipped }
}

function piecesOf(pairs: readonly unknown[]): (readonly unknown[])[] {
  const pieces: unknown[][] = [[]]
  let size = 0
  for (const pair of pairs) {
    const bytes = Buffer.byteLength(JSON.stringify(pair) ?? '')
    if (size > 0 && size + bytes > PIECE_BYTES) {
      pieces.push([])
      size = 0
    }
    pieces.at(-1)!.push(pair)
    size += bytes
  }
  return pieces
}

async function bytesOf(file: string | undefined, input: Input): Promise<Buffer> {
  if (file !== undefined) {
    return readFile(file).catch((error: Error) => {
      throw new CommandFailure(EXIT.badInput, file, error.message)
    })
  }
  if (input.isTTY) throw new CommandFailure(EXIT.badInput, 'import', 'name a file, or send one to standard input')
  const chunks: Buffer[] = []
  for await (const chunk of input) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks)
}

/** Windows PowerShell turns what is redirected into a file into UTF-16. */
const textOf = (bytes: Buffer): string =>
  new TextDecoder(bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8').decode(bytes)

/** Only as deep as it is taken apart here; the API checks the pairs. */
function readExport(text: string, what: string): { format: unknown; namespaces: Record<string, readonly unknown[]> } {
  const { format, namespaces } = (parsed(text, what) ?? {}) as Record<string, unknown>
  const isMap = typeof namespaces === 'object' && namespaces !== null && !Array.isArray(namespaces)
  if (isMap && Object.values(namespaces).every(Array.isArray)) {
    return { format, namespaces: namespaces as Record<string, readonly unknown[]> }
  }
  throw new CommandFailure(EXIT.badInput, what, 'it is no export of key-value pairs (format footman.kv/1)')
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CommandFailure(EXIT.badInput, what, `it is no JSON: ${(error as Error).message}`)
  }
}

const counted = (namespaces: readonly unknown[][]): string =>
  `${plural(namespaces.flat().length, 'pair')} of ${plural(namespaces.length, 'namespace')}`

function imported({ namespaces, keys, skipped }: Counts): string {
  const left = skipped > 0 ? `; ${plural(skipped, 'pair')} skipped, because the time was over` : ''
  return `${plural(keys, 'pair')} imported into ${plural(namespaces, 'namespace')}${left}`
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
