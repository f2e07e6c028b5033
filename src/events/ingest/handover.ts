/**
 * Hands the ingest worker on while Footman starts anew within its process: its socket stays open, and what waits in its
 * memory is not lost.
 */
import type { Ingest } from './ingest.ts'
import type { IngestSettings } from './protocol.ts'

export interface IngestHandover {
  /** A new start begins: a pipeline that stops from now on leaves its worker running. */
  begin(): void
  /** True when the worker is kept for the next pipeline; the caller must not stop it. */
  leave(ingest: Ingest, settings: IngestSettings): boolean
  /** The worker that was left, when its settings fit; else it is stopped and the result is null. */
  take(settings: IngestSettings): Promise<Ingest | null>
  /** The new start is over: stops a worker that was not taken. */
  end(): Promise<void>
}

interface Left {
  readonly ingest: Ingest
  readonly does: string
}

/** How long a worker that is not taken waits for a disk that cannot be written. */
const LEFT_WAIT_MS = 5000

/** The settings to compare. `takenUpTo` is left out: the worker gets it while it runs. */
const doing = ({ takenUpTo, ...settings }: IngestSettings): string => JSON.stringify(settings)

export function createIngestHandover(): IngestHandover {
  let isUnderWay = false
  let left: Left | null = null

  async function stopLeft(): Promise<void> {
    const { ingest } = left ?? {}
    left = null
    await ingest?.stop(LEFT_WAIT_MS)
  }

  return {
    begin() {
      isUnderWay = true
    },
    leave(ingest, settings) {
      if (!isUnderWay) return false
      ingest.reportTo(null)
      left = { ingest, does: doing(settings) }
      return true
    },
    async take(settings) {
      if (left?.does !== doing(settings)) {
        await stopLeft()
        return null
      }
      const { ingest } = left
      left = null
      return ingest
    },
    async end() {
      isUnderWay = false
      await stopLeft()
    },
  }
}
