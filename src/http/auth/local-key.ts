/** The key of programs on this machine: fresh at every start, in a file that only the service's account may read. */
import { timingSafeEqual } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { writePrivateFile } from '../../platform/private-file.ts'
import type { Logger } from '../../platform/types.ts'
import { hashOfKey, newKey } from './keys.ts'

export const LOCAL_KEY_FILE = 'local.key'

export interface LocalKey {
  matches(presented: string): boolean
  /** Never rejects: without the file the command line has to bring a key of its own. */
  publish(): Promise<void>
  withdraw(): Promise<void>
}

export function createLocalKey(log: Logger, file: string): LocalKey {
  const key = newKey()
  const wanted = Buffer.from(hashOfKey(key))
  return {
    matches: (presented) => timingSafeEqual(wanted, Buffer.from(hashOfKey(presented))),
    async publish() {
      await writePrivateFile(file, `${key}\n`).catch((error: unknown) => {
        log.warn(`ACCESS: The local key could not be written to ${file}: ${(error as Error).message}`)
      })
    },
    withdraw: () => rm(file, { force: true }).catch(() => {}),
  }
}
