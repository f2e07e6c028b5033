/** What a service entry must know, taken from a configuration file. */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { dirname, join } from 'node:path'
import { type LoadResult, loadConfig } from '../../config/load.ts'
import { createPathResolver } from '../../config/paths.ts'
import { type Problem, renderProblem, sortProblems } from '../../config/problems.ts'
import type { Config } from '../../config/schema.ts'
import { EXIT } from '../io.ts'
import { ServiceError, type ServiceFacts, type ServiceHost, type ServicePort } from './types.ts'

export interface FactsOptions {
  readonly name: string
  readonly configfile?: string | undefined
}

type Paths = ReturnType<typeof createPathResolver>

/** Rejects with a `ServiceError` when there is no configuration that a service could run with. */
export async function serviceFacts(host: ServiceHost, { name, configfile }: FactsOptions): Promise<ServiceFacts> {
  const workingDirectory = dirname(host.script ?? host.execPath)
  const { config, file, directory, credentials, variables } = await usableConfig(
    host,
    configfile ?? host.env.FOOTMAN_CONFIGFILE,
  )
  const paths = createPathResolver({ configDirectory: directory, cwd: workingDirectory, execPath: host.execPath })
  const dataDirectory = paths.data(config.footman.dataDirectory)
  const logDirectory = config.fileLogging ? paths.output(config.logDirectory, 'program') : null
  return {
    name,
    command: [host.execPath, ...(host.script ? [host.script] : []), 'run', '-c', file],
    configFile: file,
    workingDirectory,
    dataDirectory,
    logDirectory,
    outputDirectory: logDirectory ?? join(workingDirectory, 'log'),
    writable: [...new Set(writableFolders(config, paths))].filter((path) => path !== dataDirectory),
    readable: [file, ...readFiles(config, paths)],
    writesAnywhere: config.footman.files.createDirAllowAnywhere,
    ports: reachablePorts(config),
    listensOn: listeners(config).map(({ port }) => port),
    graceMs: config.footman.shutdown.grace,
    credentials,
    variables,
  }
}

interface Usable {
  readonly config: Config
  readonly file: string
  readonly directory: string
  readonly credentials: readonly string[]
  readonly variables: readonly string[]
}

/** Credentials and variables are those of the service: that they are missing here is no error. */
async function usableConfig({ env, cwd }: ServiceHost, file: string | undefined): Promise<Usable> {
  const given = { ...(file ? { file } : {}), env, cwd }
  const strict = await loadConfig(given)
  const errors = strict.problems.filter(
    (problem) => problem.severity === 'error' && !isCredential(problem) && !variableOf(problem),
  )
  const loaded = strict.config ? strict : await loadConfig({ ...given, overrides: { skipVerification: true } })
  const refused = strict.config === null && errors.length > 0
  if (refused || !loaded.config || !loaded.file) {
    const lines = sortProblems(refused ? errors : loaded.problems).map(renderProblem)
    throw new ServiceError(['the service would not start with this configuration:', ...lines].join('\n'), EXIT.badInput)
  }
  const variables = [...new Set(strict.problems.flatMap((problem) => variableOf(problem) ?? []))]
  return { ...loaded, config: loaded.config, file: loaded.file, credentials: await credentialsOf(loaded), variables }
}

const isCredential = ({ message }: Problem): boolean => /\bcredentials?\b|CREDENTIALS_DIRECTORY/.test(message)

const variableOf = ({ message }: Problem): string | undefined =>
  /\bthe environment variable (\S+) is not set/.exec(message)?.[1]

async function credentialsOf({ file }: LoadResult): Promise<string[]> {
  const text = await readFile(file ?? '', 'utf8')
  return [...new Set([...text.matchAll(/\$\{credential:\s*([A-Za-z0-9._-]+)\s*\}/g)].map(([, name]) => name!))]
}

/** Folders besides data and log into which the features that are on write. */
function writableFolders(config: Config, paths: Paths): string[] {
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
  // The schedule file is replaced when a schedule changes.
  const schedules = scheduler.enable ? [dirname(paths.input(scheduler.configfile))] : []
  return [...schedules, ...folders.filter((path) => path !== '').map((path) => paths.output(path))]
}

function readFiles({ cert, restServerConfig: { enable, tls } }: Config, paths: Paths): string[] {
  const site = [cert.clientCert, cert.clientCertKey, cert.clientCertCA].map(
    (path) => path && paths.input(path, 'program'),
  )
  const own = enable && tls.enable ? [tls.cert, tls.key].map((path) => path && paths.input(path)) : []
  return [...site, ...own].filter((path) => path !== '')
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
      ...{ on: udp.enable, purpose: 'UDP events', protocol: 'udp' as const, host: udp.serverHost },
      ...{ port: udp.portTaskFailure, sources: udp.enableSourceValidation ? udp.allowedSources : [] },
    },
    {
      ...{ on: rest.enable, purpose: 'REST API', protocol: 'tcp' as const, host: rest.serverHost },
      ...{ port: rest.serverPort, sources: footman.access.allowFrom },
    },
    {
      ...{ on: page.enable, purpose: 'configuration page', protocol: 'tcp' as const, host: page.host },
      ...{ port: page.port, sources: [] },
    },
    {
      ...{ on: dockerHealthCheck.enable, purpose: 'health check', protocol: 'tcp' as const },
      ...{ host: footman.health.host, port: dockerHealthCheck.port, sources: [] },
    },
  ]
  return rows.filter(({ on }) => on)
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i

function reachablePorts(config: Config): ServicePort[] {
  return listeners(config)
    .filter(({ host }) => !LOOPBACK.test(host))
    .map(({ purpose, protocol, port, sources }) => ({
      ...{ purpose, protocol, port },
      from: sources.filter(isNetwork),
      names: sources.filter((source) => !isNetwork(source)),
    }))
}

/** An address, or a network like `10.0.0.0/8`. */
const isNetwork = (text: string): boolean => isIP(text.replace(/\/\d{1,3}$/, '')) !== 0
