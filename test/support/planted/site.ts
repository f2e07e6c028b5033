/** Mistakes about Qlik Sense, its certificates and the way of its messages. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Simulator } from '../../../simulator/index.ts'
import { logAppenderFile } from '../../../src/qlik/log-appenders.ts'
import { siteConfig } from '../doctor-site.ts'
import { freeUdpPort } from '../ports.ts'
import { startSite } from '../simulator.ts'
import { until } from '../wait.ts'
import type { PlantedMistake, PlantPlace } from './types.ts'

type Tree = Readonly<Record<string, unknown>>

interface SiteMistake extends Omit<PlantedMistake, 'plant' | 'command' | 'args'> {
  /** The group to look at; absent = `check` finds it. */
  readonly only?: string
  /** Changes the site, and returns further settings of the file. */
  readonly make: (simulator: Simulator, other: () => Promise<Simulator>) => SiteParts | Promise<SiteParts>
}

interface SiteParts {
  readonly qrs?: Tree
  readonly cert?: Tree
  readonly more?: Tree
}

const REFUSED = 1
/** It starts without the connection. */
const OFF = 3
const BROKEN = 3
const WARNED = 0

const user = (value: string) => ({ headers: { static: [{ name: 'X-Qlik-User', value }] } })

/** The site of the configuration; and another one whose files do not belong here, where it is asked for. */
async function plantSite({ directory, onEnd }: PlantPlace, { make }: SiteMistake): Promise<object> {
  async function start(certificateDirectory?: string): Promise<Simulator> {
    const site = await startSite(certificateDirectory === undefined ? {} : { certificateDirectory })
    onEnd(() => site[Symbol.asyncDispose]())
    return site.simulator
  }
  const simulator = await start()
  const { more, ...parts } = await make(simulator, () => start(join(directory, 'other-site')))
  return { ...siteConfig(simulator, parts), ...more }
}

async function faulty(simulator: Simulator, mode: string): Promise<SiteParts> {
  simulator.fault({ listener: 'qrs', mode })
  // The port is opened anew, with the same number.
  await until(() => simulator.ports.qrs > 0)
  return {}
}

const GATE = 'Butler_FailedAlertEnableEmail'

function mail(gate: Tree): SiteParts {
  const reloadTaskFailure = {
    enable: true,
    recipients: ['ops@acme.example'],
    fromAddress: 'footman@acme.example',
    alertEnableByCustomProperty: { enable: true, customPropertyName: GATE, enabledValue: 'Yes', ...gate },
  }
  return { more: { emailNotification: { enable: true, smtp: { host: '127.0.0.1', port: 25 }, reloadTaskFailure } } }
}

const SITE: readonly SiteMistake[] = [
  {
    name: 'certificate missing',
    make: () => ({ cert: { clientCert: '/nowhere/client.pem' } }),
    expect: { code: OFF, message: /does not exist/, fix: /check the path/ },
  },
  {
    name: 'certificate expired',
    only: 'certificate',
    make: ({ certificates }) => ({
      cert: { clientCert: certificates.pem.expiredServer.path, clientCertKey: certificates.serverCertKey },
    }),
    expect: { code: REFUSED, message: /client certificate ended/, fix: /export the certificates .*QMC/ },
  },
  {
    name: 'certificate that does not match its key',
    only: 'certificate',
    make: async (_site, other) => ({ cert: { clientCertKey: (await other()).certificates.clientCertKey } }),
    expect: { code: REFUSED, message: /key does not belong/, fix: /export the certificates .*QMC/ },
  },
  {
    name: 'certificate of another authority',
    only: 'certificate',
    async make(_site, other) {
      const { clientCert, clientCertKey } = (await other()).certificates
      return { cert: { clientCert, clientCertKey } }
    },
    expect: { code: BROKEN, message: /different sites/, fix: /export the certificates again/ },
  },
  {
    name: 'server certificate of another authority',
    only: 'qrs',
    make: (site) => faulty(site, 'tls-unknown-ca'),
    expect: { code: BROKEN, message: /not of this site/, fix: /export the certificates/ },
  },
  {
    name: 'server certificate expired',
    only: 'qrs',
    make: (site) => faulty(site, 'tls-expired'),
    expect: { code: BROKEN, message: /ended on/, fix: /renew the certificates/ },
  },
  {
    name: 'host with a scheme',
    make: () => ({ qrs: { host: 'https://qs1.acme.example' } }),
    expect: { code: REFUSED, message: /without scheme and port/, fix: /./ },
  },
  {
    name: 'X-Qlik-User missing',
    only: 'qrs',
    make: () => ({ qrs: { headers: { static: [{ name: 'X-Other', value: 'x' }] } } }),
    expect: {
      code: BROKEN,
      message: /no X-Qlik-User/,
      fix: /UserDirectory=Internal;UserId=sa_repository/,
    },
  },
  {
    name: 'X-Qlik-User malformed',
    only: 'qrs',
    make: () => ({ qrs: user('LAB\\anna') }),
    expect: {
      code: BROKEN,
      message: /not of the form/,
      fix: /UserDirectory=Internal;UserId=sa_repository/,
    },
  },
  {
    name: 'X-Qlik-User that the site does not know',
    only: 'qrs',
    make: () => ({ qrs: user('UserDirectory=LAB;UserId=nobody') }),
    expect: { code: BROKEN, message: /403.*LAB\\nobody/, fix: /sa_repository/ },
  },
  {
    name: 'QRS port pointing at the proxy',
    only: 'qrs',
    make: (site) => faulty(site, 'proxy'),
    expect: {
      code: BROKEN,
      message: /Qlik Sense proxy/,
      fix: /set Butler\.configQRS\.port to 4242/,
    },
  },
  {
    name: 'custom property missing in QRS',
    only: 'property',
    make: () => mail({ customPropertyName: 'Butler_NoSuchProperty' }),
    expect: {
      code: BROKEN,
      message: /does not exist in Qlik Sense/,
      fix: /make "Butler_NoSuchProperty" in the QMC/,
    },
  },
  {
    name: 'custom property without the configured value',
    only: 'property',
    make: () => mail({ enabledValue: 'Ja' }),
    expect: { code: BROKEN, message: /does not offer the value "Ja"/, fix: /add "Ja" to/ },
  },
  {
    name: 'custom property of the wrong kind of object',
    only: 'property',
    make: ({ site }) => {
      for (const one of site.customPropertyDefinitions.values()) if (one.name === GATE) one.objectTypes = ['App']
      return mail({})
    },
    expect: {
      code: BROKEN,
      message: /cannot be given to reload tasks/,
      fix: /tick reload tasks/,
    },
  },
  {
    name: 'start filter with the id of no task',
    only: 'selection',
    make: () => ({
      more: { startTaskFilter: { enable: true, allowTask: { taskId: ['99999999-0000-4000-8000-000000000001'] } } },
    }),
    expect: { code: WARNED, message: /the site has no task/, fix: /copy the id of the task/ },
  },
  {
    name: "clock 10 minutes off the QRS's",
    only: 'clock',
    make: (site) => {
      site.advance(10 * 60_000)
      return {}
    },
    expect: {
      code: BROKEN,
      message: /the server shows .* this machine .* 10 minutes/,
      fix: /time server/,
    },
  },
]

const OFFLINE = ['--no-qs-connection', '--only']
const APPENDER = { command: 'doctor', args: [...OFFLINE, 'appender', '--appender', 'LocalLogConfig.xml'] } as const

const UDP: readonly PlantedMistake[] = [
  {
    name: 'serverHost that is no address of this machine',
    command: 'doctor',
    args: [...OFFLINE, 'address'],
    async plant() {
      return { udpServerConfig: { enable: true, serverHost: '192.0.2.1', portTaskFailure: await freeUdpPort() } }
    },
    expect: {
      code: BROKEN,
      message: /192\.0\.2\.1 is no address of this machine/,
      fix: /set Butler\.udpServerConfig\.serverHost to 0\.0\.0\.0/,
    },
  },
  {
    name: 'log appender with the wrong address',
    ...APPENDER,
    plant: (place) => appender(place, { address: '192.0.2.1', port: 9998 }),
    expect: {
      code: BROKEN,
      message: /192\.0\.2\.1, which is no address of this machine/,
      fix: /set remoteAddress to/,
    },
  },
  {
    name: 'log appender with the wrong port',
    ...APPENDER,
    plant: (place) => appender(place, { address: '127.0.0.1', port: 9997 }),
    expect: { code: BROKEN, message: /listens on 9998/, fix: /set remotePort to 9998/ },
  },
]

function appender({ directory }: PlantPlace, target: { readonly address: string; readonly port: number }): object {
  writeFileSync(join(directory, 'LocalLogConfig.xml'), logAppenderFile(target))
  return { udpServerConfig: { enable: true, serverHost: '0.0.0.0', portTaskFailure: 9998 } }
}

export const SITE_MISTAKES: readonly PlantedMistake[] = [
  ...SITE.map((mistake): PlantedMistake => {
    const { name, expect, only } = mistake
    const how =
      only === undefined ? ({ command: 'check' } as const) : ({ command: 'doctor', args: ['--only', only] } as const)
    return { name, expect, ...how, plant: (place) => plantSite(place, mistake) }
  }),
  ...UDP,
]
