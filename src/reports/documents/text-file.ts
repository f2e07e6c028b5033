/** Writing of text documents piece by piece, so that a large table is never in memory as a whole. */
import { open, rm } from 'node:fs/promises'

const CHUNK = 1 << 16

export interface TextFile {
  /** Resolves at once while the pieces are small; wait for it. */
  write(text: string): Promise<void> | undefined
}

/** Creates the file, hands it to `work` and resolves with its size in bytes. Removes the file when `work` fails. */
export async function writeTextFile(path: string, work: (file: TextFile) => Promise<void>): Promise<number> {
  const handle = await open(path, 'w', 0o600)
  let pending = ''
  let bytes = 0
  const flush = async (): Promise<void> => {
    const data = Buffer.from(pending)
    pending = ''
    bytes += data.length
    await handle.writeFile(data)
  }
  try {
    await work({
      write(text) {
        pending += text
        return pending.length < CHUNK ? undefined : flush()
      },
    })
    await flush()
    await handle.close()
    return bytes
  } catch (error) {
    await handle.close().catch(() => undefined)
    await rm(path, { force: true }).catch(() => undefined)
    throw error
  }
}
