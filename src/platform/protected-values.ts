/**
 * Secrets as files that Windows has encrypted for this computer (`%ProgramData%\Footman\credentials\NAME.dpapi`).
 *
 * The administrator stores them under one account and the service reads them under another, so they are protected for
 * the computer, not for a user: any program on it could decrypt them. The permissions of each file allow only the system,
 * administrators and the named account of the service to read it. The name is part of the encryption, so that a value cannot
 * be used under another name.
 */
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createDataProtection, type DataProtection } from './dpapi.ts'
import { restrictDirectory, writePrivateFile } from './private-file.ts'

export interface ProtectedValue {
  readonly name: string
  /** When it was set, milliseconds since 1970. */
  readonly setAt: number
}

export interface ProtectedValues {
  readonly directory: string
  /** `readers`: Windows accounts that may read it beside the system, administrators and this account. */
  set(name: string, value: string, readers: readonly string[]): Promise<void>
  /** Null when there is none of that name. Rejects when it cannot be read or decrypted. */
  get(name: string): Promise<string | null>
  list(): Promise<readonly ProtectedValue[]>
  /** False when there was none. */
  remove(name: string): Promise<boolean>
}

const EXTENSION = '.dpapi'
const VERSION = 1

/** Safe as a file name everywhere, as systemd has them too; no name of a Windows device, no dot at the start. */
export function isCredentialName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name) && !/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(name)
}

/** Null when the system has no data protection. */
export function protectedValuesOf(env: Environment): ProtectedValues | null {
  const protection = createDataProtection()
  if (!protection) return null
  return createProtectedValues({ protection }, protectedDirectory(env))
}

type Environment = Readonly<Record<string, string | undefined>>

const protectedDirectory = (env: Environment): string =>
  join(env.ProgramData ?? env.PROGRAMDATA ?? 'C:\\ProgramData', 'Footman', 'credentials')

/** Path of the protected value of this name. */
export const protectedFile = (env: Environment, name: string): string =>
  join(protectedDirectory(env), `${name}${EXTENSION}`)

export function createProtectedValues(
  { protection }: { readonly protection: DataProtection },
  directory: string,
): ProtectedValues {
  const pathOf = (name: string): string => {
    if (!isCredentialName(name)) throw new TypeError(`"${name}" is not the name of a credential`)
    return join(directory, `${name}${EXTENSION}`)
  }
  const entropyOf = (name: string) => new TextEncoder().encode(`Footman credential ${VERSION} ${name.toLowerCase()}`)

  return {
    directory,
    async set(name, value, readers) {
      const path = pathOf(name)
      const sealed = await protection.protect(new TextEncoder().encode(value), entropyOf(name))
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await restrictDirectory(directory)
      const content = { version: VERSION, protected: Buffer.from(sealed).toString('base64') }
      await writePrivateFile(path, `${JSON.stringify(content)}\n`, { readers })
    },
    async get(name) {
      const text = await readFile(pathOf(name), 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null
        throw error
      })
      if (text === null) return null
      return new TextDecoder().decode(await protection.unprotect(sealedIn(text), entropyOf(name)))
    },
    async list() {
      const names = await readdir(directory).catch(() => [])
      const found = names.filter((file) => file.endsWith(EXTENSION)).sort()
      return Promise.all(
        found.map(async (file) => ({
          name: file.slice(0, -EXTENSION.length),
          setAt: (await stat(join(directory, file))).mtimeMs,
        })),
      )
    },
    async remove(name) {
      return rm(pathOf(name)).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return false
          throw error
        },
      )
    },
  }
}

function sealedIn(text: string): Uint8Array {
  try {
    const content = JSON.parse(text) as { readonly version?: unknown; readonly protected?: unknown }
    if (content.version === VERSION && typeof content.protected === 'string') {
      return new Uint8Array(Buffer.from(content.protected, 'base64'))
    }
  } catch {
    // Reported below.
  }
  throw new Error('the file of the protected value is damaged, or of a newer Footman')
}
