/** Mistakes that show only when the servers and this machine are asked. */

import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { certificatePair } from '../certificates.ts'
import { canMount, smallDisk } from '../disks.ts'
import { influxDouble } from '../influx-double.ts'
import { freeTcpPort } from '../ports.ts'
import { startSmtpSink } from '../smtp-sink.ts'
import type { PlantedMistake, PlantPlace } from './types.ts'

/** The group that is tested. */
type Row = Omit<PlantedMistake, 'command' | 'args'> & { readonly only: string }

const BROKEN = 3
const NO_START = 1
const WARNED = 0

const mail = (port: number, smtp: object) => ({
  emailNotification: { enable: true, smtp: { host: '127.0.0.1', port, ...smtp } },
})

async function mailServer(place: PlantPlace, options: Parameters<typeof startSmtpSink>[0] = {}): Promise<number> {
  const sink = await startSmtpSink(options)
  place.onEnd(() => sink.stop())
  return sink.port
}

function disk({ directory, onEnd }: PlantPlace, size: string): string {
  const path = join(directory, 'data')
  onEnd(smallDisk(path, size))
  return path
}

const ROWS: readonly Row[] = [
  {
    name: 'port in use',
    only: 'ports',
    async plant({ onEnd }) {
      const server = createServer()
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
      onEnd(() => server.close())
      const { port } = server.address() as AddressInfo
      return { restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: port } }
    },
    expect: { code: BROKEN, message: /in use by/, fix: /stop that program, or change .*serverPort/ },
  },
  {
    name: 'secure: true where the mail server begins without TLS',
    only: 'smtp',
    plant: async (place) => mail(await mailServer(place), { secure: true, tls: { requireTLS: false } }),
    expect: { code: BROKEN, message: /secure is true, but the server speaks plain SMTP/, fix: /secure to false/ },
  },
  {
    name: 'mail server that is not there',
    only: 'smtp',
    plant: async () => mail(await freeTcpPort(), {}),
    expect: { code: BROKEN, message: /refused the connection/, fix: /smtp\.port/ },
  },
  {
    name: 'mail server that refuses the login',
    only: 'smtp',
    async plant(place) {
      const port = await mailServer(place, { login: { user: 'footman', password: 'right' } })
      return mail(port, { auth: { enable: true, user: 'footman', password: 'wrong' }, tls: { requireTLS: false } })
    },
    expect: { code: BROKEN, message: /the login is refused: 5\d\d/, fix: /smtp\.auth\.user/ },
  },
  {
    name: 'mail server with a certificate of an unknown authority',
    only: 'smtp',
    plant: async (place) => mail(await mailServer(place, { tls: await certificatePair('127.0.0.1') }), {}),
    expect: { code: BROKEN, message: /signed by "Test authority", which is not trusted/, fix: /NODE_EXTRA_CA_CERTS/ },
  },
  {
    name: 'InfluxDB token refused',
    only: 'influxdb',
    async plant({ onEnd }) {
      const influx = await influxDouble({ version: 2, token: 'right', buckets: ['butler'] })
      onEnd(() => influx[Symbol.asyncDispose]())
      const v2Config = { org: 'my org', bucket: 'butler', token: 'wrong' }
      return { influxDb: { enable: true, hostIP: '127.0.0.1', hostPort: influx.port, version: 2, v2Config } }
    },
    expect: { code: BROKEN, message: /the token is refused: HTTP 401/, fix: /v2Config\.token/ },
  },
  {
    name: 'broker that is not there',
    only: 'mqtt',
    plant: async () => ({ mqttConfig: { enable: true, brokerHost: '127.0.0.1', brokerPort: await freeTcpPort() } }),
    expect: { code: BROKEN, message: /refused the connection/, fix: /mqttConfig\.brokerPort/ },
  },
  {
    name: 'webhook of an unknown host',
    only: 'destinations',
    plant: () => ({
      slackNotification: {
        enable: true,
        reloadTaskFailure: { enable: true, webhookURL: 'https://hooks.slack.invalid/services/x' },
      },
    }),
    expect: { code: BROKEN, message: /cannot be resolved/, fix: /reloadTaskFailure\.webhookURL/ },
  },
  {
    name: 'certificate of the REST API that does not fit its key',
    only: 'key-pairs',
    async plant({ directory }) {
      const [one, other] = await Promise.all([certificatePair('127.0.0.1'), certificatePair('127.0.0.1')])
      writeFileSync(join(directory, 'cert.pem'), one.cert)
      writeFileSync(join(directory, 'key.pem'), other.key)
      const tls = { enable: true, cert: 'cert.pem', key: 'key.pem' }
      return { restServerConfig: { enable: true, serverHost: '127.0.0.1', tls } }
    },
    expect: { code: BROKEN, message: /does not belong to the certificate/, fix: /restServerConfig\.tls\.key/ },
  },
  {
    name: 'data directory read-only',
    only: 'data-directory',
    possible: canMount,
    plant(place) {
      const dataDirectory = disk(place, '1m')
      spawnSync('mount', ['-o', 'remount,ro', dataDirectory])
      return { footman: { dataDirectory } }
    },
    expect: { code: BROKEN, message: /cannot be written/, fix: /mount it writable/ },
  },
  {
    name: 'disk nearly full',
    only: 'data-directory',
    possible: canMount,
    plant: (place) => ({ footman: { dataDirectory: disk(place, '200m') } }),
    expect: { code: WARNED, message: /only 200 MB \(100 %\) are free/, fix: /make room/ },
  },
  {
    name: 'data directory that is a file',
    only: 'data-directory',
    plant({ directory }) {
      writeFileSync(join(directory, 'data'), '')
      return {}
    },
    expect: { code: NO_START, message: /cannot be written, .*is a file/, fix: /footman\.dataDirectory/ },
  },
  {
    name: 'log directory that is a file',
    only: 'log-directory',
    plant({ directory }) {
      writeFileSync(join(directory, 'log'), '')
      return { fileLogging: true, logDirectory: join(directory, 'log') }
    },
    expect: { code: BROKEN, message: /no log can be written/, fix: /logDirectory/ },
  },
  {
    name: 'secrets that every account can read',
    only: 'secrets',
    possible: process.platform !== 'win32',
    plant: ({ directory }) => {
      mkdirSync(join(directory, 'certificates'))
      writeFileSync(join(directory, 'certificates', 'key.pem'), '', { mode: 0o644 })
      writeFileSync(join(directory, 'certificates', 'cert.pem'), '')
      const tls = { enable: true, cert: 'certificates/cert.pem', key: 'certificates/key.pem' }
      return { restServerConfig: { enable: true, serverHost: '127.0.0.1', tls } }
    },
    expect: { code: WARNED, message: /can be read by every account/, fix: /chmod o-r/ },
  },
]

/** All of them are found by `footman doctor`. */
export const PEER_MISTAKES: readonly PlantedMistake[] = ROWS.map(({ only, ...row }) => ({
  ...row,
  command: 'doctor',
  args: ['--no-qs-connection', '--timeout', '5s', '--only', only],
}))
