/** A cluster at a simulated site whose leader is killed between storing what is to be done once and doing it. */
import { afterAll, afterEach, beforeAll } from 'bun:test'
import { connectAsync, type MqttClient } from 'mqtt'
import { type Mosquitto, startMosquitto } from '../mosquitto.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../simulator.ts'
import { type SmtpSink, startSmtpSink } from '../smtp-sink.ts'
import { startCluster, type TestCluster } from './cluster.ts'
import { type DatabaseProxy, startDatabaseProxy } from './database-proxy.ts'
import type { ClusterNode } from './node.ts'

export const RESULT_TOPIC = 'qliksense/start_result'
const TIMEOUT = 60_000
const ON = { enable: true }

// One scene serves all tests of a file; `killLeaders` fills it before the first of them.
export let site: TestSite
export let broker: Mosquitto
export let wayToBroker: DatabaseProxy
export let mailbox: SmtpSink
export let cluster: TestCluster
export let client: MqttClient
/** Messages of the result topic. */
export const answers: string[] = []

/** Starts the scene before the tests of a file, and repairs it after each. Called once, at the top level. */
export function killLeaders(): void {
  beforeAll(async () => {
    ;[site, broker, mailbox] = await Promise.all([startSite(), startMosquitto(), startSmtpSink()])
    wayToBroker = await startDatabaseProxy(broker.port)
    const { certificates, ports } = site.simulator
    const { clientCert, clientCertKey, clientCertCA } = certificates
    const headers = { static: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }] }
    // The first leader gets no further with the licences.
    site.simulator.fault({ listener: 'qrs', match: 'license/', mode: 'hang' })
    cluster = await startCluster({
      butler: {
        cert: { clientCert, clientCertKey, clientCertCA },
        configQRS: { host: '127.0.0.1', port: ports.qrs, rejectUnauthorized: true },
        configEngine: { host: '127.0.0.1', port: ports.engine, rejectUnauthorized: true, headers },
        mqttConfig: { ...ON, brokerHost: '127.0.0.1', brokerPort: wayToBroker.port },
        emailNotification: { smtp: { host: '127.0.0.1', port: mailbox.port, tls: { requireTLS: false } } },
        qlikSenseLicense: {
          serverLicenseMonitor: { ...ON, alert: { thresholdDays: 100_000 } },
          licenseRelease: { ...ON, dryRun: false, licenseType: { analyzer: { enable: false } } },
        },
        footman: {
          mqtt: { clientId: 'footman', cleanSession: false, taskStartResultTopic: RESULT_TOPIC },
          reportTask: { ...ON, baseUrl: 'https://reports.acme.example', fromAddress: 'reports@acme.example' },
        },
      },
    })
    client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    client.on('message', (_topic, payload) => answers.push(payload.toString()))
    await client.subscribeAsync(RESULT_TOPIC)
  }, 90_000)
  afterEach(async () => {
    site.simulator.clearFaults()
    mailbox.answer({})
    await cluster.recover()
  }, TIMEOUT)
  afterAll(async () => {
    await client?.endAsync(true)
    await cluster?.[Symbol.asyncDispose]()
    await wayToBroker?.[Symbol.asyncDispose]()
    await Promise.all([site?.[Symbol.asyncDispose](), broker?.stop(), mailbox?.stop()])
  })
}

/** Rows of a table as the database shows them to the next leader. */
export const stored = async (table: string): Promise<number> =>
  (await cluster.database.sql('SELECT 1 FROM footman.replica WHERE tbl = $1 AND NOT deleted', [table])).length

/** Paths that the repository was asked for. */
export const requests = (method: string, part: string): string[] =>
  site.simulator
    .requests({ listener: 'qrs' })
    .filter((one) => one.method === method && one.path.includes(part))
    .map(({ path }) => path)

/** Kills the leader. Resolves with the next one; Qlik Sense is well again when that begins. */
export async function takenOver(leader: ClusterNode): Promise<ClusterNode> {
  await leader.kill()
  site.simulator.clearFaults()
  return cluster.untilLed({ not: leader })
}
