/** `Butler.incidentTool.signl4.*`, one row per event. */

import type { Outcome, TaskEvent } from '../../events/types.ts'
import type { IncidentToolConfig } from '../config-incident.ts'
import { secretsOfUrl } from '../destinations/http.ts'
import { signl4Request } from '../destinations/signl4.ts'
import { marked, taskNameOf } from '../message-text/labels.ts'
import type { Destination, PlannedDelivery, Rule } from '../types.ts'
import { addressProblem, hostOfAddress, laneOfAddress, type SectionDeps, sectionDestination } from './http.ts'

export interface Signl4Config {
  readonly incidentTool: IncidentToolConfig
}

interface Row {
  readonly section: 'reloadTaskFailure' | 'reloadTaskAborted'
  readonly outcome: Outcome
  readonly title: string
  /** In log lines: `SIGNL4 <label> ALERT: ...`. */
  readonly label: string
}

const ROWS: readonly Row[] = [
  {
    section: 'reloadTaskFailure',
    outcome: 'failed',
    title: 'Qlik Sense reload task failed',
    label: 'RELOAD TASK FAILED',
  },
  { section: 'reloadTaskAborted', outcome: 'aborted', title: 'Qlik Sense task aborted', label: 'RELOAD TASK ABORTED' },
]

export interface Signl4Section extends Row {
  readonly routeName: string
  readonly settings: IncidentToolConfig['signl4'][Row['section']]
}

/** The sections that are switched on. */
export function signl4Sections({ incidentTool: { signl4 } }: Signl4Config): readonly Signl4Section[] {
  if (!signl4.enable) return []
  return ROWS.filter(({ section }) => signl4[section].enable).map((row) => ({
    ...row,
    routeName: `butler.incidentTool.signl4.${row.section}`,
    settings: signl4[row.section],
  }))
}

/** The message needs nothing that Qlik Sense would have to be asked for. */
export function signl4Rules(config: Signl4Config): Rule[] {
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
  const problem = addressProblem(url, 'incidentTool.signl4.url')
  if (problem) return { target, lane, suppress: problem }
  return { target, lane, limit: { key: `${routeName}|${event.taskId}`, windowMs: settings.rateLimit * 1000 } }
}

export function createSignl4Destination(deps: SectionDeps, config: Signl4Config): Destination {
  const { url } = config.incidentTool.signl4
  const sections = new Map(signl4Sections(config).map((section) => [section.routeName, section]))
  return sectionDestination(deps, 'signl4', { secrets: secretsOfUrl(url) }, ({ event, rule, kind }) => {
    const section = sections.get(rule.name)
    if (!section) throw new Error(`rule ${rule.name} has no section in the configuration`)
    const { severity, serviceName } = section.settings
    const shown = signl4Request({
      title: marked(section.title, event, kind),
      message: `Task: ${taskNameOf(event)}`,
      severity,
      serviceName,
      externalId: event.taskId,
      resolved: kind === 'recovery',
    })
    const text = `SIGNL4 ${section.label} ALERT: Sending alert about "${taskNameOf(event)}"`
    const announcement = { level: 'verbose', text } as const
    return { call: { url, key: 'Butler.incidentTool.signl4.url', body: JSON.stringify(shown), announcement }, shown }
  })
}
