/** The compiled executable with a configuration of Butler 16's shape, connected to a simulated site and to sinks. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Simulator } from '../../simulator/index.ts'
import { type Running, runBinary } from './binary.ts'
import type { Host } from './host.ts'
import { freeTcpPort, freeUdpPort, isUdpPortFree } from './ports.ts'
import { type TempDirectory, tempDirectory } from './temp.ts'
import { until } from './wait.ts'

type Tree = { readonly [key: string]: unknown }

export interface FootmanSettings {
  /** Null = no Qlik Sense at all. */
  readonly simulator: Simulator | null
  readonly webhookUrl?: string
  readonly smtpPort?: number
  readonly mqttPort?: number
  /** Merged over the configuration below `Butler`. */
  readonly config?: Tree
  /** Further arguments. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Absent = the executable under test, on this machine. */
  readonly host?: Host
  /** Path of the configuration file in the directory; absent = `butler.yaml`. */
  readonly file?: string
}

export interface Footman extends AsyncDisposable {
  readonly restPort: number
  readonly udpPort: number
  readonly directory: TempDirectory
  readonly configFile: string
  /** The process that runs now. */
  readonly process: Running
  /** Resolves when REST and UDP listen. */
  start(args?: readonly string[]): Promise<void>
  /** A call to the REST API. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>
  /** Rows of `footman.db`, read beside the running process. */
  rows<T>(sql: string): T[]
}

/** Sinks are never behind a proxy, whether or not the machine of the tests uses one. */
const NO_PROXY = { NO_PROXY: '127.0.0.1,localhost', no_proxy: '127.0.0.1,localhost' }

/** Writes the configuration; `start` runs it. */
export async function footman(settings: FootmanSettings): Promise<Footman> {
  const { host } = settings
  const directory = tempDirectory(host?.directoryIn)
  const [restPort, udpPort] = [await freeTcpPort(), await freeUdpPort()]
  const configFile = directory.join(settings.file ?? 'butler.yaml')
  mkdirSync(dirname(configFile), { recursive: true })
  // JSON is YAML.
  writeFileSync(
    configFile,
    JSON.stringify({ Butler: merge(base(settings, restPort, udpPort), settings.config ?? {}) }, null, 2),
  )
  settings.simulator?.setUdpTarget({ host: '127.0.0.1', port: udpPort })
  let running: Running | null = null

  return {
    restPort,
    udpPort,
    directory,
    configFile,
    get process() {
      if (!running) throw new Error('footman was not started')
      return running
    },
    async start(args = settings.args ?? []) {
      // Wine keeps the socket of a killed process for some milliseconds.
      if (running && host) await untilUdpPortIsFree(udpPort)
      running = runBinary([...(host?.args ?? []), '-c', pathOn(host, configFile), ...args], {
        cwd: directory.path,
        env: { FOOTMAN_CHECK_ANSWERS: '1', ...NO_PROXY, ...host?.env, ...settings.env },
        command: host?.command,
      })
      await Promise.all([
        running.waitForLine(/UDP server listening on/, 15_000),
        running.waitForLine(/REST server listening on/, 15_000),
      ])
    },
    async call(method, path, body, headers = {}) {
      const request = {
        method,
        headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
      }
      return send(`http://127.0.0.1:${restPort}${path}`, request, host?.lostAfterMs)
    },
    rows<T>(sql: string) {
      const db = new DatabaseSync(directory.join('data', 'footman.db'), { readOnly: true })
      try {
        return db.prepare(sql).all() as T[]
      } finally {
        db.close()
      }
    },
    async [Symbol.asyncDispose]() {
      await running?.kill9()
      directory.remove()
    },
  }
}

async function untilUdpPortIsFree(port: number): Promise<void> {
  try {
    await until(() => isUdpPortFree(port), { what: `UDP port ${port} to be free` })
  } catch (error) {
    const holder = execFileSync('ss', ['-Hulpn', `sport = :${port}`], { encoding: 'utf8' })
    throw new Error(`${(error as Error).message}; it is held by: ${holder}`)
  }
}

/** `lostAfterMs`: when to send it again, once; absent = never. */
async function send(url: string, request: RequestInit, lostAfterMs?: number): Promise<Response> {
  if (lostAfterMs === undefined) return fetch(url, request)
  try {
    return await fetch(url, { ...request, signal: AbortSignal.timeout(lostAfterMs) })
  } catch (error) {
    if ((error as Error).name !== 'TimeoutError') throw error
    return fetch(url, request)
  }
}

const pathOn = (host: Host | undefined, local: string): string => host?.path(local) ?? local

function base(settings: FootmanSettings, restPort: number, udpPort: number): Tree {
  const { simulator, webhookUrl, smtpPort, mqttPort, host } = settings
  const webhooks = {
    rateLimit: 0,
    webhooks: webhookUrl
      ? [
          {
            description: 'sink',
            webhookURL: webhookUrl,
            httpMethod: 'POST',
            cert: { enable: false, rejectUnauthorized: true, certCA: '' },
          },
        ]
      : [],
  }
  const mail = {
    enable: true,
    rateLimit: 0,
    headScriptLogLines: 5,
    tailScriptLogLines: 5,
    priority: 'high',
    fromAddress: 'Qlik Sense <noreply@acme.example>',
    recipients: ['ops@acme.example'],
    alertEnableByCustomProperty: { enable: false },
    appOwnerAlert: { enable: false },
  }
  return {
    logLevel: 'verbose',
    fileLogging: false,
    cert: simulator
      ? {
          clientCert: pathOn(host, simulator.certificates.clientCert),
          clientCertKey: pathOn(host, simulator.certificates.clientCertKey),
          clientCertCA: pathOn(host, simulator.certificates.clientCertCA),
        }
      : {},
    configQRS: {
      host: '127.0.0.1',
      port: simulator?.ports.qrs ?? 4242,
      useSSL: true,
      rejectUnauthorized: true,
      headers: { static: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal;UserId=sa_repository' }] },
    },
    udpServerConfig: { enable: true, serverHost: '127.0.0.1', portTaskFailure: udpPort },
    restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: restPort, backgroundServerPort: 8081 },
    restServerEndpointsEnable: { butlerping: true, senseStartTask: true },
    webhookNotification: { enable: webhookUrl !== undefined, reloadTaskFailure: webhooks, reloadTaskAborted: webhooks },
    emailNotification: {
      enable: smtpPort !== undefined,
      reloadTaskFailure: mail,
      reloadTaskAborted: mail,
      reloadTaskSuccess: mail,
      smtp: {
        host: '127.0.0.1',
        port: smtpPort ?? 25,
        secure: false,
        tls: { serverName: null, ignoreTLS: true, requireTLS: false, rejectUnauthorized: false },
        auth: { enable: false, user: '', password: '' },
      },
    },
    mqttConfig: { enable: mqttPort !== undefined, brokerHost: '127.0.0.1', brokerPort: mqttPort ?? 1883 },
    footman: { dataDirectory: 'data', api: { rateLimitPerMinute: 0 } },
  }
}

export function merge(low: Tree, high: Tree): Tree {
  const merged: Record<string, unknown> = { ...low }
  for (const [key, value] of Object.entries(high)) {
    const below = merged[key]
    merged[key] = isTree(below) && isTree(value) ? merge(below, value) : value
  }
  return merged
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
