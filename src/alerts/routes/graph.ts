/** The chains of the site, as QRS had them the last time it was asked; read again every hour and for tasks it does not know. */
import type { Clock, Logger } from '../../platform/types.ts'
import type { ChainLink, ChainReader, QrsClient, QrsNamed } from '../../qlik/qrs/types.ts'

export interface ChainGraph {
  /** The tasks that run only after this one has succeeded, in the order of the chain; each once, never itself. */
  downstream(taskId: string): readonly QrsNamed[]
  /** Resolves when the chains of the task are as known as they can be; never rejects. */
  ensure(taskId: string): Promise<void>
}

export interface GraphSettings {
  /** Default an hour. */
  readonly refreshMs?: number
  /** A task without chains is not asked about more often than this; default a minute. */
  readonly missMs?: number
  /** An event waits no longer for an answer; default 5 s. */
  readonly patienceMs?: number
}

export interface GraphDeps {
  readonly qrs: ChainReader
  readonly clock: Clock
  readonly log: Logger
}

export function createChainGraph(deps: GraphDeps, settings: GraphSettings = {}): ChainGraph {
  const { refreshMs = 3_600_000, missMs = 60_000, patienceMs = 5000 } = settings
  const { clock, log } = deps
  let after: ReadonlyMap<string, readonly QrsNamed[]> = new Map()
  let known: ReadonlySet<string> = new Set()
  let readAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | null = null
  let complained = false

  async function read(): Promise<void> {
    triedAt = clock.now()
    try {
      const links = await deps.qrs.chainLinks(AbortSignal.timeout(30_000))
      after = byTask(links)
      known = new Set(links.flatMap((link) => [link.after.id, link.task.id]))
      readAt = triedAt
      complained = false
    } catch (error) {
      const text = `NOTIFY The chains of tasks could not be read: ${error instanceof Error ? error.message : error}`
      if (complained) log.verbose(text)
      else log.warn(`${text}. Until they can be, broken chains are told without the tasks that will not run`)
      complained = true
    } finally {
      reading = null
    }
  }

  function isStale(taskId: string): boolean {
    const now = clock.now()
    // A clock that was put back makes everything stale.
    const age = (since: number) => (since > now ? Number.POSITIVE_INFINITY : now - since)
    if (age(triedAt) < missMs) return false
    return age(readAt) >= refreshMs || !known.has(taskId.toLowerCase())
  }

  return {
    downstream(taskId) {
      const found = new Map<string, QrsNamed>()
      const root = taskId.toLowerCase()
      const queue = [root]
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        for (const task of after.get(next) ?? []) {
          if (task.id === root || found.has(task.id)) continue
          found.set(task.id, task)
          queue.push(task.id)
        }
      }
      return [...found.values()]
    },
    async ensure(taskId) {
      if (!reading && isStale(taskId)) reading = read()
      if (!reading) return
      let timer: ReturnType<typeof setTimeout> | undefined
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patienceMs)
      })
      await Promise.race([reading, patience])
      clearTimeout(timer)
    },
  }
}

function byTask(links: readonly ChainLink[]): Map<string, QrsNamed[]> {
  const after = new Map<string, QrsNamed[]>()
  for (const link of links) {
    const followers = after.get(link.after.id)
    if (followers) followers.push(link.task)
    else after.set(link.after.id, [link.task])
  }
  return after
}

/** A repository client that learns the chains of a task while it is asked about the task itself. */
export function withChains(qrs: QrsClient, graph: Pick<ChainGraph, 'ensure'>): QrsClient {
  return {
    ...qrs,
    async taskById(taskId, signal) {
      const [task] = await Promise.all([qrs.taskById(taskId, signal), graph.ensure(taskId)])
      return task
    },
  }
}
