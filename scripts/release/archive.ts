/** Archives whose bytes depend on their content alone: names in order, one time, no owner. */
import { gzipSync } from 'node:zlib'
import { packTar } from 'modern-tar'
import { ZipFile } from 'yazl'

export interface ArchiveFile {
  /** Below the folder of the archive, with `/`. */
  readonly path: string
  readonly bytes: Uint8Array
  readonly executable?: boolean
}

export interface Archive {
  /** The one folder of all files. */
  readonly folder: string
  readonly files: readonly ArchiveFile[]
  /** The time of every file; full seconds. */
  readonly time: Date
}

interface Entry {
  readonly name: string
  readonly bytes: Buffer
  readonly mode: number
}

/** By code units, so that no locale changes the order. */
const byName = (one: Entry, other: Entry): number => (one.name < other.name ? -1 : 1)

const entriesOf = ({ folder, files }: Archive): Entry[] =>
  files
    .map(({ path, bytes, executable }) => ({
      name: `${folder}/${path}`,
      bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      mode: executable ? 0o755 : 0o644,
    }))
    .sort(byName)

/** Byte of the gzip header that names the system; 255 = unknown. */
const GZIP_SYSTEM = 9

/** A gzipped tar archive in ustar format. */
export async function tarGz(archive: Archive): Promise<Buffer> {
  const entries = entriesOf(archive).map(({ name, bytes, mode }) => ({
    header: { name, size: bytes.length, mode, mtime: archive.time, uid: 0, gid: 0, uname: 'root', gname: 'root' },
    body: bytes,
  }))
  const packed = gzipSync(await packTar(entries))
  packed[GZIP_SYSTEM] = 255
  return packed
}

/** A zip archive that also readers without zip64 and data descriptors understand. */
export async function zip(archive: Archive): Promise<Buffer> {
  const file = new ZipFile()
  const mtime = asLocal(archive.time)
  for (const { name, bytes, mode } of entriesOf(archive)) {
    // Only the old form of time, which has no zone: the other one would be that of a shifted time.
    file.addBuffer(bytes, name, { mtime, mode: 0o100000 | mode, forceDosTimestamp: true })
  }
  file.end()
  const chunks: Buffer[] = []
  for await (const chunk of file.outputStream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** A time whose local hours are the hours of `time` in UTC: a zip archive holds local time, wherever it is made. */
function asLocal(time: Date): Date {
  return new Date(
    time.getUTCFullYear(),
    time.getUTCMonth(),
    time.getUTCDate(),
    time.getUTCHours(),
    time.getUTCMinutes(),
    time.getUTCSeconds(),
  )
}
