/** Every destination reads the same event. */
import { expect, test } from 'bun:test'
import { createEmailDestination, emailRules } from '../../../src/alerts/butler-sections/email.ts'
import { createMqttDestination, mqttRules } from '../../../src/alerts/butler-sections/mqtt.ts'
import { createWebhookDestination, webhookRules } from '../../../src/alerts/butler-sections/webhooks.ts'
import { createInfluxDestination, influxRules } from '../../../src/alerts/destinations/influxdb.ts'
import type { Destination, Rule } from '../../../src/alerts/types.ts'
import { emailConfig, fullEvent, renderInput, STOCKHOLM, templateEngine, webhookConfig } from '../../support/alerts.ts'
import { configOf, loadText } from '../../support/config.ts'
import { influxConfig } from '../../support/influx-events.ts'
import { influxServer } from '../../support/influx-server.ts'
import { recordingLog } from '../../support/recording-log.ts'

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}

test('no destination changes it', async () => {
  const deps = { log: recordingLog(), clock: { now: Date.now } }
  const mails = emailConfig(
    { reloadTaskFailure: { enable: true, recipients: ['ops@acme.example'] } },
    {
      attachScriptLog: true,
    },
  )
  const webhooks = [{ description: 'x', webhookURL: 'https://a.example/', httpMethod: 'POST' }]
  const hooks = webhookConfig({ reloadTaskFailure: { webhooks } })
  const config = await configOf(loadText('Butler: {mqttConfig: {enable: true, brokerHost: b}}'))
  const mqtt = {
    connected: true,
    onConnected() {},
    onMessage() {},
    publishStatus() {},
    publish: async () => {},
  }
  const points = influxConfig()
  const { server } = influxServer({})
  const influx = createInfluxDestination({ server, times: STOCKHOLM, earlierTwins: () => 0 }, points)
  const all: [Destination, readonly Rule[]][] = [
    [createEmailDestination({ ...deps, engine: templateEngine(), times: STOCKHOLM }, mails), emailRules(mails)],
    [createWebhookDestination({ ...deps, candidates: (path: string) => [path] }, hooks), webhookRules(hooks)],
    [createMqttDestination({ mqtt }), mqttRules(config).filter(({ when }) => when.outcomes.includes('failed'))],
    [influx, influxRules(points).filter(({ when }) => when.types.includes('reload'))],
  ]
  const event = deepFreeze(fullEvent())
  for (const [destination, routes] of all) {
    expect(routes.length).toBeGreaterThan(0)
    for (const route of routes) {
      // A change of a frozen object throws.
      expect(await destination.render(renderInput(route, event))).toMatchObject({ deliveryId: expect.any(String) })
    }
    await destination.close?.()
  }
})
