/** Jobs that run beside each other: which one starts next, and when all have ended. */

/** Milliseconds of a test file in an earlier run: between its start and end, and of all processors together. */
export interface Timing {
  readonly wall: number
  readonly cpu: number
}

/** So many jobs a processor at most: each keeps processes of its own in memory. */
const JOBS_PER_PROCESSOR = 6
const SMALLEST_SHARE = 1 / JOBS_PER_PROCESSOR
/** How often the pool looks for processors that the running jobs leave idle, and the part of one that stays free then. */
const LOOK_MS = 2000
const RESERVE = 0.25
/** Shares that make a whole processor may miss it by this much in binary. */
const ROUNDING = 1e-9

export interface Job {
  readonly name: string
  /** Part of a processor that it keeps busy, at most 1. `'all'`: it measures time, and runs alone after all others. */
  readonly share: number | 'all'
  /** Expected milliseconds; of the jobs that have room the longest starts first. */
  readonly wall: number
  /** Names of jobs that must have succeeded before. */
  readonly after: readonly string[]
  /** Resolves to true when it succeeded. `slot`: a number that no other job has at the same time, from 0. */
  run(slot: number): Promise<boolean>
}

/**
 * The part of a processor that a file keeps busy, by an earlier run. One that was never measured, or that used several at once,
 * counts as a whole one, so that there is always room for it.
 */
export const shareOf = (timing: Timing | undefined): number =>
  timing === undefined ? 1 : Math.min(Math.max(SMALLEST_SHARE, timing.cpu / timing.wall), 1)

/**
 * The job that starts next; null while the processors have no room, or while every job waits for another. `idle`: processors that
 * were idle lately, although the shares of the running jobs may say otherwise.
 */
export function nextJob(
  waiting: readonly Job[],
  running: readonly Job[],
  succeeded: ReadonlySet<string>,
  processors: number,
  idle = 0,
): Job | null {
  const ready = waiting.filter(({ after }) => after.every((name) => succeeded.has(name)))
  const busy = running.reduce((sum, { share }) => sum + (share === 'all' ? processors : share), 0)
  const isFull = running.length >= processors * JOBS_PER_PROCESSOR || running.some(({ share }) => share === 'all')
  const room = Math.max(processors - busy, isFull ? 0 : idle - RESERVE) + ROUNDING
  const fitting = ready.filter(({ share }) => share !== 'all' && share <= room)
  const all = fitting.length === 0 && running.length === 0 ? ready : fitting
  return all.reduce<Job | null>((longest, job) => (longest && longest.wall >= job.wall ? longest : job), null)
}

/**
 * Runs all jobs. Resolves to those that never started, because a job before them failed or is not among them. `idleLately`: processors
 * that were idle since the call before.
 */
export function runJobs(
  jobs: readonly Job[],
  processors: number,
  idleLately: () => number = () => 0,
  lookMs = LOOK_MS,
): Promise<Job[]> {
  const waiting = [...jobs]
  const running = new Map<number, Job>()
  const succeeded = new Set<string>()
  const freeSlot = (): number => {
    for (let slot = 0; ; slot += 1) if (!running.has(slot)) return slot
  }
  return new Promise((resolve, reject) => {
    const startNext = (idle?: number): boolean => {
      const job = nextJob(waiting, [...running.values()], succeeded, processors, idle)
      if (job) start(job)
      return job !== null
    }
    const fill = (): void => {
      while (startNext());
      if (running.size > 0) return
      clearInterval(looking)
      resolve(waiting)
    }
    // One job a look: it has to become visible before there is room for another.
    const looking = setInterval(() => startNext(idleLately()), lookMs)
    const start = (job: Job): void => {
      waiting.splice(waiting.indexOf(job), 1)
      const slot = freeSlot()
      running.set(slot, job)
      job.run(slot).then((good) => {
        running.delete(slot)
        if (good) succeeded.add(job.name)
        fill()
      }, reject)
    }
    fill()
  })
}
