import type { SimNode, SimTask, SimulatedSite } from '../types.ts'

/** Reload, distribute and preload need an engine of a scheduler node; the other types don't. */
const needsEngine = (task: SimTask) => task.taskType !== 1 && task.taskType !== 2

/** Which scheduler nodes may execute, and how many of their engines are busy. */
export function createSlots(site: SimulatedSite) {
  const busy = new Map<string, number>()

  /** Master-only schedulers (type 0) hand out work but do none. */
  const workers = (): SimNode[] =>
    [...site.nodes.values()].filter((node) => node.schedulerEnabled && node.schedulerServiceType !== 0)

  const load = (node: SimNode) => (busy.get(node.id) ?? 0) / node.maxConcurrentEngines

  return {
    /** A node that would run something; null when the site has no scheduler. */
    anyNode: (): SimNode | null => workers()[0] ?? null,
    /** Takes an engine on the least loaded node; null when all are busy. */
    take(task: SimTask): SimNode | null {
      const nodes = workers()
      if (!needsEngine(task)) return nodes[0] ?? null
      const free = nodes.filter((node) => load(node) < 1).sort((a, b) => load(a) - load(b))[0]
      if (free) busy.set(free.id, (busy.get(free.id) ?? 0) + 1)
      return free ?? null
    },
    release(node: SimNode, task: SimTask) {
      if (needsEngine(task)) busy.set(node.id, Math.max(0, (busy.get(node.id) ?? 0) - 1))
    },
    clear: () => busy.clear(),
  }
}
