/**
 * Checks that the custom properties named in the settings exist in Qlik Sense. A missing one holds nothing up: its feature
 * waits, and is in use as soon as the property has been created.
 */
import type { Logger, Service } from '../platform/types.ts'
import { reasonOf } from '../qlik/qrs/failure.ts'
import type { CustomPropertyDefinition, CustomPropertyReader } from '../qlik/qrs/types.ts'

interface CustomPropertyWatchDeps {
  readonly qrs: CustomPropertyReader
  readonly log: Logger
}

interface CustomPropertyWatchSettings {
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
      // Properties that were found before are assumed to exist still.
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

export interface CustomPropertyNeed {
  /** The name in the health report. */
  readonly feature: string
  /** The section below `Butler` that names the property. */
  readonly key: string
  readonly property: string
  /** The value that a task must be able to have; null = any. */
  readonly value: string | null
  /** The type of resource that must be able to have the property; null = any. */
  readonly objectType: string | null
  /** All values that mean something; absent = any. */
  readonly meaningful?: readonly string[]
}

/** The problem that an administrator of Qlik Sense has to solve before the feature works; null = none. Names and values are case-sensitive. */
function lackOf(need: CustomPropertyNeed, definitions: readonly CustomPropertyDefinition[]): string | null {
  const { property, value, objectType } = need
  const definition = definitions.find(({ name }) => name === property)
  if (!definition) return `custom property "${property}" is not there${similar(property, definitions)}`
  const { values, objectTypes } = definition
  if (objectType !== null && !objectTypes.includes(objectType)) {
    return `custom property "${property}" is not one of resources of the type ${objectType}`
  }
  if (values.length === 0) return `custom property "${property}" has no values to choose from`
  if (value === null || values.includes(value)) return null
  return `custom property "${property}" has no value "${value}", only ${quoted(values)}`
}

function similar(property: string, definitions: readonly CustomPropertyDefinition[]): string {
  const other = definitions.find(({ name }) => name.toLowerCase() === property.toLowerCase())
  return other ? `; there is "${other.name}", and upper and lower case count` : ''
}

/** Values that a task can have and that do nothing. */
function meaningless(need: CustomPropertyNeed, definitions: readonly CustomPropertyDefinition[]): string[] {
  const { property, meaningful } = need
  const definition = definitions.find(({ name }) => name === property)
  return meaningful && definition ? definition.values.filter((value) => !meaningful.includes(value)) : []
}

const SHOWN = 10

function quoted(values: readonly string[]): string {
  const shown = values.slice(0, SHOWN).map((value) => `"${value}"`)
  return [...shown, ...(values.length > SHOWN ? [`${values.length - SHOWN} more`] : [])].join(', ')
}
