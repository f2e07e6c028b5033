/** SIGNL4 as routes. */
import type { TaskEvent } from '../../../events/types.ts'
import type { PlannedDelivery, Route } from '../../types.ts'
import { hostOfAddress, laneOfAddress } from '../address.ts'
import { type Signl4Config, type Signl4Section, signl4Sections } from './sections.ts'

/** The message needs nothing that Qlik Sense would have to be asked for. */
export function signl4Routes(config: Signl4Config): Route[] {
  const { url } = config.incidentTool.signl4
  return signl4Sections(config).map((section) => ({
    name: section.routeName,
    destination: 'signl4',
    when: { types: ['reload'], outcomes: [section.outcome] },
    phase: 'enriched',
    needs: [],
    plan: (event) => [plan(event, section, url)],
  }))
}

function plan(event: TaskEvent, { settings, routeName }: Signl4Section, url: string): PlannedDelivery {
  const target = hostOfAddress(url)
  const lane = laneOfAddress('signl4', url)
  const { includeAll, appId } = settings.includeApp
  if (!includeAll && appId.length > 0 && !appId.includes(event.appId)) {
    const detail = `app ${event.appId || '(unknown)'} is not in includeApp.appId`
    return { target, lane, suppress: { reason: 'APP_NOT_INCLUDED', detail } }
  }
  if (!URL.canParse(url) || !/^https?:/i.test(url)) {
    const detail = 'incidentTool.signl4.url must start with http:// or https://'
    return { target, lane, suppress: { reason: 'RECIPIENT_INVALID', detail } }
  }
  return { target, lane, limit: { key: `${routeName}|${event.taskId}`, windowMs: settings.rateLimit * 1000 } }
}
