/** Alerts to on-call teams by SIGNL4. */
import { marked, taskNameOf } from '../../texts/words.ts'
import type { Destination, Message } from '../../types.ts'
import { createHttpSender, type HttpSenderDeps } from '../http-sender.ts'
import { signl4Request } from './request.ts'
import { type Signl4Config, signl4Sections } from './sections.ts'

export { signl4Routes } from './routes.ts'

export function createSignl4Destination(deps: HttpSenderDeps, config: Signl4Config): Destination {
  const { url } = config.incidentTool.signl4
  const sections = new Map(signl4Sections(config).map((section) => [section.routeName, section]))
  const sender = createHttpSender(deps)
  return {
    name: 'signl4',
    type: 'signl4',
    async render({ event, route, target, deliveryId, kind }): Promise<Message> {
      const section = sections.get(route.name)
      if (!section) throw new Error(`route ${route.name} has no section in the configuration`)
      const { severity, serviceName } = section.settings
      const alert = signl4Request({
        title: marked(section.title, event, kind),
        message: `Task: ${taskNameOf(event)}`,
        severity,
        serviceName,
        externalId: event.taskId,
        resolved: kind === 'recovery',
      })
      return { deliveryId, target, subject: null, body: JSON.stringify(alert, null, 2), payload: alert }
    },
    deliver: (batch, signal) =>
      Promise.all(
        batch.map(({ payload, deliveryId }) => sender.post({ url, body: JSON.stringify(payload) }, deliveryId, signal)),
      ),
    async close() {
      sender.close()
    },
  }
}
