/** How the members of a schedule are read, with what the configuration has for them. */

import { createPlanner, type Planner, type PlannerDeps, type PlannerSettings } from '../tasks/schedule/plan.ts'
import type { ScheduleAction } from '../tasks/schedule/types.ts'
import { parseStart } from '../tasks/start/parse.ts'
import type { Config } from './schema.ts'

/** `live` gives the configuration in use. */
export function schedulePlanner(
  { windows, calendars }: Pick<PlannerDeps, 'windows' | 'calendars'>,
  live: () => Config,
  settings: PlannerSettings,
): Planner {
  return createPlanner(
    { windows, calendars, parseTarget, checkAction: (action) => actionProblem(action, live()) },
    settings,
  )
}

const parseTarget: PlannerDeps['parseTarget'] = (body) => {
  const { taskIds, tags, customProperties, taskNames, match, keyValues, problems, unknown, selects } = parseStart(body)
  const texts = problems.map((one) => (one.kind === 'taskId' ? `${one.value} is not a task id` : one.details))
  const nothing = selects ? [] : ['it selects nothing; give taskId, tag, customProperty or taskName']
  return {
    selection: { taskIds, tags, customProperties, taskNames, match, keyValues },
    problems: [...texts, ...unknown.map((name) => `${name} is unknown`), ...nothing],
  }
}

function actionProblem(action: ScheduleAction, { footman }: Config): string | null {
  if (action.type !== 'webhook') return null
  const destination = footman.destinations[action.destination]
  if (destination?.type === 'webhook') return null
  return `there is no webhook "${action.destination}" in Butler.footman.destinations`
}
