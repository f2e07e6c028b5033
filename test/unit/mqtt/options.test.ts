import { expect, test } from 'bun:test'
import { connectionOptions, readCertificates } from '../../../src/mqtt/connection.ts'
import { mqttSettings } from '../../integration/mqtt/support.ts'

const readFile = async (path: string) => `text of ${path}`

test('the standard broker: no login, nothing kept or sent again by the library', async () => {
  const settings = mqttSettings(1883)
  expect(await readCertificates(settings, readFile)).toEqual({})
  expect(connectionOptions(settings, 'mqttjs_94684eb6', {})).toEqual({
    protocol: 'mqtt',
    host: '127.0.0.1',
    port: 1883,
    clientId: 'mqttjs_94684eb6',
    clean: true,
    protocolVersion: 4,
    keepalive: 60,
    connectTimeout: 30_000,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    writeCache: false,
    rejectUnauthorized: true,
    will: {
      topic: 'qliksense/butler/mqtt/status',
      payload: Buffer.from('Disconnected from MQTT broker 127.0.0.1:1883, client ID mqttjs_94684eb6'),
      qos: 0,
      retain: false,
    },
  })
})

test('Azure Event Grid: TLS, client certificate, client id as user name, no password', async () => {
  const azureEventGrid = { enable: true, clientId: 'butler', clientCertFile: '/c.pem', clientKeyFile: '/k.pem' }
  const settings = mqttSettings(8883, { mqttConfig: { azureEventGrid }, mqtt: { password: 'x', cleanSession: false } })
  const certificates = await readCertificates(settings, readFile)
  expect(certificates).toEqual({ cert: 'text of /c.pem', key: 'text of /k.pem' })
  expect(connectionOptions(settings, 'butler', certificates)).toMatchObject({
    protocol: 'mqtts',
    username: 'butler',
    clean: true,
    rejectUnauthorized: true,
    cert: 'text of /c.pem',
  })
  expect(connectionOptions(settings, 'butler', certificates)).not.toHaveProperty('password')
})

test('login, persistent session and retained status', () => {
  const mqtt = { username: 'u', password: 'p', cleanSession: false, clientId: 'fixed', retainStatus: true }
  expect(connectionOptions(mqttSettings(1, { mqtt }), 'fixed', {})).toMatchObject({
    username: 'u',
    password: 'p',
    clean: false,
    will: { retain: true },
  })
})
