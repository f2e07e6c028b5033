/** Mistakes about Qlik Sense, its certificates and the way of its messages. */
import { writeFileSync } from 'node:fs'
import { logAppenderFile } from '../../../src/qlik/log-appenders.ts'
import type { Simulator } from '../../../src/qlik/simulator/index.ts'
import { siteConfig } from '../doctor-site.ts'
import { freeUdpPort } from '../ports.ts'
import { startSite } from '../simulator.ts'
import type { TempDirectory } from '../temp.ts'
import { until } from '../wait.ts'
import type { Planted, PlantedMistake } from './types.ts'

type Tree = Readonly<Record<string, unknown>>

interface SiteMistake extends Omit<PlantedMistake, 'plant' | 'command'> {
  /** The group to look at; absent = `check` finds it. */
  readonly only?: string
  /** Changes the site, and says what else stands in the file. */
  readonly make: (simulator: Simulator, other: Simulator) => SiteParts | Promise<SiteParts>
}

interface SiteParts {
  readonly qrs?: Tree
  readonly cert?: Tree
  readonly more?: Tree
}

const REFUSED = 1
const BROKEN = 3
const WARNED = 0

const user = (value: string) => ({ headers: { static: [{ name: 'X-Qlik-User', value }] } })

/** Two sites: the one of the configuration, and another one whose files do not belong here. */
async function plantSite({ make, only }: SiteMistake): Promise<Planted> {
  const [site, other] = await Promise.all([startSite(), startSite()])
  const { more, ...parts } = await make(site.simulator, other.simulator)
  return {
    config: { ...siteConfig(site.simulator, parts), ...more },
    args: only === undefined ? [] : ['--only', only],
    async lift() {
      await site[Symbol.asyncDispose]()
      await other[Symbol.asyncDispose]()
    },
  }
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
    ...{ enable: true, recipients: ['ops@acme.example'], fromAddress: 'footman@acme.example' },
    alertEnableByCustomProperty: { enable: true, customPropertyName: GATE, enabledValue: 'Yes', ...gate },
  }
  return { more: { emailNotification: { enable: true, smtp: { host: '127.0.0.1', port: 25 }, reloadTaskFailure } } }
}

const SITE: readonly SiteMistake[] = [
  {
    name: 'certificate missing',
    make: () => ({ cert: { clientCert: '/nowhere/client.pem' } }),
    expect: { exit: REFUSED, message: /does not exist/, fix: /check the path/ },
  },
  {
    name: 'certificate expired',
    only: 'certificate',
    make: ({ certificates }) => ({
      cert: { clientCert: certificates.pem.expiredServer.path, clientCertKey: certificates.serverCertKey },
    }),
    expect: { exit: REFUSED, message: /client certificate ended/, fix: /export the certificates from the QMC again/ },
  },
  {
    name: 'certificate that does not match its key',
    only: 'certificate',
    make: (_site, other) => ({ cert: { clientCertKey: other.certificates.clientCertKey } }),
    expect: { exit: REFUSED, message: /key does not belong/, fix: /export the certificates from the QMC again/ },
  },
  {
    name: 'certificate of another authority',
    only: 'certificate',
    make: (_site, { certificates: { clientCert, clientCertKey } }) => ({ cert: { clientCert, clientCertKey } }),
    expect: { exit: BROKEN, message: /different sites/, fix: /export the certificates again/ },
  },
  {
    name: 'server certificate of another authority',
    only: 'qrs',
    make: (site) => faulty(site, 'tls-unknown-ca'),
    expect: { exit: BROKEN, message: /not of this site/, fix: /export the certificates/ },
  },
  {
    name: 'server certificate expired',
    only: 'qrs',
    make: (site) => faulty(site, 'tls-expired'),
    expect: { exit: BROKEN, message: /ended on/, fix: /renew the certificates/ },
  },
  {
    name: 'host with a scheme',
    make: () => ({ qrs: { host: 'https://qs1.acme.example' } }),
    expect: { exit: REFUSED, message: /without scheme and port/, fix: /./ },
  },
  {
    name: 'X-Qlik-User missing',
    only: 'qrs',
    make: () => ({ qrs: { headers: { static: [{ name: 'X-Other', value: 'x' }] } } }),
    expect: {
      ...{ exit: BROKEN, message: /no X-Qlik-User/ },
      fix: /UserDirectory=Internal;UserId=sa_repository/,
    },
  },
  {
    name: 'X-Qlik-User malformed',
    only: 'qrs',
    make: () => ({ qrs: user('LAB\\anna') }),
    expect: {
      ...{ exit: BROKEN, message: /not of the form/ },
      fix: /UserDirectory=Internal;UserId=sa_repository/,
    },
  },
  {
    name: 'X-Qlik-User that the site does not know',
    only: 'qrs',
    make: () => ({ qrs: user('UserDirectory=LAB;UserId=nobody') }),
    expect: { exit: BROKEN, message: /403.*LAB\\nobody/, fix: /sa_repository/ },
  },
  {
    name: 'QRS port pointing at the proxy',
    only: 'qrs',
    make: (site) => faulty(site, 'proxy'),
    expect: {
      ...{ exit: BROKEN, message: /Qlik Sense proxy/ },
      fix: /set Butler\.configQRS\.port to 4242/,
    },
  },
  {
    name: 'custom property missing in QRS',
    only: 'property',
    make: () => mail({ customPropertyName: 'Butler_NoSuchProperty' }),
    expect: {
      ...{ exit: BROKEN, message: /does not exist in Qlik Sense/ },
      fix: /make "Butler_NoSuchProperty" in the QMC/,
    },
  },
  {
    name: 'custom property without the configured value',
    only: 'property',
    make: () => mail({ enabledValue: 'Ja' }),
    expect: { exit: BROKEN, message: /does not offer the value "Ja"/, fix: /add "Ja" to/ },
  },
  {
    name: 'custom property of the wrong kind of object',
    only: 'property',
    make: ({ site }) => {
      for (const one of site.customPropertyDefinitions.values()) if (one.name === GATE) one.objectTypes = ['App']
      return mail({})
    },
    expect: {
      exit: BROKEN,
      message: /cannot be given to reload tasks/,
      fix: /tick reload tasks/,
    },
  },
  {
    name: 'start filter on but empty',
    only: 'selection',
    make: () => ({
      more: { startTaskFilter: { enable: true, allowTask: { taskId: [], tag: [], customProperty: [] } } },
    }),
    expect: { exit: WARNED, message: /no task at all/, fix: /set enable: false/ },
  },
  {
    name: 'start filter with the id of no task',
    only: 'selection',
    make: () => ({
      more: { startTaskFilter: { enable: true, allowTask: { taskId: ['99999999-0000-4000-8000-000000000001'] } } },
    }),
    expect: { exit: WARNED, message: /the site has no task/, fix: /copy the id of the task/ },
  },
  {
    name: "clock 10 minutes off the QRS's",
    only: 'clock',
    make: (site) => {
      site.advance(10 * 60_000)
      return {}
    },
    expect: {
      exit: BROKEN,
      message: /the server shows .* this machine .* 10 minutes/,
      fix: /time server/,
    },
  },
]

const OFFLINE = ['--no-qs-connection', '--only']

const UDP: readonly PlantedMistake[] = [
  {
    name: 'serverHost that is no address of this machine',
    command: 'doctor',
    async plant() {
      const udpServerConfig = { enable: true, serverHost: '192.0.2.1', portTaskFailure: await freeUdpPort() }
      return { config: { udpServerConfig }, args: [...OFFLINE, 'address'] }
    },
    expect: {
      ...{ exit: BROKEN, code: 'address.foreign', key: 'udpServerConfig.serverHost' },
      message: /192\.0\.2\.1 is no address of this machine/,
      fix: /set Butler\.udpServerConfig\.serverHost to 0\.0\.0\.0/,
    },
  },
  {
    name: 'log appender with the wrong address',
    command: 'doctor',
    plant: (directory) => appender(directory, { address: '192.0.2.1', port: 9998 }),
    expect: {
      ...{ exit: BROKEN, code: 'appender.address' },
      message: /192\.0\.2\.1, which is no address of this machine/,
      fix: /set remoteAddress to/,
    },
  },
  {
    name: 'log appender with the wrong port',
    command: 'doctor',
    plant: (directory) => appender(directory, { address: '127.0.0.1', port: 9997 }),
    expect: { exit: BROKEN, code: 'appender.port', message: /listens on 9998/, fix: /set remotePort to 9998/ },
  },
]

function appender(directory: TempDirectory, target: { readonly address: string; readonly port: number }): Planted {
  writeFileSync(directory.join('LocalLogConfig.xml'), logAppenderFile(target))
  const config = { udpServerConfig: { enable: true, serverHost: '0.0.0.0', portTaskFailure: 9998 } }
  return { config, args: [...OFFLINE, 'appender', '--appender', 'LocalLogConfig.xml'] }
}

export const SITE_MISTAKES: readonly PlantedMistake[] = [
  ...SITE.map((mistake): PlantedMistake => {
    const { name, expect, only } = mistake
    return { name, expect, command: only === undefined ? 'check' : 'doctor', plant: () => plantSite(mistake) }
  }),
  ...UDP,
]
