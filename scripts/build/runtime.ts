/** The Bun of another platform, from its npm package, checked against package-lock.json. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import lock from '../../package-lock.json' with { type: 'json' }
import { root } from './identity.ts'
import type { Target } from './targets.ts'

const CACHE = join(root, 'node_modules', '.cache', 'footman')
const FETCH_TIMEOUT_MS = 5 * 60_000

interface LockEntry {
  readonly version: string
  readonly integrity?: string
}

/** Path of the runtime that the executable of `target` begins with; fetched once. Throws with the fix when it cannot be downloaded. */
export async function fetchRuntime({ runtime, windows }: Target): Promise<string> {
  const entry = (lock.packages as Readonly<Record<string, Partial<LockEntry>>>)[`node_modules/${runtime}`]
  if (!entry?.version || !entry.integrity) throw new Error(`package-lock.json has no checksum of ${runtime}`)
  const file = join(CACHE, `${runtime.replace('@oven/', '')}-${entry.version}${windows ? '.exe' : ''}`)
  if (existsSync(file)) return file

  mkdirSync(CACHE, { recursive: true })
  const workshop = mkdtempSync(join(CACHE, 'fetch-'))
  try {
    const packed = pack(`${runtime}@${entry.version}`, workshop)
    checkIntegrity(packed, entry.integrity, runtime)
    await new Bun.Archive(packed).extract(workshop)
    const unpacked = join(workshop, 'package', 'bin', windows ? 'bun.exe' : 'bun')
    if (!existsSync(unpacked))
      throw new Error(`${runtime} ${entry.version} holds no ${unpacked.slice(workshop.length)}`)
    chmodSync(unpacked, 0o755)
    renameSync(unpacked, file)
    return file
  } finally {
    rmSync(workshop, { recursive: true, force: true })
  }
}

/** The package as npm has it: from its cache, else from the registry. */
function pack(specification: string, directory: string): Buffer {
  // npm is a command file on Windows, which only a shell can start; it writes into the working directory.
  const { status, stderr } = spawnSync('npm', ['pack', '--prefer-offline', '--loglevel=error', specification], {
    cwd: directory,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    timeout: FETCH_TIMEOUT_MS,
  })
  if (status !== 0) {
    const reason = stderr?.trim().split('\n').slice(0, 4).join('\n') || 'no answer within 5 minutes'
    throw new Error(
      `npm could not fetch ${specification}, the runtime of that platform. ` +
        `Check the connection to the npm registry and try again.\n${reason}`,
    )
  }
  const packed = readdirSync(directory).find((name) => name.endsWith('.tgz'))
  if (!packed) throw new Error(`npm fetched no package for ${specification}`)
  return readFileSync(join(directory, packed))
}

/** `integrity` as npm writes it: `sha512-<base64>`. Throws when the bytes are others. */
export function checkIntegrity(bytes: Uint8Array, integrity: string, name: string): void {
  const [algorithm = '', expected] = integrity.split(/-(.*)/)
  const found = createHash(algorithm).update(bytes).digest('base64')
  if (found === expected) return
  throw new Error(`${name} is not what package-lock.json says: ${algorithm} ${found} instead of ${expected}`)
}
