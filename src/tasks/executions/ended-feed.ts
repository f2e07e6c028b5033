/** The feed of ended executions: each subscriber reads on from its own checkpoint, and gets each end once. */
import type { EndedCheckpoint, EndedFeed, EndedFeedSettings, EndedReader } from './types.ts'

/** Read again at each turn, because Qlik Sense shows an end some time after it. */
export const OVERLAP_MS = 2 * 60_000
/** Asked for with one question; longer ago, a day. */
const SPAN_MS = 3_600_000
const OLD_SPAN_MS = 86_400_000

export function createEndedFeed(
  site: Pick<EndedReader, 'between'>,
  checkpoint: EndedCheckpoint,
  settings: EndedFeedSettings,
): EndedFeed {
  const { everyMs, settleMs, aheadMs } = settings
  /** Results that were handed over, and when they are forgotten. */
  const handled = new Map<string, number>()

  return {
    async read({ now, since, signal }, take) {
      for (const { from, upTo, doneUntil } of spansToRead(checkpoint.read(), since, now, settings)) {
        if (signal.aborted) return
        const ended = await site.between(from, upTo, (id) => handled.has(id), signal)
        await take(ended)
        const forgetAt = now + settleMs + aheadMs + 2 * OVERLAP_MS + 2 * everyMs
        for (const { resultIds } of ended) for (const id of resultIds) handled.set(id, forgetAt)
        await checkpoint.write(doneUntil)
      }
      for (const [id, forgetAt] of handled) if (forgetAt < now) handled.delete(id)
    },
  }
}

/** A question for ends from `from` to before `upTo`. */
interface Span {
  readonly from: number
  readonly upTo: number
  /** The checkpoint when it was answered. */
  readonly doneUntil: number
}

/** The questions of a turn, without a gap. A checkpoint in the future is of a clock that was set back. */
export function spansToRead(
  checkpoint: number | null,
  since: number,
  now: number,
  { settleMs, aheadMs }: Pick<EndedFeedSettings, 'settleMs' | 'aheadMs'>,
): readonly Span[] {
  const until = now - settleMs
  const first = Math.max(Math.min(checkpoint ?? until, until) - OVERLAP_MS, since)
  const spans: Span[] = []
  for (let from = first, end = from; from < until; from = end) {
    end = Math.min(from + (from + OLD_SPAN_MS < until ? OLD_SPAN_MS : SPAN_MS), until)
    spans.push({ from, upTo: end === until ? end + aheadMs : end, doneUntil: end })
  }
  return spans
}
