/** Which Footman a command talks to, and with which key. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig } from '../../config/load.ts'
import { createPathResolver } from '../../config/paths.ts'
import { renderProblem, sortProblems } from '../../config/problems.ts'
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
const LOCAL_KEY_FILE = 'local.key'

/** Options win over the environment, and that wins over the configuration file. Throws a `CommandFailure`. */
export async function findPlace(options: PlaceOptions, { env, cwd }: Surroundings): Promise<Place> {
  const key = options.key ?? env.FOOTMAN_KEY ?? null
  const url = options.url ?? env.FOOTMAN_URL
  if (url !== undefined) return { url: checkedUrl(url), key, isOwn: false }
  const file = options.configfile ?? env.FOOTMAN_CONFIGFILE
  if (!file) return { url: DEFAULT_URL, key, isOwn: false }
  const own = await ownPlace(file, { env, cwd })
  return { url: own.url, key: key ?? own.key, isOwn: true }
}

async function ownPlace(file: string, { env, cwd }: Surroundings): Promise<{ url: string; key: string | null }> {
  const overrides = { qlikConnection: false, skipVerification: true }
  const { config, problems, directory } = await loadConfig({ file, env, cwd, overrides })
  if (!config) throw new CommandFailure(EXIT.badInput, file, sortProblems(problems).map(renderProblem).join('\n'))
  const url = restUrl(config)
  if (url === null) {
    throw new CommandFailure(EXIT.badInput, file, 'the REST API is off; set Butler.restServerConfig.enable to true')
  }
  const paths = createPathResolver({ configDirectory: directory, cwd })
  const keyFile = join(paths.data(config.footman.dataDirectory), LOCAL_KEY_FILE)
  // There is one while access control is on, for whoever may read it.
  const key = await readFile(keyFile, 'utf8').catch(() => null)
  return { url, key: key?.trim() ?? null }
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text.replace(/\/+$/, '')
  throw new CommandFailure(EXIT.badInput, '--url', `"${text}" is not an http or https address`)
}
