/**
 * Looks whether the custom properties that the settings count on are there. Nothing is held up by one that is missing:
 * the feature waits, and is in use as soon as somebody has made the property.
 */
import type { Logger, Service } from '../../platform/types.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { CustomPropertyDefinition, CustomPropertyReader } from '../../qlik/qrs/types.ts'
import { type CustomPropertyNeed, lackOf, meaningless } from './needs.ts'

export interface CustomPropertyWatchDeps {
  readonly qrs: CustomPropertyReader
  readonly log: Logger
}

export interface CustomPropertyWatchSettings {
  /** Milliseconds between two looks while something is missing; default a minute. */
  readonly retryMs?: number
  /** The same while everything is there; default a quarter of an hour. */
  readonly idleMs?: number
}

export interface CustomPropertyWatch extends Service {
  /** By feature; those that count on no property are not among them. */
  states(): Readonly<Record<string, 'up' | 'waiting'>>
  /** From now on these are counted on; looks at once. */
  follow(needs: readonly CustomPropertyNeed[]): void
}

const RETRY_MS = 60_000
const IDLE_MS = 900_000

/** `unknown`: Qlik Sense could not be asked yet. */
type State = 'new' | 'there' | 'lacking' | 'unknown'

interface Known {
  readonly state: State
  readonly text: string
}

const NEW: Known = { state: 'new', text: '' }

export function createCustomPropertyWatch(
  { qrs, log }: CustomPropertyWatchDeps,
  first: readonly CustomPropertyNeed[],
  { retryMs = RETRY_MS, idleMs = IDLE_MS }: CustomPropertyWatchSettings = {},
): CustomPropertyWatch {
  let needs = first
  let known = new Map<string, Known>()
  const remarks = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopping: AbortController | null = null

  const stateOf = (need: CustomPropertyNeed): Known => known.get(idOf(need)) ?? NEW

  async function look(signal: AbortSignal): Promise<void> {
    const asked = needs
    try {
      const found = await qrs.customProperties([...new Set(asked.map(({ property }) => property))], signal)
      if (signal.aborted) return
      for (const need of asked) settle(need, found)
    } catch (error) {
      if (signal.aborted) return
      // What was there is believed to be there still.
      for (const need of asked.filter((one) => stateOf(one).state !== 'there')) {
        become(need, { state: 'unknown', text: `Qlik Sense cannot be asked: ${reasonOf(error)}` })
      }
    }
    const isComplete = asked.every((need) => stateOf(need).state === 'there')
    // Not a recurring job: the pause depends on the result.
    timer = setTimeout(begin, isComplete ? idleMs : retryMs)
  }

  function settle(need: CustomPropertyNeed, found: readonly CustomPropertyDefinition[]): void {
    const lack = lackOf(need, found)
    become(need, lack === null ? { state: 'there', text: '' } : { state: 'lacking', text: lack })
    for (const value of meaningless(need, found)) {
      remark(
        `CONFIG VERIFY: Value "${value}" of custom property "${need.property}" means nothing to Butler.${need.key}`,
      )
    }
  }

  function become(need: CustomPropertyNeed, next: Known): void {
    const before = stateOf(need)
    known.set(idOf(need), next)
    // Other words about the same outage are no news.
    if (before.state === next.state && (next.state === 'unknown' || before.text === next.text)) return
    const { key, property } = need
    if (next.state !== 'there') log.warn(`CONFIG VERIFY: Butler.${key} waits: ${next.text}`)
    else if (before.state === 'new') log.verbose(`CONFIG VERIFY: Butler.${key}: custom property "${property}" is there`)
    else log.warn(`CONFIG VERIFY: Butler.${key} waits no longer: custom property "${property}" is there now`)
  }

  function remark(text: string): void {
    if (remarks.has(text)) return
    remarks.add(text)
    log.warn(text)
  }

  /** A look that is under way is given up. */
  function begin(): void {
    if (!stopping) return
    stopping.abort()
    clearTimeout(timer)
    stopping = new AbortController()
    if (needs.length > 0) void look(stopping.signal)
  }

  return {
    name: 'custom properties',
    states() {
      const states: Record<string, 'up' | 'waiting'> = {}
      for (const need of needs) {
        const isThere = stateOf(need).state === 'there' && states[need.feature] !== 'waiting'
        states[need.feature] = isThere ? 'up' : 'waiting'
      }
      return states
    },
    follow(next) {
      needs = next
      const ids = new Set(next.map(idOf))
      known = new Map([...known].filter(([id]) => ids.has(id)))
      begin()
    },
    /** Waits for nothing. */
    async start() {
      stopping = new AbortController()
      begin()
    },
    async stop() {
      stopping?.abort()
      stopping = null
      clearTimeout(timer)
    },
  }
}

const idOf = ({ key, property, value }: CustomPropertyNeed): string => JSON.stringify([key, property, value])
