/** Release and licences of Qlik Sense: what asks for them, and who asks. */
import type { Config } from '../config/schema.ts'
import type { LicenseDetails } from '../events/types.ts'
import type { MonitorStates } from '../metrics/prometheus/monitors.ts'
import { createLicenseRelease } from '../monitors/license/release.ts'
import { createServerLicenseMonitor } from '../monitors/license/server.ts'
import { createLicenseUsageMonitor, type LicenseUsage } from '../monitors/license/usage.ts'
import { createRecurring } from '../monitors/recurring.ts'
import type { WritePoints } from '../monitors/types.ts'
import { createVersionMonitor } from '../monitors/version.ts'
import type { Service } from '../platform/types.ts'
import { createAboutClient } from '../qlik/about/client.ts'
import { createLicenseClient, type LicenseClient } from '../qlik/qrs/licenses.ts'
import { createQrsTransport } from '../qlik/qrs/transport.ts'
import type { MonitorParts, Monitors, MonitorsOptions } from './monitors.ts'

export interface LicenseMonitors {
  readonly services: Monitors['services']
  readonly states: () => Omit<MonitorStates, 'services'>
}

/** Licences concern the whole repository, whoever else Footman asks as. */
const IDENTITY = { name: 'X-Qlik-User', value: 'UserDirectory=Internal; UserId=sa_repository' }

interface Job {
  /** As `Skipping ... .` names it. */
  readonly what: string
  readonly label: string
  readonly on: boolean
  readonly frequency: string
  /** Of the licence jobs, which the primary node does for the site. */
  readonly primaryOnly: boolean
  readonly make: (made: Made) => (signal: AbortSignal) => Promise<void>
}

/** What the jobs share; made when the first of them needs it. */
interface Made {
  readonly licenses: () => LicenseClient
  readonly writePoints: WritePoints | null
  readonly closing: { close(): void }[]
}

export function buildLicenseMonitors(parts: MonitorParts, config: Config, options: MonitorsOptions): LicenseMonitors {
  const { clock, log, points } = parts
  let server: LicenseDetails | null = null
  let usage: readonly LicenseUsage[] = []
  let client: LicenseClient | null = null
  const closing: { close(): void }[] = []

  function licenses(): LicenseClient {
    if (client) return client
    client = licenseClient(parts, config)
    closing.push(client)
    return client
  }

  const made: Made = { licenses, closing, writePoints: points && ((list) => points.writePoints(list)) }
  const jobs = jobsOf(parts, config, options, {
    onState: (details) => {
      server = details
    },
    onUsage: (found) => {
      usage = found
    },
  }).filter((job) => job.on && mayRun(job))

  function mayRun({ what, primaryOnly }: Job): boolean {
    if (!options.qrsConnection) {
      log.info(`MAIN: Qlik Sense connection is not enabled. Skipping ${what}.`)
      return false
    }
    if (primaryOnly && config.footman.node.role === 'satellite') {
      log.info(`MAIN: This node is a satellite. Skipping ${what}: the primary node does it.`)
      return false
    }
    return true
  }

  const services = jobs.map((job): Service => {
    const run = job.make(made)
    return createRecurring(
      { clock, log },
      { name: job.what, label: job.label, atStart: true, run, frequency: parts.frequency(job.frequency) },
    )
  })
  const clients: Service = {
    name: 'clients of licence monitors',
    start: async () => {},
    async stop() {
      for (const one of closing) one.close()
    },
  }
  return {
    services: services.length > 0 ? [clients, ...services] : [],
    states: () => ({
      licenseDays: server?.daysRemaining ?? null,
      licenses: usage.flatMap(({ type, fields: { allocated, available } }) =>
        allocated === undefined ? [] : [{ type, allocated, available: available ?? null }],
      ),
    }),
  }
}

interface Listeners {
  readonly onState: (details: LicenseDetails) => void
  readonly onUsage: (usage: readonly LicenseUsage[]) => void
}

function jobsOf(parts: MonitorParts, config: Config, { shadow }: MonitorsOptions, listeners: Listeners): Job[] {
  const { clock, log, emit } = parts
  const { versionMonitor } = config.qlikSenseVersion
  const { serverLicenseMonitor, licenseMonitor, licenseRelease } = config.qlikSenseLicense
  return [
    {
      ...{ what: 'version monitoring', label: '[QSEOW] QLIKSENSE VERSION MONITOR', primaryOnly: false },
      ...{ on: versionMonitor.enable, frequency: versionMonitor.frequency },
      make({ writePoints, closing }) {
        const { rejectUnauthorized } = versionMonitor
        const host = versionMonitor.host || config.configQRS.host
        const { port } = config.footman.versionMonitor
        const about = createAboutClient({
          host,
          port,
          rejectUnauthorized,
          certificates: parts.qlik.certificates.current,
        })
        closing.push(about)
        return createVersionMonitor({ about, clock, log, writePoints }, versionMonitor)
      },
    },
    {
      ...{ what: 'server license monitoring', label: '[QSEOW] QLIK SENSE SERVER LICENSE', primaryOnly: true },
      ...{ on: serverLicenseMonitor.enable, frequency: serverLicenseMonitor.frequency },
      make: ({ licenses, writePoints }) =>
        createServerLicenseMonitor(
          { licenses: licenses(), emit, clock, log, writePoints, onState: listeners.onState },
          { ...serverLicenseMonitor, host: config.configQRS.host },
        ),
    },
    {
      ...{ what: 'access license monitoring', label: '[QSEOW] END USER ACCESS LICENSE', primaryOnly: true },
      ...{ on: licenseMonitor.enable, frequency: licenseMonitor.frequency },
      make: ({ licenses, writePoints }) =>
        createLicenseUsageMonitor(
          { licenses: licenses(), clock, log, writePoints, onUsage: listeners.onUsage },
          licenseMonitor,
        ),
    },
    {
      ...{ what: 'access license release', label: '[QSEOW] QLIKSENSE LICENSE RELEASE', primaryOnly: true },
      on: licenseRelease.enable && Object.values(licenseRelease.licenseType).some(({ enable }) => enable),
      frequency: licenseRelease.frequency,
      make: ({ licenses, writePoints }) =>
        createLicenseRelease(
          { licenses: licenses(), clock, log, writePoints },
          {
            ...licenseRelease,
            dryRun: licenseRelease.dryRun || shadow,
            maxPerRun: config.footman.licenseRelease.maxPerRun,
          },
        ),
    },
  ]
}

function licenseClient({ log, qlik, observe }: MonitorParts, { configQRS }: Config): LicenseClient {
  const others = configQRS.headers.static.filter(({ name }) => name.toLowerCase() !== 'x-qlik-user')
  return createLicenseClient(
    createQrsTransport(
      { log: log.child('licenses'), ...(observe && { observe }) },
      {
        host: configQRS.host,
        port: configQRS.port,
        useSSL: configQRS.useSSL,
        headers: [...others, IDENTITY],
        rejectUnauthorized: configQRS.rejectUnauthorized,
        certificates: qlik.certificates.current,
      },
    ),
  )
}
