/** Jobs that run beside each other: which one starts next, and when all have ended. */

/** Milliseconds of a test file in an earlier run: between its start and end, and of all processors together. */
export interface Timing {
  readonly wall: number
  readonly cpu: number
}

/** So many jobs a processor at most: each keeps processes of its own in memory. */
const JOBS_PER_PROCESSOR = 6
const SMALLEST_SHARE = 1 / JOBS_PER_PROCESSOR
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

/** The job that starts next; null while the processors have no room, or while every job waits for another. */
export function nextJob(
  waiting: readonly Job[],
  running: readonly Job[],
  succeeded: ReadonlySet<string>,
  processors: number,
): Job | null {
  const ready = waiting.filter(({ after }) => after.every((name) => succeeded.has(name)))
  const busy = running.reduce((sum, { share }) => sum + (share === 'all' ? processors : share), 0)
  const fitting = ready.filter(({ share }) => share !== 'all' && busy + share <= processors + ROUNDING)
  const all = fitting.length === 0 && running.length === 0 ? ready : fitting
  return all.reduce<Job | null>((longest, job) => (longest && longest.wall >= job.wall ? longest : job), null)
}

/** Runs all jobs. Resolves to those that never started, because a job before them failed or is not among them. */
export function runJobs(jobs: readonly Job[], processors: number): Promise<Job[]> {
  const waiting = [...jobs]
  const running = new Map<number, Job>()
  const succeeded = new Set<string>()
  const freeSlot = (): number => {
    for (let slot = 0; ; slot += 1) if (!running.has(slot)) return slot
  }
  return new Promise((resolve, reject) => {
    const fill = (): void => {
      for (;;) {
        const job = nextJob(waiting, [...running.values()], succeeded, processors)
        if (job === null) break
        waiting.splice(waiting.indexOf(job), 1)
        start(job)
      }
      if (running.size === 0) resolve(waiting)
    }
    const start = (job: Job): void => {
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
