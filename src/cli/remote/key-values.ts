/** `footman kv`: the key-value store as a file, and single pairs. */
import { readFile, writeFile } from 'node:fs/promises'
import type { AnswerOf, AnyContract, CallOf } from '../../http/endpoint/contract.ts'
import {
  CLEAR_NAMESPACE,
  DELETE_PAIR,
  EXPORT_PAIRS,
  IMPORT_PAIRS,
  type ImportedCounts,
  KEYS,
  NAMESPACES,
  PAIR,
  SET_PAIR,
  type ValueOfKey,
} from '../../kv/contract.ts'
import { type PairsOfFile, pairsOf, pairsOfTable } from '../../kv/pair-file.ts'
import { encodingNote, isZip, strictText, TextError } from '../../platform/encodings.ts'
import { ownJson } from '../../platform/json.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { type Column, formOf, listing, span } from '../table.ts'
import { type AskOptions, CommandFailure, pages, type Remote, type RemoteOptions, withRemote } from './client.ts'
import type { KV_DELETE, KV_EXPORT, KV_IMPORT, KV_LIST, KV_SET } from './commands.ts'

/** Standard input. */
export interface Input extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean | undefined
}

const SWITCHED_OFF = 'is Butler.restServerEndpointsEnable.keyValueStore true, and was Footman restarted since?'
/** The limit of an export. */
const MAX_BYTES = 1024 ** 3
/** The limit for the pairs of one call; the API takes 10 MiB. */
const PIECE_BYTES = 8 * 1024 ** 2

export function runKvExport(options: OptionsOf<typeof KV_EXPORT>, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { namespace, output } = options
    const text = await remote.text(EXPORT_PAIRS, {
      query: { namespace },
      maxBodyBytes: MAX_BYTES,
      what: 'export',
      switchedOff: SWITCHED_OFF,
    })
    // A connection that breaks must not leave half a file that looks like all of it.
    const { namespaces } = ownJson<AnswerOf<typeof EXPORT_PAIRS>>(text)
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

/**
 * `file` absent = standard input. All in one call, which stores all or nothing. A file that is too large for one goes one namespace
 * after the other, and what was imported before a failure stays.
 */
export function runKvImport(
  file: string | undefined,
  options: OptionsOf<typeof KV_IMPORT>,
  input: Input,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const what = file ?? 'standard input'
    const { format, namespaces } = await readPairs(await bytesOf(file, input), what, io)
    const total = { namespaces: 0, keys: 0, skipped: 0 }
    for (const part of partsOf({ format, namespaces, what }, options.mode ?? 'merge')) {
      const { keys, skipped } = await importPart(remote, part)
      total.keys += keys
      total.skipped += skipped
    }
    total.namespaces = Object.keys(namespaces).length
    io.out(options.json ? JSON.stringify(total) : imported(total))
    return EXIT.ok
  })
}

/** The content of one call, which is one transaction. */
interface Part extends PairsOfFile {
  readonly mode: string
  readonly what: string
}

/** One, when all of it fits into one call. */
function* partsOf(
  { format, namespaces, what }: PairsOfFile & { readonly what: string },
  mode: string,
): Generator<Part> {
  const all = Object.entries(namespaces)
  const fits = piecesOf(all.flatMap(([namespace, pairs]) => [{ [namespace]: [] }, ...pairs])).length === 1
  if (fits && all.length > 1) return yield { format, namespaces, mode, what }
  for (const [namespace, pairs] of all) {
    for (const [index, piece] of piecesOf(pairs).entries()) {
      const part = { format, namespaces: { [namespace]: piece }, what: `namespace "${namespace}"` }
      yield { ...part, mode: index === 0 ? mode : 'merge' }
    }
  }
}

async function importPart(remote: Remote, { format, namespaces, mode, what }: Part): Promise<ImportedCounts> {
  return remote.ask(IMPORT_PAIRS, {
    query: { mode },
    // Footman checks what the file has.
    body: { format, namespaces } as never,
    what,
    switchedOff: SWITCHED_OFF,
  })
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

/** The file, or standard input without one. */
export async function bytesOf(file: string | undefined, input: Input, what = 'import'): Promise<Buffer> {
  if (file !== undefined) {
    return readFile(file).catch((error: Error) => {
      throw new CommandFailure(EXIT.badInput, file, error.message)
    })
  }
  if (input.isTTY) {
    const why =
      what === 'import' ? 'name a file, or send one to standard input' : 'give a value, or send one to standard input'
    throw new CommandFailure(EXIT.badInput, what, why)
  }
  const chunks: Buffer[] = []
  for await (const chunk of input) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks)
}

/** The text of `bytesOf`, in any encoding of Windows. Says on standard error which one was assumed. Throws exit code 1. */
export function textOf(bytes: Buffer, what: string, io: CommandIo): string {
  try {
    const { text, encoding } = strictText(bytes)
    const note = encodingNote(encoding)
    if (note !== null) io.err(`note: ${what} ${note}`)
    return text
  } catch (error) {
    throw error instanceof TextError ? new CommandFailure(EXIT.badInput, what, error.message) : error
  }
}

const WORKBOOK_MB = 10

/** A workbook, or the text of a table or an export. Throws exit code 1. */
async function readPairs(bytes: Buffer, what: string, io: CommandIo): Promise<PairsOfFile> {
  try {
    if (!isZip(bytes)) return pairsOf(textOf(bytes, what, io))
    const { readWorkbookTable } = await import('../../reports/templates/workbook/table.ts')
    return pairsOfTable(await readWorkbookTable(new Uint8Array(bytes), WORKBOOK_MB))
  } catch (error) {
    throw error instanceof TextError ? new CommandFailure(EXIT.badInput, what, error.message) : error
  }
}

const counted = (namespaces: readonly (readonly unknown[])[]): string =>
  `${plural(namespaces.flat().length, 'pair')} of ${plural(namespaces.length, 'namespace')}`

function imported({ namespaces, keys, skipped }: ImportedCounts): string {
  const left = skipped > 0 ? `; ${plural(skipped, 'pair')} skipped, because the time was over` : ''
  return `${plural(keys, 'pair')} imported into ${plural(namespaces, 'namespace')}${left}`
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

// ------------------------------------------------------------------------------------------ get, set, delete, list

/** Prints the value alone, or with `--json` the pair with its revision and expiry. Exit code 3 for an unknown key. */
export function runKvGet(namespace: string, key: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const query = { key, ...(options.json && { meta: true }) }
    const pair = await ask(remote, PAIR, { params: { namespace }, query, what: `key "${key}"` })
    io.out(options.json ? JSON.stringify(pair) : pair.value)
    return EXIT.ok
  })
}

/** `value` absent or `-` = standard input, without the line feed at its end. */
export function runKvSet(
  [namespace, key, value]: readonly [namespace: string, key: string, value?: string],
  options: OptionsOf<typeof KV_SET>,
  input: Input,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const given = value ?? '-'
    const stored =
      given === '-'
        ? textOf(await bytesOf(undefined, input, 'value'), 'standard input', io).replace(/\r?\n$/, '')
        : given
    const body = { key, value: stored, ...(options.ttl !== undefined && { ttl: options.ttl }) }
    const pair = await ask(remote, SET_PAIR, { params: { namespace }, body, what: `key "${key}"` })
    io.out(options.json ? JSON.stringify(pair) : `Stored: ${key}`)
    return EXIT.ok
  })
}

/** One key, or with `--all` a namespace with all its keys. */
export function runKvDelete(
  namespace: string,
  key: string | undefined,
  options: OptionsOf<typeof KV_DELETE>,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    if ((key === undefined) !== (options.all === true)) {
      throw new CommandFailure(EXIT.badInput, 'kv delete', 'name a key, or give --all for the whole namespace')
    }
    const what = key === undefined ? `namespace "${namespace}"` : `key "${key}"`
    if (key === undefined) await ask(remote, CLEAR_NAMESPACE, { params: { namespace }, what })
    else await ask(remote, DELETE_PAIR, { params: { namespace, key }, what })
    io.out(
      options.json
        ? JSON.stringify({ namespace, ...(key !== undefined && { key }), deleted: true })
        : `Deleted: ${what}`,
    )
    return EXIT.ok
  })
}

const PAIR_COLUMNS: readonly Column<ValueOfKey>[] = [
  { head: 'KEY', cell: ({ key }) => key, least: 12 },
  { head: 'VALUE', cell: ({ value }) => value, least: 20 },
  { head: 'EXPIRES IN', cell: ({ ttl }) => (ttl === 0 ? 'never' : span(ttl)) },
  { head: 'REVISION', cell: ({ revision }) => String(revision), wide: true },
]

/** The pairs of a namespace, or without one the names of the namespaces. */
export function runKvList(
  namespace: string | undefined,
  options: OptionsOf<typeof KV_LIST>,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    if (namespace === undefined) {
      const names = (await ask(remote, NAMESPACES, { what: 'namespaces' })).filter((one) => typeof one === 'string')
      const columns = [{ head: 'NAMESPACE', cell: (name: string) => name, least: 20 }]
      if (options.json) io.out(JSON.stringify(names))
      else io.out(names.length === 0 ? 'No namespaces.' : listing(columns, names, await formOf(remote, options, io)))
      return EXIT.ok
    }
    const query = { values: 'true', prefix: options.prefix }
    const call = { params: { namespace }, query, what: `namespace "${namespace}"`, switchedOff: SWITCHED_OFF }
    // With `values` the items have them.
    const items = pages(remote, KEYS, 'keys', call) as AsyncIterable<ValueOfKey>
    const rows = await Array.fromAsync(items).catch((error: unknown) => {
      throw missing(error)
    })
    if (options.json) io.out(JSON.stringify({ namespace, keys: rows }, null, 2))
    else io.out(rows.length === 0 ? 'No keys.' : listing(PAIR_COLUMNS, rows, await formOf(remote, options, io)))
    return EXIT.ok
  })
}

async function ask<C extends AnyContract>(remote: Remote, contract: C, call: CallOf<C> & AskOptions) {
  return remote.ask(contract, Object.assign({ switchedOff: SWITCHED_OFF }, call)).catch((error: unknown) => {
    throw missing(error)
  })
}

/** The API answers 400 about an unknown key or namespace, as Butler does: here that is exit code 3. */
function missing(error: unknown): unknown {
  if (!(error instanceof CommandFailure) || error.status !== 400 || !/not found/i.test(error.message)) return error
  return new CommandFailure(EXIT.missing, error.what, error.message, error.status)
}
