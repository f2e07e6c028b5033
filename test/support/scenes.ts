/** A site, receivers and the executable for one test each. */
import { afterEach } from 'bun:test'
import { type FootmanSettings, footman } from './footman.ts'
import { startHttpSink } from './http-sink.ts'
import { startMosquitto } from './mosquitto.ts'
import { startSite } from './simulator.ts'
import { startSmtpSink } from './smtp-sink.ts'

/** Makes scenes, which end after the test that asked for them, with the further `cleanups` of it. Called once, at the top level of a test file. */
export function scenes() {
  const cleanups: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })

  async function scene(settings: Partial<FootmanSettings> & { mqtt?: boolean } = {}) {
    const [site, webhooks, mailbox] = await Promise.all([startSite(), startHttpSink(), startSmtpSink()])
    const broker = settings.mqtt ? await startMosquitto() : null
    cleanups.push(
      async () => site[Symbol.asyncDispose](),
      () => webhooks.stop(),
      () => mailbox.stop(),
    )
    if (broker) cleanups.push(() => broker.stop())
    const product = await footman({
      simulator: site.simulator,
      webhookUrl: `${webhooks.url}/hook`,
      smtpPort: mailbox.port,
      mqttPort: broker?.port,
      ...settings,
    })
    cleanups.push(async () => product[Symbol.asyncDispose]())
    return { site, webhooks, mailbox, broker, product }
  }

  return { scene, cleanups }
}
