/** Wall clocks of IANA time zones. */

export interface Zone {
  /** Wall clock at an instant, as if it were UTC: ms since 1970. */
  wall(instant: number): number
  /**
   * The first instant after `after` at which the wall clock shows a time of `nextWall`, which gets a wall-clock time and
   * returns the next wanted one. Wall-clock times that a clock change skips do not occur; those that occur
   * twice count twice.
   */
  next(after: number, nextWall: (wall: number) => number | null): number | null
}

export function createZone(timezone: string): Zone {
  if (timezone === 'UTC') return { wall: (instant) => instant, next: (after, nextWall) => nextWall(after) }
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })

  function offset(instant: number): number {
    const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]))
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instant / 1000) * 1000
  }

  /** The first instant in (from, to] with another offset than `from`; offsets at the ends differ. */
  function change(from: number, to: number): number {
    const before = offset(from)
    let low = from
    let high = to
    while (high - low > 1000) {
      const middle = Math.floor((low + high) / 2)
      if (offset(middle) === before) low = middle
      else high = middle
    }
    return Math.floor(high / 1000) * 1000
  }

  function next(after: number, nextWall: (wall: number) => number | null): number | null {
    let from = after
    // Each round crosses one clock change; nothing that recurs needs many.
    for (let round = 0; round < 1000; round++) {
      const current = offset(from)
      const wanted = nextWall(from + current)
      if (wanted === null) return null
      const instant = wanted - current
      const edge = firstChange(from, instant)
      if (edge === null) return instant
      // The change itself may be wanted, hence one millisecond before it on the new clock.
      const atEdge = nextWall(edge + offset(edge) - 1)
      if (atEdge === null) return null
      if (atEdge === edge + offset(edge)) return edge
      from = edge
    }
    return null
  }

  /** The first change of the offset in (from, to]; looked for in steps of a day, as changes are months apart. */
  function firstChange(from: number, to: number): number | null {
    const before = offset(from)
    const DAY = 86_400_000
    for (let low = from; low < to; low += DAY) {
      const high = Math.min(low + DAY, to)
      if (offset(high) !== before) return change(low, high)
    }
    return null
  }

  return { wall: (instant) => instant + offset(instant), next }
}

interface WithTemporal {
  readonly Temporal?: { readonly Now: { timeZoneId(): string } }
}

/** IANA name of the time zone of this computer. `Intl.DateTimeFormat` would load its languages: 2.5 MB and 6 ms at start. */
export function hostZone(): string {
  const { Temporal } = globalThis as WithTemporal
  return Temporal?.Now.timeZoneId() ?? Intl.DateTimeFormat().resolvedOptions().timeZone
}
