/** Release and licences of Qlik Sense: what asks for them, and who asks. */

import type { LicenseDetails } from '../../events/types.ts'
import type { Replaceable } from '../../platform/replaceable.ts'
import type { Service } from '../../platform/types.ts'
import { createAboutClient, type SystemInfo } from '../../qlik/about.ts'
import { createLicenseClient, type LicenseClient } from '../../qlik/qrs/licenses.ts'
import { createQrsTransport } from '../../qlik/qrs/transport.ts'
import { createRecurring } from '../recurring.ts'
import type { Monitor, MonitorParts, MonitorStates, MonitorsConfig, MonitorsOptions, WritePoints } from '../types.ts'
import { createVersionMonitor } from '../version.ts'
import { createLicenseRelease } from './release.ts'
import { createServerLicenseMonitor } from './server.ts'
import { createLicenseUsageMonitor, type LicenseUsage } from './usage.ts'

export type LicenseJobName = 'version' | 'serverLicense' | 'accessLicenses' | 'licenseRelease'
type ReplaceableMonitor = Replaceable<MonitorsConfig, Partial<MonitorStates>>

export interface LicenseMonitors {
  readonly jobs: Readonly<Record<LicenseJobName, ReplaceableMonitor>>
  /** To be started before the monitors, and stopped after them. */
  readonly clients: Service
}

/** Licences concern the whole repository, so requests about them have a user of their own. */
const IDENTITY = { name: 'X-Qlik-User', value: 'UserDirectory=Internal; UserId=sa_repository' }

interface Job {
  /** The name in the line `Skipping ... .`. */
  readonly what: string
  readonly label: string
  /** True for the licence jobs, which the primary node does for the site. */
  readonly primaryOnly: boolean
  /** A node that follows another one looks again, and reports nothing a second time. */
  readonly repeats: boolean
  /** Null = off. */
  readonly make: (config: MonitorsConfig) => Made | null
}

interface Made {
  readonly frequency: string
  readonly run: (signal: AbortSignal, isRepeat: boolean) => Promise<void>
  readonly states?: () => Partial<MonitorStates>
  readonly close?: () => void
}

export function licenseMonitors(
  parts: MonitorParts,
  config: MonitorsConfig,
  options: MonitorsOptions,
  replaceable: (name: string, build: (now: MonitorsConfig) => Monitor) => ReplaceableMonitor,
): LicenseMonitors {
  const { clock, log } = parts
  let client: LicenseClient | null = null
  const licenses = (): LicenseClient => {
    client ??= licenseClient(parts, config)
    return client
  }

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

  function replaceableJob(job: Job): ReplaceableMonitor {
    return replaceable(job.what, (now) => {
      const made = job.make(now)
      if (!made || !mayRun(job)) return { services: [], states: () => ({}) }
      const { run, close, states = () => ({}) } = made
      const work = {
        name: job.what,
        label: job.label,
        atStart: true,
        repeats: job.repeats,
        run,
        frequency: parts.frequency(made.frequency),
      }
      const recurring = createRecurring({ clock, log, onDone: parts.looked, marks: parts.marks }, work)
      const service: Service = {
        ...recurring,
        async stop(graceMs) {
          await recurring.stop(graceMs)
          close?.()
        },
      }
      return { services: [service], states }
    })
  }

  const jobs = jobsOf(parts, options, licenses)
  return {
    jobs: {
      version: replaceableJob(jobs.version),
      serverLicense: replaceableJob(jobs.serverLicense),
      accessLicenses: replaceableJob(jobs.accessLicenses),
      licenseRelease: replaceableJob(jobs.licenseRelease),
    },
    clients: { name: 'client of licence monitors', start: async () => {}, stop: async () => client?.close() },
  }
}

function jobsOf(
  parts: MonitorParts,
  { shadow }: MonitorsOptions,
  licenses: () => LicenseClient,
): Record<LicenseJobName, Job> {
  const { clock, log } = parts
  const { points } = parts.influx
  const { emit } = parts.emitter
  const writePoints: WritePoints | null = points && ((list) => points.writePoints(list))
  return {
    version: {
      what: 'version monitoring',
      label: '[QSEOW] QLIKSENSE VERSION MONITOR',
      primaryOnly: false,
      repeats: true,
      make({ qlikSenseVersion: { versionMonitor }, configQRS, footman }) {
        if (!versionMonitor.enable) return null
        const { rejectUnauthorized, frequency } = versionMonitor
        const host = versionMonitor.host || configQRS.host
        const { port } = footman.versionMonitor
        const certificates = parts.qlik.certificates.current
        const about = createAboutClient({ host, port, rejectUnauthorized, certificates })
        let release: MonitorStates['release'] = null
        const onRelease = (now: SystemInfo) => {
          release = { version: now.version, label: now.releaseLabel }
        }
        const run = createVersionMonitor({ about, clock, log, writePoints, onRelease }, versionMonitor)
        return { frequency, run, close: about.close, states: () => ({ release }) }
      },
    },
    serverLicense: {
      what: 'server license monitoring',
      label: '[QSEOW] QLIK SENSE SERVER LICENSE',
      primaryOnly: true,
      repeats: true,
      make({ qlikSenseLicense: { serverLicenseMonitor }, configQRS }) {
        if (!serverLicenseMonitor.enable) return null
        let details: LicenseDetails | null = null
        const onState = (now: LicenseDetails) => {
          details = now
        }
        return {
          frequency: serverLicenseMonitor.frequency,
          run: createServerLicenseMonitor(
            { licenses: licenses(), emit, clock, log, writePoints, onState },
            { ...serverLicenseMonitor, host: configQRS.host },
          ),
          states: () => ({
            licenseDays: details?.daysRemaining ?? null,
            licenseExpiry: details?.expiryDate?.slice(0, 10) ?? null,
          }),
        }
      },
    },
    accessLicenses: {
      what: 'access license monitoring',
      label: '[QSEOW] END USER ACCESS LICENSE',
      primaryOnly: true,
      repeats: true,
      make({ qlikSenseLicense: { licenseMonitor } }) {
        if (!licenseMonitor.enable) return null
        let usage: readonly LicenseUsage[] = []
        const onUsage = (now: readonly LicenseUsage[]) => {
          usage = now
        }
        return {
          frequency: licenseMonitor.frequency,
          run: createLicenseUsageMonitor({ licenses: licenses(), clock, log, writePoints, onUsage }, licenseMonitor),
          states: () => ({
            licenses: usage.flatMap(({ type, fields: { allocated, available } }) =>
              allocated === undefined ? [] : [{ type, allocated, available: available ?? null }],
            ),
          }),
        }
      },
    },
    licenseRelease: {
      what: 'access license release',
      label: '[QSEOW] QLIKSENSE LICENSE RELEASE',
      primaryOnly: true,
      // It changes the site.
      repeats: false,
      make({ qlikSenseLicense: { licenseRelease }, footman }) {
        const isOn = licenseRelease.enable && Object.values(licenseRelease.licenseType).some(({ enable }) => enable)
        if (!isOn) return null
        const { maxPerRun } = footman.licenseRelease
        return {
          frequency: licenseRelease.frequency,
          run: createLicenseRelease(
            { licenses: licenses(), clock, log, writePoints },
            { ...licenseRelease, dryRun: licenseRelease.dryRun || shadow, maxPerRun },
          ),
        }
      },
    },
  }
}

function licenseClient({ log, qlik, on }: MonitorParts, { configQRS }: MonitorsConfig): LicenseClient {
  const others = configQRS.headers.static.filter(({ name }) => name.toLowerCase() !== 'x-qlik-user')
  return createLicenseClient(
    createQrsTransport(
      { log: log.child('licenses'), observe: on.qrsRequest },
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
