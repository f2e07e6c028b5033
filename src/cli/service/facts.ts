/** The facts of a service entry, read from a configuration file. */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { namedFiles } from '../../app/config/checks/files.ts'
import { type LoadResult, loadConfig } from '../../app/config/load.ts'
import type { Config } from '../../app/schema.ts'
import { credentialsIn, filesIn, MAPPING_FILE } from '../../config/external.ts'
import { type ConfigPaths, createPathResolver } from '../../config/paths.ts'
import { createProblemList, type Problem, renderProblem, sortProblems } from '../../config/problems.ts'
import { readYaml } from '../../config/yaml.ts'
import { isLoopback } from '../../platform/addresses.ts'
import { lenientText } from '../../platform/encodings.ts'
import { isCredentialName } from '../../platform/protected-values.ts'
import { EXIT } from '../io.ts'
import { ServiceError, type ServiceFacts, type ServiceHost, type ServicePort } from './host.ts'

interface FactsOptions {
  readonly name: string
  readonly configfile?: string | undefined
}

/** Rejects with a `ServiceError` when there is no configuration that a service could run with. */
export async function serviceFacts(host: ServiceHost, { name, configfile }: FactsOptions): Promise<ServiceFacts> {
  const workingDirectory = dirname(host.script ?? host.execPath)
  const usable = await usableConfig(host, configfile ?? host.env.FOOTMAN_CONFIGFILE)
  const { config, file, directory, variables } = usable
  const paths = createPathResolver({ configDirectory: directory, cwd: workingDirectory, execPath: host.execPath })
  const dataDirectory = plain(host, paths.data(config.footman.dataDirectory))
  const logDirectory = config.fileLogging ? plain(host, paths.output(config.logDirectory, 'program')) : null
  const schedules = scheduleFile(config, paths)
  const { credentials, files } = await outsideOf(file, directory)
  return {
    name,
    command: [host.execPath, ...(host.script ? [host.script] : []), 'run', '-c', file],
    configFile: file,
    workingDirectory,
    dataDirectory,
    logDirectory,
    outputDirectory: logDirectory ?? join(workingDirectory, 'log'),
    scheduleFile: schedules && plain(host, schedules),
    writable: others(
      [dataDirectory, logDirectory, schedules && dirname(schedules)],
      writableFolders(config, paths).map((path) => plain(host, path)),
    ),
    readable: others(
      [file],
      [...mappingFiles(directory), ...files, ...certificateFiles(config, usable.qlikConnection, paths)],
    ),
    writesAnywhere: config.footman.files.createDirAllowAnywhere,
    ports: reachablePorts(config),
    listensOn: listeners(config).map(({ port }) => port),
    graceMs: config.footman.shutdown.grace,
    credentials,
    variables,
  }
}

/** Without `..` and slashes too many, which would hide what a path is; those of Windows stay as they are elsewhere. */
const plain = ({ cwd }: ServiceHost, path: string): string =>
  /^(?:[A-Za-z]:|\\\\)/.test(path) ? path : resolve(cwd, path)

const others = (known: readonly (string | null)[], paths: readonly string[]): string[] =>
  [...new Set(paths)].filter((path) => !known.includes(path))

interface Usable extends LoadResult {
  readonly config: Config
  readonly file: string
  readonly variables: readonly string[]
}

/** Credentials and variables are those of the service: that they are missing here is no error. */
async function usableConfig({ env, cwd }: ServiceHost, file: string | undefined): Promise<Usable> {
  const given = { ...(file ? { file } : {}), env, cwd }
  const strict = await loadConfig(given)
  // Where one feature only is concerned, that stays off and the rest runs.
  const errors = strict.problems.filter(
    (problem) =>
      problem.severity === 'error' && problem.feature === undefined && !isCredential(problem) && !variableOf(problem),
  )
  const loaded = strict.config ? strict : await loadConfig({ ...given, overrides: { skipVerification: true } })
  const refused = strict.config === null && errors.length > 0
  if (refused || !loaded.config || !loaded.file) {
    const lines = sortProblems(refused ? errors : loaded.problems).map(renderProblem)
    throw new ServiceError(['the service would not start with this configuration:', ...lines].join('\n'), EXIT.badInput)
  }
  const variables = [...new Set(strict.problems.flatMap((problem) => variableOf(problem) ?? []))]
  return { ...loaded, config: loaded.config, file: loaded.file, variables }
}

const isCredential = ({ message }: Problem): boolean =>
  /^the credential \S+ (?:is not there|cannot be read)|CREDENTIALS_DIRECTORY/.test(message)

const variableOf = ({ message }: Problem): string | undefined =>
  /\bthe environment variable (\S+) is not set/.exec(message)?.[1]

interface Outside {
  readonly credentials: readonly string[]
  readonly files: readonly string[]
}

/** Variables, files and credentials that values of the file refer to. Comments are ignored. */
async function outsideOf(file: string, directory: string): Promise<Outside> {
  const tree = readYaml(lenientText(await readFile(file)).text, file, createProblemList())
  if (!tree) return { credentials: [], files: [] }
  return { credentials: [...credentialsIn(tree).keys()].filter(isCredentialName), files: filesIn(tree, directory) }
}

interface Listener {
  readonly purpose: string
  readonly protocol: 'tcp' | 'udp'
  readonly host: string
  readonly port: number
  readonly sources: readonly string[]
}

function listeners(config: Config): Listener[] {
  const { udpServerConfig: udp, restServerConfig: rest, configVisualisation: page, dockerHealthCheck, footman } = config
  const rows = [
    {
      on: udp.enable,
      purpose: 'UDP events',
      protocol: 'udp' as const,
      host: udp.serverHost,
      port: udp.portTaskFailure,
      sources: udp.enableSourceValidation ? udp.allowedSources : [],
    },
    {
      on: rest.enable,
      purpose: 'REST API',
      protocol: 'tcp' as const,
      host: rest.serverHost,
      port: rest.serverPort,
      sources: footman.access.allowFrom,
    },
    {
      on: page.enable,
      purpose: 'configuration page',
      protocol: 'tcp' as const,
      host: page.host,
      port: page.port,
      sources: [],
    },
    {
      on: dockerHealthCheck.enable,
      purpose: 'health check',
      protocol: 'tcp' as const,
      host: footman.health.host,
      port: dockerHealthCheck.port,
      sources: [],
    },
  ]
  return rows.filter(({ on }) => on)
}

function reachablePorts(config: Config): ServicePort[] {
  return listeners(config)
    .filter(({ host }) => !isLoopback(host))
    .map(({ purpose, protocol, port, sources }) => ({
      purpose,
      protocol,
      port,
      from: sources.filter(isNetwork),
      names: sources.filter((source) => !isNetwork(source)),
    }))
}

/** An address, or a network like `10.0.0.0/8`. */
const isNetwork = (text: string): boolean => isIP(text.replace(/\/\d{1,3}$/, '')) !== 0

/** Folders besides data, log and schedules into which the features that are on write. */
function writableFolders(config: Config, paths: ConfigPaths): string[] {
  const { footman, scheduler, scriptLog, qlikSenseCloud } = config
  const stores = [
    scriptLog.storeOnDisk.clientManaged.reloadTaskFailure,
    ...(qlikSenseCloud.enable ? [scriptLog.storeOnDisk.qsCloud.appReloadFailure] : []),
  ]
  const folders = [
    ...stores.filter(({ enable }) => enable).map(({ logDirectory }) => logDirectory),
    ...(scheduler.enable ? [footman.scheduler.appDumpDirectory] : []),
    ...config.fileCopyApprovedDirectories.map(({ toDirectory }) => toDirectory),
    ...config.fileMoveApprovedDirectories.flatMap(({ fromDirectory, toDirectory }) => [fromDirectory, toDirectory]),
    ...config.fileDeleteApprovedDirectories,
    ...(footman.files.createDirApprovedDirectories ?? []),
    config.configDirectories.qvdPath,
  ]
  return folders.filter((path) => path !== '').map((path) => paths.output(path))
}

/** Replaced when a schedule changes; null without a scheduler. */
export const scheduleFile = ({ scheduler }: Config, paths: ConfigPaths): string | null =>
  scheduler.enable ? paths.input(scheduler.configfile) : null

/** Certificates and keys; missing ones are where they are looked for first. */
const certificateFiles = (config: Config, qlikConnection: boolean, paths: ConfigPaths): string[] =>
  namedFiles(config, qlikConnection)
    .filter(({ path }) => path !== '')
    .map(({ path, base }) => paths.input(path, base))

/** The file beside the configuration that names environment variables, when it is there. */
const mappingFiles = (directory: string): string[] => [join(directory, MAPPING_FILE)].filter((path) => existsSync(path))
