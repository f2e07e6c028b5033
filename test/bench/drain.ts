import type { Receiver } from './receivers.ts'

/** Nothing new for so long: the rest is counted as lost. */
const SILENCE_MS = 60_000

/** Until each has been told of `count` executions, time is up, or nothing more comes. */
export async function drain(receivers: readonly Receiver[], count: number, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs
  const told = () => receivers.reduce((sum, receiver) => sum + receiver.told, 0)
  let [seen, newest] = [told(), performance.now()]
  while (seen < receivers.length * count && performance.now() < Math.min(deadline, newest + SILENCE_MS)) {
    await Bun.sleep(50)
    const now = told()
    if (now > seen) newest = performance.now()
    seen = now
  }
}
