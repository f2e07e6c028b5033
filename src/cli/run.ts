/** `footman run`: the product. */
import { arch, hostname, platform, release } from 'node:os'
import { createApp } from '../app/app.ts'
import { buildCluster, resetCluster } from '../app/cluster.ts'
import { type LoadOptions, type LoadResult, loadConfig } from '../app/config/load.ts'
import { upgradeData } from '../app/migrations.ts'
import { loadReports } from '../app/reports.ts'
import type { Config } from '../app/schema.ts'
import type { Cluster } from '../cluster/index.ts'
import type { NewRelicAccountOption, Overrides } from '../config/overrides.ts'
import { type ConfigPaths, createPathResolver } from '../config/paths.ts'
import { logLineOf, renderProblem, sortProblems, switchedOff } from '../config/problems.ts'
import { createIngestHandover } from '../events/ingest/handover.ts'
import { createRestHandover } from '../http/handover.ts'
import type { RunningServer } from '../http/server.ts'
import { errorText, StartError } from '../platform/errors.ts'
import { ensureWritableDirectory } from '../platform/files.ts'
import { lockDirectory } from '../platform/lock.ts'
import { createLogger, type LogService } from '../platform/log.ts'
import { watchProcess } from '../platform/process-events.ts'
import { compileHotCode, releaseMemory } from '../platform/runtime.ts'
import { serviceManager } from '../platform/service-manager.ts'
import { isStorageFailure } from '../platform/sqlite.ts'
import { type Logger, type LogLevel, systemClock } from '../platform/types.ts'
import { COMMIT, VERSION } from '../platform/version.ts'
import type { OpenedSetting } from '../settings/store.ts'
import { type CommandIo, EXIT } from './io.ts'
import { createRestartable, type Restart } from './restartable.ts'
import { closeToOthers } from './service/folders.ts'

export interface RunOptions {
  readonly configfile?: string
  readonly loglevel?: LogLevel
  readonly logLevel?: LogLevel
  readonly newRelicAccountName?: readonly string[]
  readonly newRelicApiKey?: readonly string[]
  readonly newRelicAccountId?: readonly string[]
  readonly testEmailAddress?: string
  readonly testEmailFromAddress?: string
  /** False with `--no-qs-connection`. */
  readonly qsConnection?: boolean
  readonly offline?: boolean
  /** True for the bare flag, which means the default. */
  readonly apiRateLimit?: number | true
  readonly skipConfigVerification?: boolean
  readonly shadow?: boolean
  readonly degraded?: boolean
  readonly clusterReset?: boolean
}

/** By then what the start left behind is garbage, and then what the first look of every monitor did. */
const SETTLED_MS = [2000, 45_000]

/** The files that the configuration names are checked when Footman listens. */
const PROBLEMS_MS = 500

/** Until events arrive, only jobs of every half minute run: compiling them would take 3 MB without a benefit. */
const IDLE_RELUCTANCE = 4
const EVENTS_OF_WORK = 20

/** A process that has stopped ends by itself within milliseconds. */
const ENDED_MS = 2000

/** Runs until a signal asks to stop; resolves with the exit code. */
export async function runFootman(options: RunOptions, io: CommandIo): Promise<number> {
  const overrides = overridesOf(options)
  if (!overrides) {
    io.err(
      'error: Incorrect command line parameters: Number of New Relic account names/IDs/API keys must match. Exiting.',
    )
    return EXIT.badInput
  }
  const load: Loading['load'] = (settings, without) =>
    loadConfig({ file: options.configfile, env: process.env, cwd: process.cwd(), overrides, settings, without })
  const loaded = await load()
  if (!loaded.config) {
    for (const problem of sortProblems(loaded.problems)) io.err(renderProblem(problem))
    return EXIT.badInput
  }
  return runConfigured(loaded.config, { loaded, load }, options)
}

interface Loading {
  readonly loaded: LoadResult
  /** Reads the same file again, in the same way. */
  readonly load: (settings?: readonly OpenedSetting[], without?: LoadOptions['without']) => Promise<LoadResult>
}

async function runConfigured(config: Config, { loaded, load }: Loading, options: RunOptions): Promise<number> {
  const paths = createPathResolver({ configDirectory: loaded.directory, cwd: process.cwd() })
  let { secrets, hosts } = loaded
  const log = loggerOf(
    config,
    { secrets: () => secrets, hosts: () => hosts },
    paths.output(config.logDirectory, 'program'),
  )
  const dataDirectory = paths.data(config.footman.dataDirectory)
  const { grace } = config.footman.shutdown
  const manager = await serviceManager({ log }, process.env)
  let app: ReturnType<typeof createRestartable> | null = null
  let cluster: Cluster | null = null
  let healthOf: () => Readonly<Record<string, string>> = () => ({})
  const events = watchProcess({
    log,
    passes: isStorageFailure,
    async stop() {
      manager.stopping(grace)
      await cluster?.finish()
      await app?.stop(grace)
      // Another node leads as soon as this one has handed over its last rows.
      await cluster?.stop()
    },
    onHangup: () =>
      manager.reloading(async () => {
        log.reopen()
        // Errors of the file have been logged.
        await app?.reload().catch(() => undefined)
      }),
  })
  let latest = loaded
  let seen = 0
  let isLossy = false
  const onEvent = () => {
    seen += 1
    if (seen === EVENTS_OF_WORK) compileHotCode()
  }
  const onFailed = (error: unknown) => {
    tellFailedStart(log, error)
    events.end(EXIT.cannotStart)
  }
  try {
    manager.starting()
    await ensureWritableDirectory(dataDirectory, 'The data directory').catch((error: StartError) => {
      const hint = 'Let the account of Footman write there, or name another folder in Butler.footman.dataDirectory'
      throw new StartError(error.message.replace(/\.$/, ''), { cause: error, hint })
    })
    const lock = lockDirectory(dataDirectory)
    if (process.platform !== 'win32') await keepData(log, dataDirectory)
    logStart(log, config, loaded, { dataDirectory, wanted: options.qsConnection !== false && !options.offline })
    upgradeData({ log, now: Date.now }, dataDirectory)
    if (options.clusterReset) await resetCluster(log, config, dataDirectory)
    const handover = createIngestHandover()
    const restHandover = createRestHandover<RunningServer>()
    let reports = await loadReports(config)
    cluster = await buildCluster(
      {
        log,
        paths,
        clock: systemClock,
        onFatal: onFailed,
        live: () => latest.config ?? config,
        onPart: (because, graceMs) => app?.restart(because, graceMs),
        health: () => healthOf(),
      },
      config,
      dataDirectory,
    )
    const shared = cluster?.attach
    const build = (restart: Restart) => {
      const built = createApp(
        {
          log,
          paths,
          handover,
          reports,
          restHandover,
          ...(shared && { shared }),
          cluster,
          observe: { event: onEvent },
          onGivenUp() {
            isLossy = true
          },
          directory: { claim: lock.renew, onOther: () => restart('its database is another one') },
          configuration: {
            initial: latest,
            load,
            use(result, { logLevel }) {
              latest = result
              // Lines about what was may still come.
              secrets = [...new Set([...secrets, ...result.secrets])]
              hosts = [...new Set([...hosts, ...result.hosts])]
              log.setLevel(logLevel)
            },
            rebuild: (because) => restart(because),
          },
        },
        {
          config: latest.config ?? config,
          dataDirectory,
          shadow: config.footman.shadow,
          qrsConnection: loaded.qlikConnection,
          degraded: options.degraded ?? false,
          apiRateLimit: null,
        },
      )
      healthOf = built.health
      return built
    }
    const handovers = {
      begin() {
        handover.begin()
        restHandover.begin()
      },
      end: async () => void (await Promise.all([handover.end(), restHandover.end()])),
    }
    const prepare = async () => {
      reports = await loadReports(latest.config ?? config)
    }
    app = createRestartable({ log, build, prepare, handover: handovers, onFailed }, { graceMs: grace })
    cluster?.start()
    await app.start()
    manager.ready(statusOf(config))
    manager.watch(app.isAlive)
    if (seen < EVENTS_OF_WORK) compileHotCode(IDLE_RELUCTANCE)
    void testEmail(log, config, options)
    setTimeout(() => void logProblems(log, loaded, paths), PROBLEMS_MS).unref()
    for (const ms of SETTLED_MS) setTimeout(releaseMemory, ms).unref()
    const exitCode = await events.finished
    lock.release()
    log.info('MAIN: Stopped')
    return isLossy && exitCode === EXIT.ok ? EXIT.failed : exitCode
  } catch (error) {
    tellFailedStart(log, error)
    return EXIT.cannotStart
  } finally {
    events.release()
    await manager.close()
    await log.close()
    // A thread that hangs, as on a disk that does not answer, must not keep the process from ending.
    setTimeout(() => process.exit(), ENDED_MS).unref()
  }
}

/** Closes the data directory to other accounts. A directory that stays open is a warning, no reason to stop. */
async function keepData(log: LogService, directory: string): Promise<void> {
  const { foreign, failed } = await closeToOthers(directory)
  if (failed.length > 0) {
    log.warn(
      `MAIN: Other accounts may read ${failed[0]}${failed.length > 1 ? ` and ${failed.length - 1} more` : ''}, and this account may not change that: give everything in ${directory} to it (chown -R)`,
    )
  }
  if (foreign.length > 0) {
    log.warn(
      `MAIN: The data directory ${directory} keeps its rights, as ${foreign[0]} in it is not Footman's. Other accounts can see which files are there, not what is in them. Give Footman a directory of its own`,
    )
  }
}

function tellFailedStart(log: LogService, error: unknown): void {
  if (error instanceof StartError) {
    log.error(`MAIN: Footman cannot start: ${error.message}${error.hint === '' ? '' : `. ${error.hint}.`}`)
    return
  }
  if (isStorageFailure(error)) {
    log.error(
      `MAIN: Footman cannot start: a database in its data directory cannot be used: ${errorText(error)}. Let this account read and write every file there, and look at the disk.`,
    )
    return
  }
  log.error(
    `MAIN: Footman cannot start, and did not expect that: ${String(error)}. If the disk was full or damaged before: move footman.db out of the data directory (or put a backup in its place) and start again.`,
    { fault: error },
  )
}

/** Where it listens, for `systemctl status`. */
function statusOf({ restServerConfig: rest, udpServerConfig: udp, footman }: Config): string {
  const listeners = [
    rest.enable && `REST API on ${rest.serverHost}:${rest.serverPort}`,
    udp.enable && `UDP on ${udp.serverHost}:${udp.portTaskFailure}`,
  ].filter((listener) => listener !== false)
  return `Running${footman.shadow ? ' in shadow mode' : ''}: ${listeners.join(', ') || 'no listeners'}`
}

interface StartFacts {
  readonly dataDirectory: string
  /** Whether a connection to Qlik Sense was asked for. */
  readonly wanted: boolean
}

function logStart(log: LogService, config: Config, loaded: LoadResult, { dataDirectory, wanted }: StartFacts): void {
  const { configQRS, footman } = config
  logBanner(log, {
    logLevel: config.logLevel,
    configFile: loaded.file ?? '',
    dataDirectory,
    nodeName: footman.node.name || hostname(),
    nodeRole: footman.node.role,
    qrs: loaded.qlikConnection ? `${configQRS.useSSL ? 'https' : 'http'}://${configQRS.host}:${configQRS.port}` : null,
    withoutQrs: wanted ? 'errors' : 'option',
    shadow: footman.shadow,
  })
  for (const problem of loaded.problems) log[LEVELS[problem.severity]](logLineOf(problem, true))
  const off = switchedOff(loaded.problems)
  if (off.length > 0) {
    log.error(`CONFIG: Errors in the configuration keep these off: ${off.join(', ')}. "footman check" explains them`)
  }
  if (wanted && !loaded.qlikConnection) log.error(WITHOUT_QRS)
  if (!config.restServerConfig.enable) {
    log.info('MAIN: Will not set up REST server as it is disabled in the config file.')
  }
}

const LEVELS = { error: 'error', warning: 'warn', info: 'info' } as const

/** Logs what `footman check` also finds in the files that the configuration names. */
async function logProblems(log: LogService, loaded: LoadResult, paths: ConfigPaths): Promise<void> {
  try {
    const { problemsAfterStart } = await import('./check.ts')
    const problems = await problemsAfterStart(loaded, paths)
    for (const problem of problems) log[LEVELS[problem.severity]](logLineOf(problem, true))
  } catch (error) {
    log.warn(`CONFIG: The files that the configuration names could not be checked: ${errorText(error)}`)
  }
}

interface Masking {
  readonly secrets: () => readonly string[]
  readonly hosts: () => readonly string[]
}

function loggerOf(config: Config, { secrets, hosts }: Masking, logDirectory: string): LogService {
  const { logging } = config.footman
  return createLogger({
    level: config.logLevel,
    format: logging.format,
    console: true,
    secrets,
    hosts,
    ...(config.fileLogging && {
      file: {
        directory: logDirectory,
        maxFileSize: logging.maxFileSize,
        keepMs: logging.keep,
        maxTotalSize: logging.maxTotalSize,
      },
    }),
  })
}

/** Null when the New Relic lists do not match. */
function overridesOf(options: RunOptions): Overrides | null {
  const accounts = newRelicAccounts(options)
  if (accounts === null) return null
  const { apiRateLimit } = options
  return {
    logLevel: options.loglevel ?? options.logLevel,
    qlikConnection: options.qsConnection !== false && !options.offline,
    skipVerification: options.skipConfigVerification,
    ...(accounts.length > 0 && { newRelicAccounts: accounts }),
    ...(typeof apiRateLimit === 'number' && { apiRateLimit }),
    ...(options.shadow && { shadow: true }),
  }
}

/** One test mail after the start, as the predecessor sends it; the outcome is a line of the log. */
async function testEmail(log: LogService, config: Config, options: RunOptions): Promise<void> {
  const { testEmailAddress: to, testEmailFromAddress: from } = options
  if (!to) return
  if (!config.emailNotification.enable) {
    log.error('[QSEOW] EMAIL CONFIG: SMTP notifications are disabled in config file - will not send email')
    return
  }
  if (config.footman.shadow) {
    log.warn('[QSEOW] EMAIL CONFIG: Shadow mode: the test mail is not sent')
    return
  }
  const { sendTestEmail } = await import('../alerts/destinations/email/test-email.ts')
  const { accepted, answer } = await sendTestEmail(config, { to, ...(from && { from }) })
  if (accepted) log.info(`[QSEOW] EMAIL CONFIG: Test mail to ${to} was accepted: ${answer}`)
  else log.error(`[QSEOW] EMAIL CONFIG: Test mail to ${to} was not sent: ${answer}`)
}

interface BannerFacts {
  readonly logLevel: string
  readonly configFile: string
  readonly dataDirectory: string
  readonly nodeName: string
  readonly nodeRole: string
  /** Null when there is no connection to Qlik Sense. */
  readonly qrs: string | null
  /** Reason for the missing connection: the option --no-qs-connection, or errors in its settings. */
  readonly withoutQrs: 'option' | 'errors'
  readonly shadow: boolean
}

const RULE = '--------------------------------------'
const LABEL_WIDTH = 18

/** Logged after the errors that explain it. */
const WITHOUT_QRS =
  'MAIN: Footman goes on in spite of the errors above, without a connection to Qlik Sense, as its settings cannot be used. Correct them and start again.'

/** The first lines of the log. */
function logBanner(log: Logger, facts: BannerFacts): void {
  const line = (label: string, value: string) => log.info(`${label.padEnd(LABEL_WIDTH)}: ${value}`)
  log.info(RULE)
  log.info('Starting Footman')
  line('Log level', facts.logLevel)
  line('App version', `${VERSION} (${COMMIT})`)
  line('Platform', `${platform()} ${release()}, ${arch()}`)
  line('Process id', String(process.pid))
  line('Node', `${facts.nodeName} (${facts.nodeRole})`)
  line('Config file', facts.configFile)
  line('Data directory', facts.dataDirectory)
  if (facts.qrs) line('Repository', facts.qrs)
  else if (facts.withoutQrs === 'option') log.info('Qlik Sense connection disabled (--no-qs-connection)')
  else line('Repository', 'no connection, its settings have errors')
  log.info(RULE)
  if (facts.shadow) log.warn('SHADOW MODE: everything is received and recorded, nothing is sent and nothing is started')
}

interface NewRelicOptions {
  readonly newRelicAccountName?: readonly string[]
  readonly newRelicApiKey?: readonly string[]
  readonly newRelicAccountId?: readonly string[]
}

/** Name of the only account in versions before 8.3. */
const ONLY_ACCOUNT = 'default'

/** New Relic accounts of the options, empty without them; null when the lists have different lengths. */
function newRelicAccounts(options: NewRelicOptions): readonly NewRelicAccountOption[] | null {
  const keys = options.newRelicApiKey ?? []
  const ids = options.newRelicAccountId ?? []
  const names = options.newRelicAccountName ?? (keys.length === 1 ? [ONLY_ACCOUNT] : [])
  if (names.length !== keys.length || keys.length !== ids.length) return null
  return names.map((accountName, index) => ({
    accountName,
    insertApiKey: keys[index]!,
    accountId: ids[index]!,
  }))
}
