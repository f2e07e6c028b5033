/** Messages of the REST API that were given up while the broker was away: they can be sent again. */
import { expect, test } from 'bun:test'
import { DatabaseSync } from 'node:sqlite'
import { footman } from '../support/footman.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { needs } from '../support/servers.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

test('dead messages of REST leave after a resend', async () => {
  const broker = await startMosquitto()
  await using product = await footman({
    simulator: null,
    mqttPort: broker.port,
    args: ['--no-qs-connection'],
    config: {
      restServerEndpointsEnable: { mqttPublishMessage: true },
      footman: { mqtt: { receivedTopics: ['sales/#'] } },
    },
  })
  await product.start()
  await product.process.stop()
  // As a message that waited longer than `delivery.maxAge` is left behind.
  const db = new DatabaseSync(product.directory.join('data', 'footman.db'))
  db.exec(`INSERT INTO mqtt_outgoing (key, body, state, reason, attempts, created_at, dead_at)
      VALUES ('sales/new', '{"topic":"sales/new","payload":"dt=20260302"}', 'dead', 'EXPIRED', 3, ${Date.now()}, ${Date.now()})`)
  db.close()
  await product.start()
  const resend = async (destination: string) =>
    (await product.call('POST', '/v4/deliveries/-/resend', { destination: [destination] })).json()
  expect(await resend('email')).toEqual({ resent: 0 })
  expect(await resend('mqtt')).toEqual({ resent: 1 })
  const received = async () => {
    const { messages } = (await (await product.call('GET', '/v4/mqttmessages')).json()) as {
      messages: { payload: string }[]
    }
    return messages.length > 0 && messages
  }
  expect(await until(received, { timeout: 10_000 })).toMatchObject([{ topic: 'sales/new', payload: 'dt=20260302' }])
  // The broker acknowledges after it has passed the message on.
  await until(() => product.rows('SELECT seq FROM mqtt_outgoing').length === 0)
  await product.process.stop()
  await broker.stop()
}, 60_000)
