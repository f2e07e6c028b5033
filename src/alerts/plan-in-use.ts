/** The plan of alerts that is followed, until another one takes its place. */
import type { AlertPlan } from './plan.ts'
import type { ListedRule } from './rules/explain.ts'
import type { Destination } from './types.ts'

/** Its map and lists stay, and change with the plan. */
export interface PlanInUse {
  readonly current: AlertPlan
  readonly destinations: ReadonlyMap<string, Destination>
  readonly all: readonly Destination[]
  readonly listed: readonly ListedRule[]
  /** Messages that are being sent end on the connections of the plan before. */
  follow(next: AlertPlan): void
  /** Closes all connections; the destinations in use are closed by the outbox. */
  close(): Promise<void>
}

/** Making and sending a message take less: a destination that was replaced is closed then. */
const LONGEST_SEND_MS = 100_000

export function createPlanInUse(first: AlertPlan): PlanInUse {
  let current = first
  const destinations = new Map(first.registry.byName)
  const all = [...first.registry.all]
  const listed = [...first.listed]
  const replaced = new Map<AlertPlan, ReturnType<typeof setTimeout>>()

  async function closeReplaced(old: AlertPlan): Promise<void> {
    clearTimeout(replaced.get(old))
    replaced.delete(old)
    await Promise.allSettled(old.registry.all.map((destination) => destination.close?.()))
    old.closeMail()
  }

  return {
    get current() {
      return current
    },
    destinations,
    all,
    listed,
    follow(next) {
      const old = current
      replaced.set(old, setTimeout(() => void closeReplaced(old), LONGEST_SEND_MS).unref())
      current = next
      destinations.clear()
      for (const [name, destination] of next.registry.byName) destinations.set(name, destination)
      all.splice(0, all.length, ...next.registry.all)
      listed.splice(0, listed.length, ...next.listed)
    },
    async close() {
      current.closeMail()
      await Promise.all([...replaced.keys()].map(closeReplaced))
    },
  }
}
