/** Everything that runs in the demo: receivers and their inbox, the simulated site, the product, and the script. */

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { z } from 'zod'
import { SITE_ZONE, type Simulator } from '../../../simulator/index.ts'
import type { DeliveryChange } from '../../alerts/outbox/outbox.ts'
import { type App, createApp } from '../../app/app.ts'
import { type LoadOptions, loadConfig } from '../../app/config/load.ts'
import { loadReports } from '../../app/reports.ts'
import type { butler } from '../../app/schema.ts'
import { createPathResolver } from '../../config/paths.ts'
import { renderProblem } from '../../config/problems.ts'
import type { TaskEvent } from '../../events/types.ts'
import { errorText } from '../../platform/errors.ts'
import { createLifecycle, type Lifecycle } from '../../platform/lifecycle.ts'
import type { Logger, Service } from '../../platform/types.ts'
import { createZone } from '../../platform/zone.ts'
import type { RunRecord } from '../../reports/runs/ledger.ts'
import type { OpenedSetting } from '../../settings/store.ts'
import { createInboxPage, type InboxPage } from './inbox.tsx'
import { playNight, recordNight } from './night.ts'
import { freeTcpPort, freeUdpPort } from './ports.ts'
import {
  ARCHIVED_CHANNEL,
  createBroker,
  createInbox,
  createMailReceiver,
  createWebhookReceiver,
  type ReceivedMail,
  type Receiver,
} from './receivers.ts'
import { importReports, REPORT_SENDER, REPORT_SPACE, runReports } from './reports.ts'
import { createScript } from './script.ts'
import { SCHEDULES, storePairs } from './stored.ts'

interface WorldDeps {
  readonly log: Logger
  readonly onEvent: (event: TaskEvent) => void
  readonly onDelivery: (change: DeliveryChange) => void
  /** For alerts, not for mails with reports. */
  readonly onMail: (mail: ReceivedMail) => void
  readonly onReport: (run: RunRecord) => void
}

interface WorldSettings {
  /** For certificates and data; exists, and belongs to the demo alone. */
  readonly directory: string
  /** Port of the REST API; absent = 8080, or a free one when that is taken. */
  readonly port?: number | undefined
}

export interface World extends Lifecycle {
  readonly simulator: Simulator
  readonly webhook: Receiver
  readonly mail: Receiver
  readonly broker: Receiver
  /** How many of the received mails hold reports. */
  readonly reportMails: number
  /** Page with the received mails and webhooks. */
  readonly inbox: InboxPage
  /** Known once it is started. */
  readonly restPort: number
  readonly udpPort: number
  /** Begins to start tasks, until `stop`. */
  play(): void
}

const SCHEDULE_FILE = 'schedule.yaml'
const CONFIG_FILE = 'footman.yaml'

/** The port that Butler's REST API usually has. */
export const USUAL_PORT = 8080

export function createWorld(deps: WorldDeps, settings: WorldSettings): World {
  const { log } = deps
  const { directory } = settings
  const messages = createInbox()
  const webhook = createWebhookReceiver(messages.add)
  const mail = createMailReceiver((received) => {
    messages.add(received)
    if (received.from.includes(REPORT_SENDER)) reportMails += 1
    else deps.onMail(received)
  })
  const broker = createBroker()
  const inbox = createInboxPage({ inbox: messages, log })
  const night = playNight({ log }, { certificateDirectory: join(directory, 'certificates') })
  const { simulator } = night
  const script = createScript({ simulator })
  let app: App | null = null
  let udpPort = 0
  let reportMails = 0
  let isStopped = false
  let reportTimer: ReturnType<typeof setTimeout> | undefined

  /** The addresses are known when the site and the receivers run. */
  async function startProduct(): Promise<void> {
    udpPort = await freeUdpPort()
    const reportDirectory = join(directory, 'reports')
    const written = demoConfiguration({
      qrsPort: simulator.ports.qrs,
      enginePort: simulator.ports.engine,
      certificates: simulator.certificates,
      restPort: settings.port || (await freeTcpPort(settings.port ?? USUAL_PORT)),
      udpPort,
      webhookPort: webhook.port,
      mailPort: mail.port,
      brokerPort: broker.port,
      reportDirectory,
    })
    const dataDirectory = join(directory, 'data')
    await Promise.all([mkdir(dataDirectory), mkdir(reportDirectory)])
    await writeFile(join(directory, SCHEDULE_FILE), SCHEDULES)
    const file = join(directory, CONFIG_FILE)
    await writeFile(file, stringify({ Butler: written }))
    // Settings of the demo can be changed as those of a site.
    const load = (settings?: readonly OpenedSetting[], without?: LoadOptions['without']) =>
      loadConfig({ file, env: {}, cwd: directory, settings, without })
    const initial = await load([])
    const { config } = initial
    if (!config) throw new Error(`the configuration of the demo has errors: ${initial.problems.map(renderProblem)}`)
    await recordNight(join(dataDirectory, 'footman.db'), night, log)
    app = createApp(
      {
        log,
        paths: createPathResolver({ configDirectory: directory, cwd: directory }),
        reports: await loadReports(config),
        configuration: {
          initial,
          load,
          use: () => {},
          rebuild: (because) => log.warn(`DEMO: A restart takes the change into use: ${because}`),
        },
        observe: {
          // The night is over: its events are for the console, not for the live view.
          event: (event) => {
            if (event.source === 'udp') deps.onEvent(event)
          },
          delivery: deps.onDelivery,
          reportFinished: ({ run }) => deps.onReport(run),
        },
      },
      { config, dataDirectory, qrsConnection: true, shadow: false, degraded: false, apiRateLimit: null },
    )
    await app.start()
    simulator.setUdpTarget({ host: '127.0.0.1', port: udpPort })
  }

  /** After the first alerts, which are not delayed by it. */
  function playReports(): void {
    const url = `http://${HOST}:${app?.restPort}`
    storePairs(url)
      .then(() => importReports(url))
      .then(() => runReports(url))
      .catch((error) => {
        if (!isStopped) log.error(`DEMO: ${errorText(error)}`)
      })
  }

  async function stopPlaying(): Promise<void> {
    isStopped = true
    clearTimeout(reportTimer)
    script.stop()
  }

  const product: Service = { name: 'footman', start: startProduct, stop: async (graceMs) => app?.stop(graceMs) }
  const quiet: Service = { name: 'script of the demo', start: async () => {}, stop: stopPlaying }
  const lifecycle = createLifecycle({ log }, [webhook, mail, broker, inbox, simulator, product, quiet])

  return {
    ...lifecycle,
    simulator,
    webhook,
    mail,
    broker,
    inbox,
    get restPort() {
      return app?.restPort ?? 0
    },
    get udpPort() {
      return udpPort
    },
    get reportMails() {
      return reportMails
    },
    play() {
      script.start()
      reportTimer = setTimeout(playReports, REPORTS_AT_MS)
    },
  }
}

interface DemoAddresses {
  readonly qrsPort: number
  readonly enginePort: number
  readonly certificates: { readonly clientCert: string; readonly clientCertKey: string; readonly clientCertCA: string }
  readonly restPort: number
  readonly udpPort: number
  readonly webhookPort: number
  readonly mailPort: number
  readonly brokerPort: number
  readonly reportDirectory: string
}

const HOST = '127.0.0.1'
/** Short enough to see several alerts about one task, long enough to see one suppressed. */
const RATE_LIMIT_SECONDS = 10
const ENGINE_USER = 'UserDirectory=Internal; UserId=sa_repository'
const REPORTS_AT_MS = 2000
const RECIPIENT = 'ops@acme.example'

function demoConfiguration(addresses: DemoAddresses): z.input<typeof butler> {
  const { certificates, brokerPort, mailPort, webhookPort } = addresses
  const engine = { host: HOST, port: addresses.enginePort, useSSL: true, rejectUnauthorized: true }
  return {
    fileLogging: false,
    cert: certificates,
    configQRS: { host: HOST, port: addresses.qrsPort, useSSL: true, rejectUnauthorized: true },
    configEngine: { ...engine, headers: { static: [{ name: 'X-Qlik-User', value: ENGINE_USER }] } },
    restServerConfig: { enable: true, serverHost: HOST, serverPort: addresses.restPort },
    restServerEndpointsEnable: {
      apiListEnabledEndpoints: true,
      butlerping: true,
      senseStartTask: true,
      keyValueStore: true,
      scheduler: {
        createNewSchedule: true,
        getSchedule: true,
        getScheduleStatusAll: true,
        updateSchedule: true,
        deleteSchedule: true,
        startSchedule: true,
        stopSchedule: true,
      },
    },
    scheduler: { enable: true, configfile: SCHEDULE_FILE },
    udpServerConfig: { enable: true, serverHost: HOST, portTaskFailure: addresses.udpPort },
    webhookNotification: {
      enable: true,
      reloadTaskFailure: webhook(webhookPort, 'failed'),
      reloadTaskAborted: webhook(webhookPort, 'aborted'),
    },
    emailNotification: {
      enable: true,
      reloadTaskFailure: MAIL,
      reloadTaskAborted: MAIL,
      reloadTaskSuccess: MAIL,
      smtp: { host: HOST, port: mailPort, secure: false, tls: { ignoreTLS: true, requireTLS: false } },
    },
    mqttConfig: { enable: true, brokerHost: HOST, brokerPort },
    footman: {
      settings: { allowHosts: [HOST] },
      timezone: SITE_ZONE,
      // Failures of the night are not alerted.
      reconciler: { maxAlertAge: '1m' },
      calendars: { holidays: { dates: [nextWorkingDay()] } },
      maintenance: [{ name: 'erp-backup', during: lastNight(), match: { app: 'ERP*' } }],
      destinations: {
        'bi-team-chat': { type: 'webhook', url: `http://${HOST}:${webhookPort}${ARCHIVED_CHANNEL}`, limit: 'none' },
      },
      alertRoutes: [{ name: 'finance', match: { stream: 'Finance', outcome: 'failed' }, to: ['bi-team-chat'] }],
      mqtt: { taskSuccessTopic: 'qliksense/task_success' },
      reportTask: {
        enable: true,
        baseUrl: `http://${HOST}:${addresses.restPort}`,
        hub: { enable: true },
        fromAddress: `Sales reports <${REPORT_SENDER}>`,
        storageSpaces: [{ id: REPORT_SPACE, name: 'Head office', directory: addresses.reportDirectory }],
      },
    },
  }
}

const MAIL = {
  enable: true,
  rateLimit: RATE_LIMIT_SECONDS,
  alertEnableByCustomProperty: { enable: false },
  fromAddress: 'Footman demo <footman@acme.example>',
  recipients: [RECIPIENT],
}

function webhook(port: number, outcome: string) {
  const webhookURL = `http://${HOST}:${port}/reload-${outcome}`
  return { rateLimit: RATE_LIMIT_SECONDS, webhooks: [{ description: 'demo', webhookURL, httpMethod: 'POST' as const }] }
}

/** The day after tomorrow, or the Monday after it. */
function nextWorkingDay(): string {
  const day = new Date(Date.now() + 2 * 86_400_000)
  while (day.getUTCDay() % 6 === 0) day.setUTCDate(day.getUTCDate() + 1)
  return day.toISOString().slice(0, 10)
}

const BACKUP_HOURS_AGO = [6, 5] as const

/** A window of an hour, some hours before the start, in local time. */
function lastNight() {
  const [from, to] = BACKUP_HOURS_AGO.map((hours) => {
    const at = createZone(SITE_ZONE).wall(Date.now() - hours * 3_600_000)
    return `${new Date(at).toISOString().slice(11, 13)}:00`
  })
  return { from, to }
}
