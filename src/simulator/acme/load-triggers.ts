import { NEVER_MS } from '../entities.ts'
import { createLocalTime } from '../local-time.ts'
import { guid, type ResettableSite } from '../site.ts'
import type { SimEntity } from '../types.ts'
import { CHAINS, SCHEDULES } from './triggers.ts'

/** Far enough ahead to mean "does not expire". */
const NEVER_EXPIRES_MS = Date.UTC(9999, 11, 30, 23, 59, 59)

/** Schedules (schema events) and chains (composite events). */
export function loadTriggers(site: ResettableSite, base: (id: string) => SimEntity) {
  const time = createLocalTime(site.timeZone)
  const year = new Date(site.clock.now()).getUTCFullYear()
  for (const [index, row] of SCHEDULES.entries()) {
    const [hour = 0, minute = 0] = row.at.split(':').map(Number)
    const local = Date.UTC(year, 0, 1, hour, minute)
    const id = guid('41', index + 1)
    site.schemaEvents.set(id, {
      ...base(id),
      name: row.name,
      enabled: true,
      timeZone: site.timeZone,
      daylightSavingTime: 0,
      startDate: local - time.offsetMinutes(local) * 60_000,
      expirationDate: NEVER_EXPIRES_MS,
      schemaFilterDescription: [row.filter],
      incrementDescription: row.increment,
      incrementOption: row.option,
      task: site.tasks.get(row.task)!,
      operational: { id: site.nextId('42'), nextExecution: NEVER_MS, timesTriggered: 0 },
    })
  }
  for (const [index, row] of CHAINS.entries()) {
    const id = guid('43', index + 1)
    site.compositeEvents.set(id, {
      ...base(id),
      name: row.name,
      enabled: true,
      timeConstraint: { days: 0, hours: 0, minutes: row.minutes, seconds: 0 },
      compositeRules: row.rules.map(([task, ruleState]) => ({
        id: site.nextId('44'),
        ruleState,
        task: site.tasks.get(task)!,
        operational: { id: site.nextId('45'), timeStamp: NEVER_MS, currentState: 0 },
      })),
      task: site.tasks.get(row.task)!,
    })
  }
}
