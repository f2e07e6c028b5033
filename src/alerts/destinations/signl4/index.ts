/** Alerts to on-call teams by SIGNL4. */
import type { Logger } from '../../../platform/types.ts'
import { marked, taskNameOf } from '../../texts/words.ts'
import type { Destination, Message } from '../../types.ts'
import { createHttpSender, type HttpSenderDeps } from '../http-sender.ts'
import { signl4Request } from './request.ts'
import { type Signl4Config, signl4Sections } from './sections.ts'

export { signl4Routes } from './routes.ts'

interface Signl4Payload {
  readonly body: string
  readonly announcement: string
}

export function createSignl4Destination(
  deps: HttpSenderDeps & { readonly log: Logger },
  config: Signl4Config,
): Destination {
  const { url } = config.incidentTool.signl4
  const sections = new Map(signl4Sections(config).map((section) => [section.routeName, section]))
  const sender = createHttpSender(deps)
  function send({ payload, deliveryId }: Message, signal: AbortSignal) {
    const { body, announcement } = payload as Signl4Payload
    deps.log.info(announcement)
    return sender.post({ url, body }, deliveryId, signal)
  }

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
      const announcement = `SIGNL4 ${section.label} ALERT: Sending alert about "${taskNameOf(event)}"`
      const payload: Signl4Payload = { body: JSON.stringify(alert), announcement }
      return { deliveryId, target, subject: null, body: JSON.stringify(alert, null, 2), payload }
    },
    deliver: (batch, signal) => Promise.all(batch.map((message) => send(message, signal))),
    async close() {
      sender.close()
    },
  }
}
