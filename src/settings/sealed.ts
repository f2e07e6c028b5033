/**
 * Secrets of stored settings, encrypted one by one (AES-256-GCM). The key lies in the data directory, readable by the account of
 * the service only, on Windows protected for this computer as well; the nodes of a cluster take theirs from
 * `Butler.footman.settings.key`, as they read the same rows.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createDataProtection } from '../platform/dpapi.ts'
import { writePrivateFile } from '../platform/private-file.ts'

export interface Sealer {
  /** `place` is part of the encryption: the text can be opened under it alone. */
  seal(secret: string, place: string): string
  /** Null when another key, another place, or damage prevents it. */
  open(sealed: string, place: string): string | null
}

const MARK = 'sealed:1:'
const [IV_BYTES, TAG_BYTES, KEY_BYTES] = [12, 16, 32]

/** Whether a stored text is an encrypted secret. */
export const isSealed = (value: string): boolean => value.startsWith(MARK)

/** Whether a text in JSON may be an encrypted secret, or hold one. */
export const mayHoldSealed = (json: string): boolean => json.includes(MARK)

export function createSealer(key: Uint8Array): Sealer {
  return {
    seal(secret, place) {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(place))
      const body = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
      return MARK + Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64')
    },
    open(sealed, place) {
      const bytes = Buffer.from(sealed.slice(MARK.length), 'base64')
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES))
          .setAAD(Buffer.from(place))
          .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
        return decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
      } catch {
        return null
      }
    },
  }
}

export interface KeySettings {
  readonly dataDirectory: string
  /** `Butler.footman.settings.key`; '' = the key of the data directory. */
  readonly key: string
}

/** 32 bytes of the text of the configuration. */
const derived = (text: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', text, '', 'footman settings', KEY_BYTES))

const ENTROPY = new TextEncoder().encode('Footman settings key 1')
const fileIn = (dataDirectory: string): string => join(dataDirectory, 'settings.key')

/**
 * Null when there is no key, or it cannot be read now: what was sealed with it cannot be opened then. Never rejects.
 */
export const readSealer = (settings: KeySettings): Promise<Sealer | null> => sealerIn(settings).catch(() => null)

/** Null when there is no key yet. Rejects when the one that is there cannot be read. */
async function sealerIn({ dataDirectory, key }: KeySettings): Promise<Sealer | null> {
  if (key !== '') return createSealer(derived(key))
  const file = fileIn(dataDirectory)
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  const bytes = Buffer.from(text, 'base64')
  const protection = createDataProtection()
  const plain = protection ? await protection.unprotect(bytes, ENTROPY) : bytes
  if (plain.length === KEY_BYTES) return createSealer(plain)
  throw new Error(`${file} is damaged. Put it back from a backup, or remove it and enter the secrets again`)
}

/** Makes the key when there is none. Rejects when it cannot be written, or the one that is there cannot be read. */
export async function openSealer(settings: KeySettings): Promise<Sealer> {
  const found = await sealerIn(settings)
  if (found) return found
  const key = new Uint8Array(randomBytes(KEY_BYTES))
  const protection = createDataProtection()
  const kept = protection ? await protection.protect(key, ENTROPY) : key
  await writePrivateFile(fileIn(settings.dataDirectory), `${Buffer.from(kept).toString('base64')}\n`, {
    replace: false,
  })
  return createSealer(key)
}
