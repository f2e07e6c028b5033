/** `footman check`: the problems of a configuration file. Starts nothing. */

import { lookup } from 'node:dns/promises'
import { constants, existsSync, statSync } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { chatProblems, chatSections } from '../alerts/butler-sections/chat.ts'
import { emailProblems } from '../alerts/butler-sections/email-check.ts'
import { mailsOf } from '../alerts/butler-sections/email-sections.ts'
import { webhookProblems } from '../alerts/butler-sections/webhooks.ts'
import { destinationProblems } from '../alerts/destinations/check.ts'
import { createTemplateEngine } from '../alerts/templates/engine.ts'
import { readTable } from '../app/calendars.ts'
import { missingFiles, namedFiles } from '../app/config/checks/files.ts'
import { type LoadResult, loadConfig } from '../app/config/load.ts'
import { hasWebhook } from '../app/schedule-webhook.ts'
import { type ConfigPaths, createPathResolver, type PathBase } from '../config/paths.ts'
import { consequenceOf, type Problem, renderProblem, sortProblems, switchedOff } from '../config/problems.ts'
import { missingDirectories, missingText } from '../files/approvals.ts'
import { missingLogFolders } from '../files/script-logs.ts'
import { checkPair, readTls } from '../http/tls.ts'
import { createCalendars, createWindows } from '../platform/calendar.ts'
import { readCalendarFile } from '../platform/calendar-files.ts'
import { TextError } from '../platform/encodings.ts'
import { errorText } from '../platform/errors.ts'
import { createZoneTimes } from '../platform/zone-times.ts'
import { checkCertificates, readCertificates } from '../qlik/qrs/certificates.ts'
import { checkScheduleFile } from '../tasks/schedule/check.ts'
import { createPlanner } from '../tasks/schedule/plan.ts'
import type { OptionsOf } from './command.ts'
import type { CHECK } from './commands.ts'
import { type CommandIo, EXIT } from './io.ts'

interface CheckSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly execPath: string
}

/** Prints every problem. Returns 1 when one forbids the start, 3 when one switches a feature off, else 0. */
export async function runCheck(
  options: Partial<OptionsOf<typeof CHECK>>,
  io: CommandIo,
  { env, cwd, execPath }: CheckSurroundings = { env: process.env, cwd: process.cwd(), execPath: process.execPath },
): Promise<number> {
  const file = options.configfile ?? env.FOOTMAN_CONFIGFILE
  const overrides = { qlikConnection: options.qsConnection !== false }
  const result = await loadConfig({ ...(file ? { file } : {}), env, cwd, overrides })
  const paths = createPathResolver({ configDirectory: result.directory, cwd, execPath })
  // The doctor examines these files with the other key pairs.
  const problems = sortProblems([...(await inspect(result, paths)), ...(await ofServer(result, paths))])
  const resolved = options.json || options.paths ? resolvedPaths(result, paths) : []
  const off = switchedOff(problems)
  const starts = !problems.some((problem) => consequenceOf(problem) === 'forbids-start')
  if (options.json) {
    const listed = problems.map((problem) => ({ ...problem, consequence: consequenceOf(problem) }))
    const valid = starts && off.length === 0
    io.out(JSON.stringify({ file: result.file, valid, starts, off, problems: listed, paths: resolved }, null, 2))
  } else {
    for (const problem of problems) io.out(renderProblem(problem))
    if (options.paths) for (const line of pathLines(resolved)) io.out(line)
    io.out(summary(result.file ?? file ?? 'configuration', problems))
  }
  if (!starts) return EXIT.badInput
  return off.length > 0 ? EXIT.missing : EXIT.ok
}

function summary(file: string, problems: readonly Problem[]): string {
  const count = (severity: Problem['severity'], what: string) => {
    const found = problems.filter((problem) => problem.severity === severity).length
    return `${found} ${what}${found === 1 ? '' : 's'}`
  }
  const off = switchedOff(problems)
  const stays = off.length === 0 ? '' : `, ${off.join(', ')} off`
  const starts = !problems.some((problem) => consequenceOf(problem) === 'forbids-start')
  const verdict = starts ? (off.length === 0 ? 'valid' : 'starts') : 'not valid'
  return `${file}: ${verdict}${stays}, ${count('error', 'error')}, ${count('warning', 'warning')}`
}

/** A file or folder that the configuration names. */
interface ResolvedPath {
  /** `Butler.cert.clientCert`; empty for the configuration file itself. */
  readonly key: string
  /** Absolute: the path that exists, or the first one at which it is looked for. */
  readonly path: string
  readonly exists: boolean
  /** Every place at which it is looked for, in this order. */
  readonly tried: readonly string[]
}

/** Every file and folder that the features in use read or write, and where it leads. */
function resolvedPaths({ config, file, qlikConnection }: LoadResult, paths: ConfigPaths): readonly ResolvedPath[] {
  if (!config) return []
  const { footman, scheduler, scriptLog } = config
  const found = (key: string, tried: readonly string[]): ResolvedPath => {
    const path = tried.find(existsSync)
    return { key: key && `Butler.${key}`, path: path ?? tried[0]!, exists: path !== undefined, tried }
  }
  const input = (key: string, path: string, base?: PathBase) =>
    path === '' ? [] : [found(key, paths.candidates(path, base))]
  const engine = createTemplateEngine({
    candidates: (path) => paths.candidates(path),
    templateDirectory: footman.templateDirectory,
  })
  const key = (place: string) => place.replace(/^Butler\./, '')
  const mails = mailsOf(config).filter(({ on, settings }) => on && settings.bodyFileDirectory !== '')
  const chats = (['slack', 'teams'] as const).flatMap((channel) => chatSections(config, channel))
  const { clientManaged, qsCloud } = scriptLog.storeOnDisk
  const logs = [
    ['scriptLog.storeOnDisk.clientManaged.reloadTaskFailure', clientManaged.reloadTaskFailure],
    ['scriptLog.storeOnDisk.qsCloud.appReloadFailure', qsCloud.appReloadFailure],
  ] as const
  return [
    ...(file === null ? [] : [found('', [file])]),
    found('footman.dataDirectory', [paths.data(footman.dataDirectory)]),
    ...(config.fileLogging ? [found('logDirectory', [paths.output(config.logDirectory, 'program')])] : []),
    ...namedFiles(config, qlikConnection).flatMap(({ key, path, base }) => input(key, path, base)),
    ...(scheduler.enable ? input('scheduler.configfile', scheduler.configfile) : []),
    ...Object.entries(footman.calendars).flatMap(([name, { file: calendar = '' }]) =>
      input(`footman.calendars.${name}.file`, calendar),
    ),
    ...mails.map(({ place, settings }) =>
      found(`${key(place)}.bodyFileDirectory`, engine.searched(settings.bodyFileDirectory)),
    ),
    ...chats.flatMap(({ place, settings }) =>
      settings.messageType !== 'basic' && settings.templateFile
        ? [found(`${key(place)}.templateFile`, engine.searched(settings.templateFile, true))]
        : [],
    ),
    ...input('footman.templateDirectory', footman.templateDirectory).filter(
      ({ exists }) => exists || footman.templateDirectory !== DEFAULT_TEMPLATES,
    ),
    ...logs.flatMap(([place, { enable, logDirectory }]) =>
      enable ? [found(`${place}.logDirectory`, [paths.output(logDirectory)])] : [],
    ),
  ]
}

/** A row for each path: its state, the path, and its key. */
function pathLines(resolved: readonly ResolvedPath[]): readonly string[] {
  return resolved.map(({ key, path, exists }) => `${exists ? 'exists ' : 'missing'}  ${path}${key && `  (${key})`}`)
}

/**
 * Problems of the file and of the files that it names, errors first. Opens no connection. `footman doctor` uses it too.
 */
export async function inspect(loaded: LoadResult, paths: ConfigPaths): Promise<readonly Problem[]> {
  const found = await Promise.all([
    ofFiles(loaded, paths),
    ofSchedules(loaded, paths),
    ofCalendars(loaded, paths),
    ofDirectories(loaded),
    ofDataDirectory(loaded, paths),
    ofReports(loaded, paths),
  ])
  return sortProblems(withoutRepetitions([...loaded.problems, ...found.flat()]))
}

/** Those problems that neither the loader nor a part of Footman logs at a start. Looks the mail server's name up. */
export async function problemsAfterStart(loaded: LoadResult, paths: ConfigPaths): Promise<readonly Problem[]> {
  const found = await Promise.all([ofFiles(loaded, paths), ofMailServer(loaded)])
  const all = withoutRepetitions([...loaded.problems, ...found.flat()])
  return sortProblems(all.filter((problem) => !loaded.problems.includes(problem)))
}

/** Certificates and templates. */
async function ofFiles(loaded: LoadResult, paths: ConfigPaths): Promise<Problem[]> {
  const found = await Promise.all([
    missing(loaded, paths),
    sendsMessages(loaded) ? ofMessages(loaded, paths) : [],
    ofCertificates(loaded, paths),
    templateDirectory(loaded, paths),
  ])
  return found.flat()
}

/** The graver of two problems about one value stays; a place may hold several problems of one kind. */
function withoutRepetitions(problems: readonly Problem[]): readonly Problem[] {
  const refused = new Set(problems.filter(({ severity }) => severity === 'error').map(({ path }) => path))
  return problems.filter(({ severity, path }) => severity !== 'warning' || path === '' || !refused.has(path))
}

function missing({ config, qlikConnection, placeOf }: LoadResult, paths: ConfigPaths): Problem[] {
  if (!config) return []
  return missingFiles(config, qlikConnection, paths, existsSync).map(({ key, path, feature, tried }) => ({
    severity: 'error',
    path: `Butler.${key}`,
    ...(feature !== null && { feature: `Butler.${feature}` }),
    message: `the file "${path}" does not exist; tried ${tried.join(', ')}`,
    hint: 'check the path, or write an absolute one',
    ...placeOf(key),
  }))
}

/** Nothing is rendered, and no template engine loaded, for a configuration that sends no message. */
function sendsMessages({ config }: LoadResult): boolean {
  if (!config) return false
  const { emailNotification, slackNotification, teamsNotification, webhookNotification, footman } = config
  const sections = [emailNotification, slackNotification, teamsNotification, webhookNotification]
  return sections.some(({ enable }) => enable) || Object.keys(footman.destinations).length > 0
}

/** Templates, addresses and webhooks, as far as they can be judged without sending anything. */
async function ofMessages({ config, placeOf }: LoadResult, paths: ConfigPaths): Promise<Problem[]> {
  if (!config) return []
  const { templateDirectory } = config.footman
  const engine = createTemplateEngine({ candidates: (path) => paths.candidates(path), templateDirectory })
  const templates = await Promise.all([
    emailProblems(engine, config),
    chatProblems(engine, config),
    destinationProblems(engine, config),
  ])
  const found = [...templates.flat(), ...webhookProblems(config)]
  return found.map((problem) => ({
    ...problem,
    ...leftOut(problem),
    ...placeOf(problem.path.replace(/^Butler\./, '')),
  }))
}

/** A start goes on without what has an error. */
const leftOut = ({ severity, path }: Pick<Problem, 'severity' | 'path'>): { feature?: string } =>
  severity === 'error' ? { feature: path } : {}

/** A folder of this name is optional. */
const DEFAULT_TEMPLATES = 'templates'

/** Without one of its own name the built-in templates are used, which is no mistake. */
function templateDirectory({ config, placeOf }: LoadResult, paths: ConfigPaths): Problem[] {
  const key = 'footman.templateDirectory'
  const directory = config?.footman.templateDirectory ?? ''
  if (directory === '' || directory === DEFAULT_TEMPLATES || paths.candidates(directory).some(existsSync)) return []
  return [
    {
      severity: 'warning',
      path: `Butler.${key}`,
      message: `the folder "${directory}" does not exist; the built-in templates are used`,
      hint: 'make it, or correct the path',
      ...placeOf(key),
    },
  ]
}

/** The files of calendars, as they are read at a start, which goes on without their days. */
async function ofCalendars({ config, placeOf }: LoadResult, paths: ConfigPaths): Promise<Problem[]> {
  const named = Object.entries(config?.footman.calendars ?? {}).filter(([, { file }]) => file !== '')
  const found = named.map(async ([name, { file }]): Promise<Problem[]> => {
    const key = `footman.calendars.${name}.file`
    const path = paths.input(file)
    const common = { severity: 'warning', path: `Butler.${key}` } as const
    if (!existsSync(path)) {
      const tried = paths.candidates(file).join(', ')
      const message = `the calendar has no days, the file "${file}" does not exist; tried ${tried}`
      return [{ ...common, message, hint: 'check the path, or write an absolute one', ...placeOf(key) }]
    }
    try {
      const { warnings, note } = await readCalendarFile(path, readTable)
      const problem = (text: string, hint: string): Problem => ({
        ...common,
        message: `${text} (${path})`,
        hint,
        ...placeOf(key),
      })
      const ofDays = warnings.map((warning) => problem(warning, 'correct the file; its other days count'))
      return note === undefined ? ofDays : [problem(note, 'save the file as UTF-8'), ...ofDays]
    } catch (error) {
      const line = error instanceof TextError ? error.line : 0
      const place = line > 0 ? { file: path, line, column: (error as TextError).column } : placeOf(key)
      const reason = error instanceof TextError ? error.reason : errorText(error)
      const message = `the calendar has no days, its file cannot be used: ${reason}${line > 0 ? '' : ` (${path})`}`
      return [{ ...common, message, hint: CALENDAR_HINT, ...place }]
    }
  })
  return (await Promise.all(found)).flat()
}

const CALENDAR_HINT =
  'write a date like 2026-12-24 in each line: "- 2026-12-24" in .yaml, 2026-12-24 or 24.12.2026 in the first column of .csv or .xlsx; or name an .ics file'

/** The schedule file, as the scheduler reads it. */
async function ofSchedules({ config, placeOf }: LoadResult, paths: ConfigPaths): Promise<Problem[]> {
  if (!config?.scheduler.enable) return []
  const { footman } = config
  const file = paths.input(config.scheduler.configfile)
  const calendars = createCalendars({ calendars: footman.calendars })
  const windows = createWindows({ windows: footman.windows, calendars, timezone: footman.timezone })
  const found = await checkScheduleFile(
    file,
    createPlanner({ windows, calendars, hasWebhook: (name) => hasWebhook(config, name) }, footman.scheduler),
  )
  return found.map((finding) => {
    const feature = finding.path.replace(/\].*$/, ']') || 'Butler.scheduler'
    const stays = finding.severity === 'error' ? { feature } : {}
    if (finding.line > 0) return { ...finding, ...stays, file, column: 1 }
    const { path, message, ...rest } = finding
    const about = path === '' ? '' : `${path}: `
    return {
      ...rest,
      ...stays,
      path: 'Butler.scheduler.configfile',
      message: `${about}${message} (${file})`,
      ...placeOf('scheduler.configfile'),
    }
  })
}

/** Missing approved directories, except those whose paths are reported as wrong already. */
async function ofDirectories({ config, problems, placeOf }: LoadResult): Promise<Problem[]> {
  if (!config) return []
  const missing = [
    ...(config.restServerConfig.enable ? await missingDirectories(config) : []),
    ...(await missingLogFolders(config.footman.scriptLogs.folders)),
  ]
  const known = (key: string) => problems.some(({ path }) => path === `Butler.${key}`)
  return missing
    .filter(({ key }) => !known(key))
    .map((one) => ({
      severity: 'warning',
      path: `Butler.${one.key}`,
      message: missingText(one),
      hint: isForeign(one.path)
        ? 'mount the share and name the folder where it is mounted'
        : 'make it, or correct the path',
      ...placeOf(one.key),
    }))
}

/**
 * A file in the way forbids every start. Missing rights are a warning: Footman may run under another account than this
 * command. Nothing is written.
 */
async function ofDataDirectory({ config, placeOf }: LoadResult, paths: ConfigPaths): Promise<Problem[]> {
  if (!config) return []
  const key = 'footman.dataDirectory'
  const path = paths.data(config.footman.dataDirectory)
  const above = nearestExisting(path)
  const common = { path: `Butler.${key}`, ...placeOf(key) }
  const name = `the data directory "${path}"`
  if (!statSync(above).isDirectory()) {
    const hint = 'name a folder, or move the file away'
    return [{ ...common, severity: 'error', message: `${name} cannot be made: ${above} is a file`, hint }]
  }
  return access(above, constants.W_OK).then(
    () => [],
    () => [
      {
        ...common,
        severity: 'warning',
        message: `${name} cannot be written by this account; Footman starts only under one that can write there`,
        hint: 'give the account of Footman the right to write there, or name another folder',
      },
    ],
  )
}

function nearestExisting(path: string): string {
  const parent = dirname(path)
  return existsSync(path) || parent === path ? path : nearestExisting(parent)
}

/** Folders and fonts of report tasks. Reports that do not use them are made without them. */
async function ofReports({ config, placeOf }: LoadResult, paths: ConfigPaths): Promise<Problem[]> {
  const { enable, storageSpaces, fonts } = config?.footman.reportTask ?? {}
  if (!enable || !storageSpaces || !fonts) return []
  const warning = (path: string, message: string, hint: string): Problem => {
    const key = `footman.reportTask.${path}`
    return { severity: 'warning', path: `Butler.${key}`, message, hint, ...placeOf(key) }
  }
  const found = storageSpaces.flatMap(({ directory }, index) =>
    directory === '' || existsSync(directory)
      ? []
      : [
          warning(
            `storageSpaces[${index}].directory`,
            `the folder "${directory}" does not exist; reports for it fail`,
            isForeign(directory)
              ? 'mount the share and name the folder where it is mounted'
              : 'make it, or correct the path',
          ),
        ],
  )
  if (fonts.length === 0) return found
  const { loadFonts } = await import('../reports/documents/fonts.ts')
  const files = fonts.map((font) => paths.input(font))
  await loadFonts(files, (path, problem) => {
    const hint = 'name a TrueType or OpenType file (.ttf, .otf, .ttc)'
    found.push(warning(`fonts[${files.indexOf(path)}]`, `is left out, it cannot be read as a font: ${problem}`, hint))
  })
  return found
}

/** A name that cannot be resolved: mails wait until it can. */
async function ofMailServer({ config, placeOf }: LoadResult): Promise<Problem[]> {
  const { enable, smtp } = config?.emailNotification ?? {}
  if (!enable || !smtp?.host) return []
  const key = 'emailNotification.smtp.host'
  return lookup(smtp.host).then(
    () => [],
    () => [
      {
        severity: 'warning',
        path: `Butler.${key}`,
        message: `the name ${smtp.host} cannot be resolved; mails wait until it can`,
        hint: 'correct it; "footman doctor" tests the mail server',
        ...placeOf(key),
      },
    ],
  )
}

/** A drive or share of Windows, and this is not Windows. */
function isForeign(path: string): boolean {
  return process.platform !== 'win32' && /^([a-z]:[\\/]|\\\\)/i.test(path)
}

/** Checks format, validity and key of the certificates for Qlik Sense. Missing files are reported by `missing`. */
async function ofCertificates({ config, qlikConnection, placeOf }: LoadResult, paths: ConfigPaths): Promise<Problem[]> {
  if (!config || !qlikConnection) return []
  const { clientCert, clientCertKey, clientCertCA } = config.cert
  const input = (path: string) => paths.input(path, 'program')
  const files = {
    clientCert: input(clientCert),
    clientCertKey: input(clientCertKey),
    clientCertCA: input(clientCertCA),
  }
  const pems = await readCertificates(files).catch(() => null)
  if (!pems) return []
  const { problems, warnings } = checkCertificates(pems, Date.now(), createZoneTimes(config.footman.timezone))
  const problem = (severity: 'error' | 'warning') => (message: string) => ({
    severity,
    path: 'Butler.cert',
    ...(severity === 'error' && { feature: 'Butler.configQRS' }),
    message: `${message} (${Object.values(files).join(', ')})`,
    hint: 'export the certificates from the QMC again: PEM format, no password, with the secret key',
    ...placeOf('cert'),
  })
  return [...problems.map(problem('error')), ...warnings.map(problem('warning'))]
}

/** Certificate and key of the REST server, which forbid a start when they cannot be used. Missing files are reported by `missing`. */
async function ofServer({ config, placeOf }: LoadResult, paths: ConfigPaths): Promise<Problem[]> {
  const { enable, tls } = config?.restServerConfig ?? {}
  if (!config || !enable || !tls?.enable) return []
  const { access: rights } = config.footman
  const clients = rights.enable ? rights.clientCertificates : undefined
  const named = [tls.cert, tls.key, tls.ca, clients?.caFile ?? ''].filter((path) => path !== '')
  if (!named.every((path) => paths.candidates(path).some(existsSync))) return []
  try {
    checkPair(await readTls({ ...tls, clients }, (path) => readFile(paths.input(path), 'utf8')))
    return []
  } catch (error) {
    const message = `the TLS files of the REST server cannot be used: ${errorText(error)}`
    const hint = 'name a certificate and its key in PEM format, without a password'
    return [
      { severity: 'error', path: 'Butler.restServerConfig.tls', message, hint, ...placeOf('restServerConfig.tls') },
    ]
  }
}
