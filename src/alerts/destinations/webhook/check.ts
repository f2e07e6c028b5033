/** What is wrong with the settings of webhooks; the other webhooks are called all the same. */
import type { SettingProblem } from '../setting-problem.ts'
import { hookSections, type WebhookDestinationConfig } from './hooks.ts'

export function webhookProblems(config: WebhookDestinationConfig): readonly SettingProblem[] {
  if (!config.webhookNotification.enable) return []
  return hookSections(config).flatMap(({ kind, hooks }) =>
    hooks.flatMap(({ problem }, index) => {
      if (!problem) return []
      const path = `Butler.webhookNotification.${kind.section}.webhooks[${index}]`
      return [{ severity: 'error' as const, path, message: problem, hint: 'this webhook is never called' }]
    }),
  )
}
