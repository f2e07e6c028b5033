/** Footman as the bench runs it: the compiled binary with everything switched on, against a simulated site. */
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { footmanBinary, type Running, runBinary } from '../support/binary.ts'
import { freeTcpPort, freeUdpPort } from '../support/ports.ts'
import { until } from '../support/wait.ts'
import { cpuSecondsOf } from './process.ts'
import type { BenchSite } from './site.ts'

export const PING = '/v4/butlerping'

export interface TargetSettings {
  readonly site: BenchSite
  /** Folder of configuration, data and logs; one a target. */
  readonly directory: string
  /** Where webhooks are sent. */
  readonly webhookUrl: string
  readonly smtpPort: number
  /** One log line a request; default false. */
  readonly accessLog?: boolean
  /** `Butler.footman.access`; default off. */
  readonly access?: object
  /** Sections of `Butler` that take the place of those below. */
  readonly sections?: Readonly<Record<string, unknown>>
  /** The same below `Butler.footman`. */
  readonly additions?: Readonly<Record<string, unknown>>
  /** The log lines are written to the file only; default as `accessLog`. */
  readonly mute?: boolean
  /** Added to `Butler.udpServerConfig`. */
  readonly udp?: Readonly<Record<string, unknown>>
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>
}

/** All that the product itself needs to know of a site. */
export type AnySite = Pick<BenchSite, 'qrsPort' | 'certificates'>
type AnySettings = Omit<TargetSettings, 'site'> & { readonly site: AnySite }

export interface Target {
  readonly running: Running
  readonly restPort: number
  readonly udpPort: number
  /** Milliseconds from starting the process to the first answered ping. */
  readonly startMs: number
  /** CPU milliseconds the process had used by then, which other processes do not stretch; null where unknown. */
  readonly startCpuMs: number | null
}

/** Starts the binary and waits for its first answered ping. */
export async function startTarget(settings: AnySettings): Promise<Target> {
  const [restPort, udpPort] = [await freeTcpPort(), await freeUdpPort()]
  const file = join(settings.directory, 'butler.yaml')
  writeFileSync(file, JSON.stringify(configuration(settings, restPort, udpPort), null, 2))
  const command = footmanBinary()
  const started = performance.now()
  const running = runBinary(['run', '-c', file], {
    command,
    cwd: settings.directory,
    mute: settings.mute ?? settings.accessLog ?? false,
    ...(settings.env && { env: settings.env }),
  })
  const failed = running.ended.then(({ code }): never => {
    throw new Error(
      `footman ended with exit code ${code} at start:\n${[...running.stdout, ...running.stderr].join('\n')}`,
    )
  })
  await Promise.race([firstPing(restPort), failed])
  const startMs = performance.now() - started
  const cpu = cpuSecondsOf(running.pid)
  return { running, restPort, udpPort, startMs, startCpuMs: cpu === null ? null : cpu * 1000 }
}

/**
 * Asks again and again until the ping is answered with 200; gives up after `withinMs`. `pollMs`: short to measure the start by it,
 * which keeps a processor busy.
 */
export async function firstPing(port: number, pollMs = 0.5, withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (performance.now() < deadline) {
    if (await pingOnce(port)) return
    await Bun.sleep(pollMs)
  }
  throw new Error(`no ping was answered on port ${port} within ${withinMs / 1000} s`)
}

/** The UDP port opens beside the REST API, and what is sent before is lost. Without /proc a second must do. */
export async function udpOpen(port: number): Promise<void> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')} `
  const isOpen = () => readFileSync('/proc/net/udp', 'utf8').includes(wanted)
  if (process.platform !== 'linux') return Bun.sleep(1000)
  await until(isOpen, { timeout: 20_000, what: `UDP port ${port} to be open` })
}

async function pingOnce(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  try {
    await once(socket, 'connect')
    socket.write(`GET ${PING} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`)
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    return chunk.toString('latin1').startsWith('HTTP/1.1 200')
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Every part of this release switched on, without limits that would bend the measurement. JSON is YAML. */
function configuration(settings: AnySettings, restPort: number, udpPort: number) {
  const { site, directory, webhookUrl, smtpPort } = settings
  const webhooks = { rateLimit: 0, webhooks: [{ description: 'bench', webhookURL: webhookUrl, httpMethod: 'POST' }] }
  const mail = { enable: true, fromAddress: 'footman@bench.test', recipients: ['ops@bench.test'], rateLimit: 300 }
  return {
    Butler: {
      logLevel: 'info',
      fileLogging: true,
      logDirectory: join(directory, 'log'),
      cert: {
        clientCert: site.certificates.cert,
        clientCertKey: site.certificates.key,
        clientCertCA: site.certificates.ca,
      },
      configQRS: { host: '127.0.0.1', port: site.qrsPort, rejectUnauthorized: true },
      udpServerConfig: { enable: true, serverHost: '127.0.0.1', portTaskFailure: udpPort, ...settings.udp },
      emailNotification: {
        enable: true,
        reloadTaskFailure: mail,
        reloadTaskAborted: mail,
        reloadTaskSuccess: mail,
        smtp: { host: '127.0.0.1', port: smtpPort, secure: false },
      },
      webhookNotification: { enable: true, reloadTaskFailure: webhooks, reloadTaskAborted: webhooks },
      restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: restPort },
      restServerEndpointsEnable: {
        butlerping: true,
        senseStartTask: true,
        keyValueStore: true,
        apiListEnabledEndpoints: true,
      },
      footman: {
        dataDirectory: join(directory, 'data'),
        api: { rateLimitPerMinute: 0 },
        logging: { accessLog: settings.accessLog ?? false },
        ...(settings.access && { access: settings.access }),
        ...settings.additions,
      },
      ...settings.sections,
    },
  }
}
