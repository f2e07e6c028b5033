/** ZIP archives: workbooks, downloads, and deliveries, these with AES-256 when they have a password. */
import { createReadStream } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'

export interface ZipEntry {
  /** Path in the archive, with `/`. */
  readonly name: string
  /** Read once, while the entry is written; a `createReadStream` is one. */
  readonly content: Uint8Array | AsyncIterable<Uint8Array>
}

interface ZipOptions {
  /** Encrypts the contents (AES-256 in the form of WinZip, AE-2). Names of entries stay readable. The bytes differ each time. */
  readonly password?: string
  /** Date of all entries. Default: the oldest that the format knows, so that equal entries make equal archives. */
  readonly modified?: Date
  readonly signal?: AbortSignal
}

/** 1 January 1980 in the form of MS-DOS, which has no time zone. */
const OLDEST_DATE = 0x0021_0000

/**
 * Writes `file` and resolves with its size in bytes. Entries are asked for one at a time and flow through: the memory in
 * use does not grow with their size. An entry ends below 4 GB, since Excel and older tools cannot read larger ones when
 * they were streamed. Removes `file` and rejects with the error when an entry, the disk or `signal` fails.
 */
export async function writeZip(
  file: string,
  entries: Iterable<ZipEntry> | AsyncIterable<ZipEntry>,
  options: ZipOptions = {},
): Promise<number> {
  const handle = await open(file, 'w', 0o600)
  try {
    await writeEntries(streamTo(handle), entries, options)
    return (await handle.stat()).size
  } catch (error) {
    await rm(file, { force: true }).catch(() => {})
    throw error
  } finally {
    await handle.close()
  }
}

/** The archive while it is made. Nothing is read before the first byte is asked for, and nothing after a cancel. */
export const zipStream = (entries: AsyncIterable<ZipEntry>, options?: ZipOptions): ReadableStream<Uint8Array> =>
  streamOf(zipBytes(entries, options))

async function* zipBytes(entries: AsyncIterable<ZipEntry>, options: ZipOptions = {}): AsyncGenerator<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const work = writeEntries(writable, entries, options).catch((error: unknown) => writable.abort(error))
  yield* readable as unknown as AsyncIterable<Uint8Array>
  await work
}

interface ArchivedDocument {
  readonly id: string
  readonly fileName: string
  readonly sha256: string
}

/** An entry for each document, read from `path(sha256)` when its turn comes; no two have the same name. */
export async function* documentEntries(
  documents: readonly ArchivedDocument[],
  path: (sha256: string) => string,
): AsyncGenerator<ZipEntry> {
  const names = new Set<string>()
  for (const { id, fileName, sha256 } of documents) {
    const name = names.has(fileName.toLowerCase()) ? `${id.slice(0, 8)}_${fileName}` : fileName
    names.add(name.toLowerCase())
    yield { name, content: createReadStream(path(sha256)) }
  }
}

async function writeEntries(
  target: WritableStream<Uint8Array>,
  entries: Iterable<ZipEntry> | AsyncIterable<ZipEntry>,
  { password, modified, signal }: ZipOptions,
): Promise<void> {
  const { configure, ZipWriter } = await import('@zip.js/zip.js')
  configure({ useWebWorkers: false })
  const writer = new ZipWriter(target, {
    ...(password !== undefined && { password, encryptionStrength: 3 }),
    ...(modified ? { lastModDate: modified } : { rawLastModDate: OLDEST_DATE, extendedTimestamp: false }),
    zip64: false,
    signal,
  })
  for await (const { name, content } of entries) {
    signal?.throwIfAborted()
    await writer.add(name, content instanceof Uint8Array ? streamOf([content]) : streamOf(content))
  }
  await writer.close()
}

const streamTo = (handle: FileHandle) =>
  new WritableStream<Uint8Array>({
    write: (chunk) => handle.appendFile(chunk),
  })

function streamOf(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}
