import type { SimCompositeEvent, SimTask, SimulatedSite } from '../types.ts'
import { STATUS } from './status.ts'

type Start = (task: SimTask) => void

const START_DELAY_MS = 200
const RULE_OF_STATUS: Readonly<Record<number, number>> = { [STATUS.success]: 1, [STATUS.fail]: 2, [STATUS.error]: 2 }

/** Follows composite events: when all rules of one are true within its time constraint, its task starts. */
export function createChains(site: SimulatedSite, start: Start): { stop(): void } {
  const unsubscribe = site.on('state', ({ task, execution, final }) => {
    if (!final) return
    for (const event of site.compositeEvents.values()) note(event, task, execution.status, execution.stopTime)
  })

  function note(event: SimCompositeEvent, task: SimTask, status: number, at: number) {
    const touched = event.compositeRules.filter((rule) => rule.task === task)
    if (!event.enabled || touched.length === 0) return
    for (const rule of touched) {
      rule.operational.currentState = RULE_OF_STATUS[status] ?? 0
      rule.operational.timeStamp = at
    }
    if (!fulfilled(event, at)) return
    for (const rule of event.compositeRules) rule.operational.currentState = 0
    site.clock.schedule(START_DELAY_MS, () => start(event.task))
  }

  return { stop: () => void unsubscribe() }
}

function fulfilled(event: SimCompositeEvent, now: number): boolean {
  const { days, hours, minutes, seconds } = event.timeConstraint
  const windowMs = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
  return event.compositeRules.every(
    ({ ruleState, operational }) =>
      operational.currentState === ruleState && (windowMs === 0 || now - operational.timeStamp <= windowMs),
  )
}
