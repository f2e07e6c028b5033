/** The attention list: what is wrong at the site and with Footman now, joined from all parts. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ApiRoute } from '../../http/endpoint/route.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import type { Logger, Service } from '../../platform/types.ts'
import { hostZone } from '../../platform/zone.ts'
import { ATTENTION_SEVERITIES, type AttentionKind } from '../../tasks/overview/contract.ts'
import type { Overview } from '../../tasks/overview/index.ts'
import type { Config } from '../schema.ts'
import { type DetailsDeps, detailsOf, factsOf, type ItemFacts } from './details.ts'
import { attentionRoutes } from './http.ts'
import { type OtherItemsDeps, otherItems } from './other-items.ts'
import { failureOf, recoveredItems, taskItems } from './task-items.ts'
import { type AttentionChange, type AttentionList, entriesOf, type FoundItem, type Item, type Taken } from './types.ts'

export const attentionMigrations: readonly Migration[] = [
  {
    name: 'attention-001',
    sql: `CREATE TABLE attention_taken (
      key TEXT PRIMARY KEY,
      by TEXT NOT NULL,
      at INTEGER NOT NULL,
      note TEXT NOT NULL
    ) WITHOUT ROWID;`,
  },
]

interface AttentionDeps extends Omit<OtherItemsDeps, 'alerts' | 'licenceDays'> {
  readonly db: Database
  readonly writer: GroupWriter
  readonly log: Logger
  readonly overview: Overview
  readonly alerts: OtherItemsDeps['alerts'] & DetailsDeps['alerts']
  readonly on: {
    /** An item has come or gone. */
    attention(change: AttentionChange): void
  }
}

export interface Attention {
  readonly routes: readonly ApiRoute[]
  readonly services: readonly Service[]
  readonly list: AttentionList
  /** All of them may bring or end items. */
  readonly observers: Readonly<Record<(typeof TOPICS)[number], () => void>>
}

const TOPICS = [
  'event',
  'enriched',
  'executionEnded',
  'watchdogFinding',
  'liveTasks',
  'delivery',
  'scheduleRun',
  'reportFinished',
] as const
/** Items that are found anew at least so often, and at most. */
const OLDEST_MS = 15_000
const YOUNGEST_MS = 1000
/** From a change to the search for the items that come or go with it. */
const PUBLISH_MS = 2000
/** Items with details. */
const MOST_ITEMS = 500
/** Items whose details are read in one go. */
const STEP = 10

interface KnownFacts extends ItemFacts {
  /** The cause, the event and the execution of a failed task. */
  readonly cause: Partial<Pick<Item, 'cause' | 'eventId' | 'executionId'>>
}

export function createAttention(deps: AttentionDeps, { footman, qlikSenseLicense }: Config): Attention {
  const { db, writer, clock, log, overview } = deps
  const watched = qlikSenseLicense.serverLicenseMonitor
  const itemDeps = {
    ...deps,
    timezone: footman.timezone || hostZone(),
    licenceDays: watched.enable ? watched.alert.thresholdDays : null,
  }
  const { site } = overview
  let found: { readonly at: number; readonly of: readonly unknown[]; readonly items: readonly Item[] } | null = null
  const facts = new Map<string, KnownFacts>()
  let factsAt = Number.NEGATIVE_INFINITY
  let changedAt = Number.NEGATIVE_INFINITY
  let published: ReadonlyMap<string, AttentionKind> | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopped = true

  function items(): readonly Item[] {
    const now = clock.now()
    const age = found ? now - found.at : Number.POSITIVE_INFINITY
    const isUsable = age >= 0 && (age < YOUNGEST_MS || (age < OLDEST_MS && changedAt < found!.at))
    if (!isUsable) find(now)
    return found!.items
  }

  function find(now: number): void {
    found = { at: now, of: knownOfSite(), items: sorted([...taskItems(itemDeps), ...otherItems(itemDeps)]) }
  }

  /** The last answers of Qlik Sense. */
  const knownOfSite = () => [site.last.tasks, site.last.triggers, site.last.running]

  async function withDetails(list: readonly Item[]): Promise<FoundItem[]> {
    const taken = takenMarks()
    const shown: FoundItem[] = []
    for (const [n, item] of list.slice(0, MOST_ITEMS).entries()) {
      if (n % STEP === STEP - 1) await nextTurn()
      const known = knownFacts(item)
      shown.push({ ...item, ...known.cause, ...detailsOf(deps, item, known), taken: taken.get(item.key) ?? null })
    }
    return shown.toSorted((a, b) => rank(a) - rank(b) || b.behind.length - a.behind.length || a.since - b.since)
  }

  /** Read once, until a change is announced. */
  function knownFacts(item: Item): KnownFacts {
    const now = clock.now()
    const age = now - factsAt
    if (changedAt >= factsAt || age < 0 || age >= OLDEST_MS) {
      facts.clear()
      factsAt = now
    }
    // A failure that has ended and one that is open have the same key.
    const key = `${item.key} ${item.since} ${item.recovered?.at}`
    const known = facts.get(key)
    if (known) return known
    const cause = item.kind === 'taskFailed' ? failureOf(db, item.task!.taskId) : {}
    const read = { ...factsOf(deps, { ...item, ...cause }), cause }
    facts.set(key, read)
    return read
  }

  function takenMarks(): Map<string, Taken> {
    const rows = db.all<Taken & { readonly key: string }>('SELECT key, by, at, note FROM attention_taken')
    return new Map(rows.map(({ key, by, at, note }) => [key, { by, at, note }]))
  }

  async function open(): Promise<readonly FoundItem[]> {
    await overview.refresh()
    const now = clock.now()
    const isShared = found && changedAt < found.at && now >= found.at && now - found.at < YOUNGEST_MS
    if (!isShared || knownOfSite().some((value, n) => value !== found!.of[n])) find(now)
    return withDetails(found!.items)
  }

  /** Announces the items that have come and gone, and forgets marks of items that are gone. */
  function publish(): void {
    timer = undefined
    try {
      const now = new Map(items().map(({ key, kind }) => [key, kind]))
      const before = published ?? now
      published = now
      for (const [key, kind] of now) if (!before.has(key)) deps.on.attention({ key, kind, open: true })
      const gone = [...before].filter(([key]) => !now.has(key))
      for (const [key, kind] of gone) deps.on.attention({ key, kind, open: false })
      const marks = [...takenMarks().keys()].filter((key) => !now.has(key))
      if (marks.length === 0) return
      writer
        .write((tx) => {
          for (const key of marks) tx.run('DELETE FROM attention_taken WHERE key = ?', key)
        })
        .catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  const failed = (error: unknown) => log.warn(`ATTENTION: The items could not be read: ${error}`)

  function changed(): void {
    changedAt = clock.now()
    if (stopped || timer !== undefined) return
    timer = setTimeout(publish, PUBLISH_MS)
    timer.unref?.()
  }

  const list: AttentionList = {
    open,
    async recovered(from) {
      const wellAgain = recoveredItems(deps, from).toSorted((a, b) => b.recovered!.at - a.recovered!.at)
      return withDetails(wellAgain)
    },
    count: (isSeen) => entriesOf(items().filter(({ kind }) => isSeen(kind))).length,
    async take(key, by, note) {
      const item = (await open()).find((one) => one.key === key)
      if (!item) return null
      const taken = { by, at: clock.now(), note }
      await writer.write((tx) =>
        tx.run('INSERT OR REPLACE INTO attention_taken VALUES (?, ?, ?, ?)', key, by, taken.at, note),
      )
      return { ...item, taken }
    },
    giveBack: (key) => writer.write((tx) => tx.run('DELETE FROM attention_taken WHERE key = ?', key).changes > 0),
  }

  return {
    list,
    routes: attentionRoutes({ list, clock }),
    services: [
      {
        name: 'attention',
        async start() {
          stopped = false
        },
        async stop() {
          stopped = true
          clearTimeout(timer)
          timer = undefined
        },
      },
    ],
    observers: {
      event: changed,
      enriched: changed,
      executionEnded: changed,
      watchdogFinding: changed,
      liveTasks: changed,
      delivery: changed,
      scheduleRun: changed,
      reportFinished: changed,
    },
  }
}

const rank = ({ severity }: Item): number => ATTENTION_SEVERITIES.indexOf(severity)

const sorted = (items: readonly Item[]): Item[] =>
  items.toSorted((a, b) => rank(a) - rank(b) || a.since - b.since || (a.key < b.key ? -1 : 1))
