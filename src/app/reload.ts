/** Applies a changed configuration file while Footman runs: all live settings, or none of them. */
import { stat } from 'node:fs/promises'
import { differences } from '../config/diff.ts'
import { logLineOf, type Problem, renderProblem } from '../config/problems.ts'
import { RELOAD_CONFIG, type ReloadResult } from '../console/contract.ts'
import { type ApiRoute, route } from '../http/endpoint/route.ts'
import { strictBody } from '../http/endpoint/validation.ts'
import { Refusal, refusal } from '../http/errors.ts'
import { errorText } from '../platform/errors.ts'
import { createFileWatch } from '../platform/file-watch.ts'
import type { Use } from '../platform/replaceable.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { entryAt } from '../settings/kinds.ts'
import type { MergedSetting } from '../settings/merge.ts'
import type { OpenedSetting } from '../settings/store.ts'
import { type FollowingPart, graft, isLive, partsConcerned } from './config/live.ts'
import type { LoadOptions, LoadResult } from './config/load.ts'
import { type CurrentConfig, configRoutes } from './current-config.ts'
import type { Topics } from './observers.ts'
import type { Config } from './schema.ts'

/** Where the configuration comes from; without it there is nothing to reload. */
export interface ConfigurationSource {
  /** The result that Footman started with. */
  readonly initial: LoadResult
  /** Reads and checks the file again, with these stored settings. */
  load(settings: readonly OpenedSetting[], without?: LoadOptions['without']): Promise<LoadResult>
  /** Log level, secrets and cluster settings of the new configuration. */
  use(result: LoadResult, config: Config): void
  /** Builds all parts anew with the configuration that `use` got last; `because` ends a sentence of the log. */
  rebuild(because: string): void
}

/**
 * How a part follows the configuration: makes what it needs of the changed settings, and changes nothing before the result
 * is called. Rejects, or throws, when the settings cannot be used.
 */
export type Follow = (next: Config, changed: readonly string[]) => Use | Promise<Use>

/** The log and the cluster belong to the program around the app, see `ConfigurationSource.use`. */
const OUTSIDE = ['log', 'cluster'] as const

export type Following = Readonly<Record<Exclude<FollowingPart, (typeof OUTSIDE)[number]>, Follow>>

const isInside = (part: FollowingPart): part is keyof Following => !OUTSIDE.some((outside) => outside === part)

export interface ConfigReloadDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly source: ConfigurationSource | undefined
  /** `configuration` is called with what is wrong with the file after each reload; null = nothing. */
  readonly on: Pick<Topics, 'configuration'>
  /** The stored settings, as they are now. */
  readonly settings: () => Promise<readonly OpenedSetting[]>
}

export interface ConfigReload {
  /** In use now. */
  readonly config: Config
  readonly routes: readonly ApiRoute[]
  /** From now on these parts take changed settings into use. */
  follow(parts: Following): void
  /** The watch of the file, when that is wanted. */
  readonly services: readonly Service[]
  /** Rejects with a `Refusal` when the file cannot be used; everything runs on as it did then. */
  reload(options?: { readonly dryRun?: boolean }): Promise<ReloadResult>
  /** Stored settings are changed: as a reload, with those that are to be. */
  change(change: SettingsChange): Promise<ChangedConfig>
  /** The load that the configuration in use was made of; null = there is no file. */
  readonly latest: LoadResult | null
}

/** The configuration with a change of settings. */
export interface ChangedConfig {
  readonly config: Config
  /** Values to hide. */
  readonly secrets: readonly string[]
  readonly settings: readonly MergedSetting[]
}

/** A change of stored settings between a check of the whole and its use. */
export interface SettingsChange {
  /** Called first, when no other change is under way; throws the refusal of one that comes too late. */
  readonly next: () => Promise<readonly OpenedSetting[]>
  /** Entries that the file is taken not to have in the check; it has them still when the change is made. */
  readonly without?: LoadOptions['without']
  /** Throws when the whole with them is not as it should be. */
  readonly accept: (settings: readonly MergedSetting[], errors: readonly Problem[]) => void
  /** Makes the change; after it everything takes it into use. Absent: it is only tried. */
  readonly commit?: () => Promise<void>
}

interface Issue {
  readonly path: string
  readonly message: string
}

export function createConfigReload(deps: ConfigReloadDeps, startup: Config): ConfigReload {
  const { clock, source } = deps
  const onProblem = deps.on.configuration
  const log = deps.log.child('config')
  let config = startup
  let inUseSince = clock.now()
  let busy: Promise<unknown> = Promise.resolve()
  let following: Following | null = null
  const known = new Set((source?.initial.problems ?? []).map(renderPlace))

  let latest = source?.initial ?? null

  async function read({ load }: ConfigurationSource): Promise<LoadResult & { readonly config: Config }> {
    const result = await load(await deps.settings())
    // Errors that did not prevent the start do not prevent a reload.
    const errors = errorsOf(result.problems).filter((problem) => !result.config || !known.has(renderPlace(problem)))
    if (errors.length > 0 || !result.config) throw invalid(errors.map(issueOf), errors.map(renderProblem))
    return { ...result, config: result.config }
  }

  function compare(found: Config) {
    const next = graft(startup, found)
    const needsRestart = differences(startup, found).filter(({ path }) => !isLive(path))
    return { next, changes: differences(config, next), needsRestart }
  }

  async function reloadNow(from: ConfigurationSource, dryRun: boolean): Promise<ReloadResult> {
    const result = await read(from)
    const { next, changes, needsRestart } = compare(result.config)
    const answer = {
      changed: changes.map(({ path }) => `Butler.${path}`),
      needsRestart: needsRestart.map(({ path }) => `Butler.${path}`),
      dryRun,
      inUseSince: new Date(inUseSince).toISOString(),
    }
    if (dryRun) return answer
    await use(from, result, { next, changes, needsRestart })
    return { ...answer, inUseSince: new Date(inUseSince).toISOString() }
  }

  /** `commit` makes the change last, between what may fail and what cannot. */
  async function use(
    from: ConfigurationSource,
    result: LoadResult,
    { next, changes, needsRestart }: ReturnType<typeof compare>,
    commit: () => Promise<void> = async () => {},
  ): Promise<void> {
    for (const problem of result.problems) if (!known.has(renderPlace(problem))) log.warn(logLineOf(problem))
    const changed = changes.map(({ path }) => path)
    const before = latest
    await apply(next, changed, commit)
    from.use(result, next)
    latest = result
    config = next
    for (const { path, before, after } of changes.flatMap(({ details }) => details)) {
      log.info(`CONFIG: Butler.${path} changed from ${before} to ${after}`)
    }
    if (changes.length > 0) inUseSince = clock.now()
    const anew = needsRestart.filter(({ path }) => isStored(result, path) || isStored(before, path))
    const waiting = needsRestart.filter((one) => !anew.includes(one))
    for (const { path } of waiting) log.warn(`CONFIG: Butler.${path} has changed and needs a restart`)
    log.info(`CONFIG: Reloaded: ${changes.length} settings changed, ${waiting.length} need a restart`)
    if (anew.length > 0) from.rebuild(`${anew.map(({ path }) => `Butler.${path}`).join(', ')} has changed`)
  }

  async function changeNow(
    from: ConfigurationSource,
    { next, accept, without = [], commit }: SettingsChange,
  ): Promise<ChangedConfig> {
    const settings = await next()
    const result = await from.load(settings, without)
    const errors = errorsOf(result.problems).filter((problem) => !result.config || !known.has(renderPlace(problem)))
    accept(result.settings, errors)
    if (!result.config) throw invalid(errors.map(issueOf), errors.map(renderProblem))
    if (commit && without.length > 0) return changeNow(from, { next: async () => settings, accept: () => {}, commit })
    const compared = compare(result.config)
    if (commit) await use(from, result, compared, commit)
    return { config: compared.next, secrets: result.secrets, settings: result.settings }
  }

  /** First everything that may fail, then everything that cannot. */
  async function apply(next: Config, changed: readonly string[], commit: () => Promise<void>): Promise<void> {
    const uses: Use[] = []
    try {
      for (const part of partsConcerned(changed)) {
        if (following && isInside(part)) uses.push(await following[part](next, changed))
      }
    } catch (error) {
      const message = errorText(error)
      throw invalid([{ path: '', message }], [message])
    }
    await commit()
    for (const use of uses) await use()
  }

  function change(wanted: SettingsChange): Promise<ChangedConfig> {
    if (!source)
      return Promise.reject(refusal('SETTINGS_LOCKED', 'There is no configuration file that settings could join'))
    const work = busy.then(() => changeNow(source, wanted))
    busy = work.catch(() => undefined)
    return work
  }

  function reload({ dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<ReloadResult> {
    if (!source)
      return Promise.resolve({ changed: [], needsRestart: [], dryRun, inUseSince: new Date(inUseSince).toISOString() })
    const work = busy.then(() => reloadNow(source, dryRun))
    busy = work.then(
      () => {
        if (!dryRun) onProblem(null)
      },
      (error: unknown) => {
        if (dryRun) return
        const text = error instanceof InvalidFile ? error.lines.join(' ') : String(error)
        log.error(`CONFIG: The configuration file cannot be used, the running configuration stays. ${text}`)
        onProblem(`The changed configuration file cannot be used, the running configuration stays. ${text}`)
      },
    )
    return work
  }

  let looked: { readonly key: string; readonly found: ReturnType<CurrentConfig['look']> } | null = null

  async function lookAt({ load }: ConfigurationSource): ReturnType<CurrentConfig['look']> {
    const { problems, config: found } = await load(await deps.settings())
    if (!found) return { problems, changes: [], needsRestart: [] }
    const { changes, needsRestart } = compare(found)
    return { problems, changes: [...changes, ...needsRestart], needsRestart: needsRestart.map(({ path }) => path) }
  }

  const current: CurrentConfig = {
    file: source?.initial.file ?? null,
    get config() {
      return config
    },
    get inUseSince() {
      return inUseSince
    },
    async look() {
      if (!source) return { problems: [], changes: [], needsRestart: [] }
      // Every page of the console asks, and checking the file takes longer than making the page.
      const { mtimeMs = 0, size = 0 } = (await stat(source.initial.file ?? '').catch(() => null)) ?? {}
      const key = `${mtimeMs} ${size} ${inUseSince}`
      if (looked?.key !== key) looked = { key, found: lookAt(source) }
      return looked.found
    },
  }

  function onFileChange(file: string): Promise<unknown> {
    log.info(`CONFIG: ${file} has changed`)
    return reload().catch(() => undefined)
  }

  const file = source?.initial.file
  return {
    get config() {
      return config
    },
    routes: [reloadRoute(reload), ...configRoutes(current)],
    follow(parts) {
      following = parts
    },
    services: file && startup.footman.watchConfig ? [createFileWatch({ file }, () => onFileChange(file))] : [],
    reload,
    change,
    get latest() {
      return latest
    },
  }
}

/** A setting that people change takes effect without a restart of the process, even where all parts have to be built anew. */
const isStored = (result: LoadResult | null, path: string): boolean =>
  result?.written(path) === true && entryAt(result.placeOf(path).file) !== null

const errorsOf = (problems: readonly Problem[]) => problems.filter(({ severity }) => severity === 'error')
/** The same error on another line is the same error. */
const renderPlace = ({ path, message }: Problem): string => `${path} ${message}`

function issueOf({ path, message, file, line, hint }: Problem): Issue {
  const where = line > 0 ? ` (${file}:${line})` : ''
  return { path, message: `${message}${where}${hint ? `. ${hint}` : ''}` }
}

class InvalidFile extends Refusal {
  readonly lines: readonly string[]

  constructor(refusal: Refusal, issues: readonly Issue[], lines: readonly string[]) {
    super(refusal.status, { ...refusal.body, issues })
    this.lines = lines
  }
}

function invalid(issues: readonly Issue[], lines: readonly string[]): InvalidFile {
  const details = `${lines.join('; ')}. The running configuration stays.`
  return new InvalidFile(refusal('VALIDATION', details, { error: 'Invalid configuration' }), issues, lines)
}

function reloadRoute(reload: ConfigReload['reload']): ApiRoute {
  return route({
    ...RELOAD_CONFIG,
    scope: 'admin',
    action: 'config.reload',
    summary: 'Read the configuration file again',
    description:
      'Rules, destinations, windows, calendars, policies of tasks, monitors, access, limits and log level take effect at once. A file with errors changes nothing.',
    // No body at all is allowed.
    body: undefined,
    readByHandler: () => ({ body: RELOAD_CONFIG.body() }),
    examples: [
      {
        name: 'dry-run',
        body: { dryRun: true },
        status: 200,
        answer: { changed: [], needsRestart: [], dryRun: true, inUseSince: '2026-03-02T06:00:00.000Z' },
      },
    ],
    async handle(request, answer) {
      const { dryRun = false } = strictBody(RELOAD_CONFIG.body(), request.body ?? {})
      const result = await reload({ dryRun })
      request.note({
        detail: `${dryRun ? 'dry run: ' : ''}${result.changed.length} changed, ${result.needsRestart.length} need a restart`,
      })
      return answer(200, result)
    },
  })
}
