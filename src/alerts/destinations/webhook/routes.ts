/** `Butler.webhookNotification.*` as routes. */
import type { TaskEvent } from '../../../events/types.ts'
import type { PlannedDelivery, Route } from '../../types.ts'
import { type Hook, type HookSection, hookSections, type WebhookDestinationConfig } from './hooks.ts'

/** One route per section that has webhooks. All URLs of a section share one rate-limit slot per subject. */
export function webhookRoutes(config: WebhookDestinationConfig): Route[] {
  if (!config.webhookNotification.enable) return []
  return hookSections(config)
    .filter(({ hooks }) => hooks.length > 0)
    .map((section) => ({
      name: section.routeName,
      destination: 'webhook',
      when: { types: [section.kind.type], outcomes: section.kind.outcomes },
      phase: 'enriched',
      needs: section.kind.needs,
      plan: (event) => section.hooks.map((hook) => delivery(event, section, hook)),
    }))
}

function delivery(event: TaskEvent, section: HookSection, { target, lane, problem }: Hook): PlannedDelivery {
  if (problem) return { target, lane, suppress: { reason: 'RECIPIENT_INVALID', detail: problem } }
  const key = `${section.routeName}|${section.kind.subject(event)}`
  return { target, lane, limit: { key, windowMs: section.rateLimitMs } }
}
