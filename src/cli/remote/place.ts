/** Which Footman a command talks to, and with which key. */
import { lookup } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { loadConfig } from '../../app/config/load.ts'
import { createPathResolver } from '../../config/paths.ts'
import { renderProblem, sortProblems } from '../../config/problems.ts'
import { LOCAL_KEY_FILE } from '../../http/auth/keys.ts'
import { isOwnAddress } from '../../http/auth/local.ts'
import { plainAddress } from '../../platform/addresses.ts'
import { EXIT } from '../io.ts'
import { restUrl } from '../rest-url.ts'
import { CommandFailure } from './failure.ts'

export interface PlaceOptions {
  readonly url?: string
  readonly key?: string
  readonly configfile?: string
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

export interface Place {
  /** Without a slash at the end. */
  readonly url: string
  readonly key: string | null
  /** The Footman of a configuration file on this machine: it doesn't matter for whom its certificate was made. */
  readonly isOwn: boolean
}

const DEFAULT_URL = 'http://localhost:8080'

/**
 * Options win over the environment, and that wins over the configuration file, which is looked for where `run` would
 * find it. Without a key, a Footman on this machine is called with its local key. Throws a `CommandFailure`.
 */
export async function findPlace(options: PlaceOptions, surroundings: Surroundings): Promise<Place> {
  const { env } = surroundings
  const key = options.key ?? env.FOOTMAN_KEY ?? null
  const given = options.url ?? env.FOOTMAN_URL
  const file = options.configfile ?? env.FOOTMAN_CONFIGFILE
  if (given !== undefined) {
    const url = checkedUrl(given)
    if (key !== null || !(await isThisMachine(url))) return { url, key, isOwn: false }
    // What is wrong with the file is no matter here: only its key is wanted.
    const own = await ownPlace(file, surroundings).catch(() => null)
    return { url, key: own?.key ?? null, isOwn: false }
  }
  const own = await ownPlace(file, surroundings)
  if (!own) return { url: DEFAULT_URL, key, isOwn: false }
  return { url: own.url, key: key ?? own.key, isOwn: true }
}

/** Null when no file was given, and none that can be used stands in the usual places. */
async function ownPlace(
  file: string | undefined,
  { env, cwd }: Surroundings,
): Promise<{ url: string; key: string | null } | null> {
  const overrides = { qlikConnection: false, skipVerification: true }
  const loaded = await loadConfig({ ...(file !== undefined && { file }), env, cwd, overrides })
  const { config, problems, directory } = loaded
  if (!config) {
    if (file === undefined) return null
    throw new CommandFailure(EXIT.badInput, file, sortProblems(problems).map(renderProblem).join('\n'))
  }
  const url = restUrl(config)
  if (url === null) {
    if (file === undefined) return null
    throw new CommandFailure(EXIT.badInput, file, 'the REST API is off; set Butler.restServerConfig.enable to true')
  }
  const paths = createPathResolver({ configDirectory: directory, cwd })
  const keyFile = join(paths.data(config.footman.dataDirectory), LOCAL_KEY_FILE)
  // There is one while access control is on, for whoever may read it.
  const key = await readFile(keyFile, 'utf8').catch(() => null)
  return { url, key: key?.trim() || null }
}

/** The local key opens everything: it is shown to nobody else. */
async function isThisMachine(url: string): Promise<boolean> {
  const host = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')
  if (host === 'localhost') return true
  const address =
    isIP(host) > 0
      ? host
      : await lookup(host).then(
          (found) => found.address,
          () => null,
        )
  return address !== null && isOwnAddress(plainAddress(address))
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text.replace(/\/+$/, '')
  throw new CommandFailure(EXIT.badInput, '--url', `"${text}" is not an http or https address`)
}
