/** Nine usual mistakes, and where each of them shows: in the log of the start, in `check` and in `doctor`. */
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { freeTcpPort } from '../ports.ts'
import type { PlantPlace } from './types.ts'

/** Texts that one output has to contain: the thing, the place, and the remedy. */
type Said = readonly [what: RegExp, where: RegExp, remedy: RegExp]

export interface NineRow {
  readonly name: string
  readonly plant: (place: PlantPlace) => object | string | Promise<object | string>
  readonly args?: readonly string[]
  readonly start: Said
  /** A text says why `check` cannot see the mistake. */
  readonly check: Said | string
  readonly doctor: Said
}

const OFFLINE = ['--no-qs-connection']
const LINES = /indent the lines of one section alike/

const qrs = (port: number, clientCert: string) => ({
  cert: { clientCert, clientCertKey: 'key.pem', clientCertCA: 'ca.pem' },
  configQRS: {
    host: '127.0.0.1',
    port,
    headers: { static: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal;UserId=sa_repository' }] },
  },
})

const mail = (section: object) => ({
  emailNotification: {
    enable: true,
    smtp: { host: '127.0.0.1', port: 25 },
    reloadTaskFailure: { enable: true, recipients: ['ops@acme.example'], fromAddress: 'qlik@acme.example' },
    ...section,
  },
})

async function takenPort({ onEnd }: PlantPlace): Promise<number> {
  const server = createServer()
  const port = await freeTcpPort()
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
  onEnd(() => server.close())
  return port
}

const same = (said: Said) => ({ start: said, check: said, doctor: said })

export const NINE_MISTAKES: readonly NineRow[] = [
  {
    name: 'wrong QRS port',
    plant: async ({ directory }) => {
      const port = await freeTcpPort()
      const { testCertificates } = await import('../conformance/certificates.ts')
      const { ca, client } = await testCertificates()
      writeFileSync(join(directory, 'client.pem'), client.cert.pem)
      writeFileSync(join(directory, 'key.pem'), client.key.pem)
      writeFileSync(join(directory, 'ca.pem'), ca.pem)
      return qrs(port, 'client.pem')
    },
    start: [/QRS: not reachable/, /127\.0\.0\.1:\d+ refused/, /Check Butler\.configQRS .*"footman doctor" tests/],
    check: 'it connects to nothing',
    doctor: [/refused the connection \[qrs\.refused\]/, /127\.0\.0\.1:\d+/, /check .*Butler\.configQRS\.port/],
  },
  {
    name: 'certificate path that leads nowhere',
    plant: () => qrs(4242, 'no-such-folder/client.pem'),
    start: [
      /the file "no-such-folder\/client\.pem" does not exist/,
      /tried \/.*butler\.yaml:\d+/,
      /Hint: check the path/,
    ],
    check: [
      /the file "no-such-folder\/client\.pem" does not exist/,
      /butler\.yaml:\d+:\d+ .*tried \//,
      /check the path/,
    ],
    doctor: [/certificate does not exist/, /\/no-such-folder\/client\.pem/, /correct Butler\.cert\.clientCert/],
  },
  {
    name: 'tab in YAML',
    plant: () => 'Butler:\n  logLevel: info\n\theartbeat:\n    enable: true\n',
    args: OFFLINE,
    ...same([/Tabs are not allowed as indentation; Footman does not start/, /butler\.yaml:3:1/, /indent with blanks/]),
  },
  {
    name: 'wrong indent',
    plant: () => 'Butler:\n  logLevel: info\n   heartbeat:\n    enable: true\n',
    args: OFFLINE,
    ...same([/indented by 3 blanks, the line above it by 2 blanks; Footman does not start/, /butler\.yaml:3:4/, LINES]),
  },
  {
    name: 'misspelt key',
    plant: () => ({ hartbeat: { enable: true } }),
    args: OFFLINE,
    ...same([/Butler\.hartbeat: unknown key/, /butler\.yaml:\d+:\d+/, /did you mean heartbeat\?/]),
  },
  {
    name: 'wrong SMTP host',
    plant: () => mail({ smtp: { host: 'mail.acme.invalid', port: 25 } }),
    args: OFFLINE,
    start: [/the name mail\.acme\.invalid cannot be resolved/, /smtp\.host: .*butler\.yaml:\d+/, /Hint: correct it/],
    check: 'it connects to nothing',
    doctor: [/the name mail\.acme\.invalid cannot be resolved/, /mail\.acme\.invalid:25/, /check Butler\..*smtp\.host/],
  },
  {
    name: 'two instances on one port',
    plant: async (place) => ({
      restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: await takenPort(place) },
    }),
    args: OFFLINE,
    start: [
      /the port is in use by \S+ \(process \d+\)\./,
      /TCP 127\.0\.0\.1:\d+/,
      /Free the port, or change .*serverPort/,
    ],
    check: 'it opens no port, and a Footman that runs with this file has it rightly',
    doctor: [/in use by \S+ \(process \d+\)/, /TCP 127\.0\.0\.1:\d+/, /stop that program, or change .*serverPort/],
  },
  {
    name: 'data directory that cannot be written',
    plant({ directory }) {
      writeFileSync(join(directory, 'occupied'), '')
      return { footman: { dataDirectory: 'occupied/data' } }
    },
    args: OFFLINE,
    start: [
      /The data directory .* is not usable/,
      /\/occupied\/data/,
      /name another folder in Butler\.footman\.dataDir/,
    ],
    check: [/the data directory .* cannot be made/, /\/occupied is a file; Footman does not start/, /name a folder/],
    doctor: [
      /cannot be written, so Footman does not start/,
      /\/occupied\/data/,
      /name a folder in Butler\.footman\.dataDir/,
    ],
  },
  {
    name: 'unknown template',
    plant: () =>
      mail({
        reloadTaskFailure: {
          enable: true,
          recipients: ['ops@acme.example'],
          fromAddress: 'qlik@acme.example',
          bodyFileDirectory: 'templates',
          htmlTemplateFile: 'failed',
        },
      }),
    args: OFFLINE,
    ...same([/no template "failed" in "templates"/, /looked in \/\S*\/templates/, /put the file there, or correct/]),
  },
]
