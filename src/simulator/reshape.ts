import { createTask } from './qrs/create.ts'
import type { SimulatedSite } from './types.ts'

/** Adds `count` reload tasks of the first app; returns their ids. */
export function addTasks(site: SimulatedSite, count: number): readonly string[] {
  const app = site.apps.values().next().value
  const ids: string[] = []
  for (let index = 1; index <= count; index++) {
    const body = { name: `Reload ${String(index).padStart(5, '0')}`, app: { id: app?.id } }
    const task = createTask(site, 0, body, 'LAB\\anna')
    site.tasks.set(task.id, task)
    ids.push(task.id)
  }
  return ids
}

/** The failover candidate becomes the central node, with the scheduler's manager on it. */
export function failover(site: SimulatedSite) {
  const old = site.centralNode()
  const next = [...site.nodes.values()].find((node) => node !== old && node.failoverCandidate)
  if (!next) return
  Object.assign(old, { isCentral: false, failoverCandidate: true, schedulerServiceType: 1 })
  Object.assign(next, { isCentral: true, failoverCandidate: false, schedulerServiceType: 2 })
}
