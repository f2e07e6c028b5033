/** The schedule file on disk: read, watched for changes by others, and replaced in one step. */
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeFileAtomic } from '../../../platform/files.ts'
import { readDocument, type ScheduleDocument } from './document.ts'

export interface ScheduleFile {
  readonly path: string
  /**
   * The document, when the file is another one than at the last reading or writing; null when it isn't. A file that is
   * missing is empty. Throws when it cannot be read or makes no sense; it is then new at the next call too.
   */
  readIfChanged(): Promise<{ readonly document: ScheduleDocument; readonly missing: boolean } | null>
  /** Rejects when the file could not be replaced; it is the old one then. */
  write(text: string): Promise<void>
}

export function createScheduleFile(path: string): ScheduleFile {
  /** What the file looked like when it was read or written last; null = never. */
  let stamp: string | null = null
  let content: string | null = null

  async function stampOf(): Promise<string> {
    try {
      const { mtimeMs, size, ino } = await stat(path)
      return `${ino} ${size} ${mtimeMs}`
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'missing'
      throw error
    }
  }

  return {
    path,
    async readIfChanged() {
      const now = await stampOf()
      if (now === stamp) return null
      const text = now === 'missing' ? '' : await readFile(path, 'utf8')
      if (text === content) {
        stamp = now
        return null
      }
      const document = readDocument(text)
      stamp = now
      content = text
      return { document, missing: now === 'missing' }
    },
    async write(text) {
      await mkdir(dirname(path), { recursive: true })
      await writeFileAtomic(path, text)
      content = text
      stamp = await stampOf().catch(() => null)
    },
  }
}
