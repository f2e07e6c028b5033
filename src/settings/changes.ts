/** Changes of stored settings: checked with the whole configuration, made in one transaction, in use at once. */

import type { Place, Problem } from '../config/problems.ts'
import { scalars } from '../config/tree.ts'
import { type BodyIssue, invalidBody } from '../http/endpoint/validation.ts'
import { type Refusal, refusal } from '../http/errors.ts'
import type { SettingTest } from './contract.ts'
import { kindOf, pointerOf, type SettingKind } from './kinds.ts'
import type { LimitsContext } from './limits.ts'
import { type MergedSetting, treeOf } from './merge.ts'
import { isSealed, type Sealer } from './sealed.ts'
import {
  hasSecret,
  MASK,
  mapTexts,
  type OpenedSetting,
  type SettingStore,
  type SettingValue,
  type SettingWrite,
  type StoredSetting,
  sealedIn,
  sealValue,
  type WrittenBy,
} from './store.ts'

/** One entry as a caller wants it. */
export interface WantedSetting {
  readonly kind: SettingKind
  readonly name: string
  /** null = deleted. Masks keep the secret that is stored. */
  readonly value: SettingValue | null
  /** The revision that it replaces: 0 = none, null = any. */
  readonly expected: number | null
  /** Absent: where it is, or the last. */
  readonly position?: number
  /** Another name that it had until now. */
  readonly formerly?: string
  /** The value is that of the file, which wins as long as it has the entry: it is checked as if the file had let it go. */
  readonly isAdopted?: true
  /** The value comes from the store or its history: its secrets are encrypted. */
  readonly isSealed?: true
}

/** The configuration that takes changes into use; see `ConfigReload`. */
export interface SettingsUser {
  readonly settings: readonly MergedSetting[]
  change(change: UserChange & { readonly commit?: () => Promise<void> }): Promise<unknown>
  /** Tests an entry of the configuration that the change would give; nothing of it is kept. */
  test(change: UserChange, entry: SettingKey, signal: AbortSignal): Promise<SettingTest>
}

interface UserChange {
  /** Entries that the file is taken not to have in the check. */
  readonly without?: readonly SettingKey[]
  readonly next: () => Promise<readonly OpenedSetting[]>
  readonly accept: (settings: readonly MergedSetting[], errors: readonly Problem[]) => void
}

export type SettingKey = Pick<StoredSetting, 'kind' | 'name'>

export interface ChangesDeps {
  readonly store: SettingStore
  readonly user: SettingsUser
  /** The key of the secrets; made with the first one. Rejects when it cannot be kept. */
  readonly sealer: () => Promise<Sealer>
  readonly open: (rows: readonly StoredSetting[]) => Promise<OpenedSetting[]>
  /** Why nothing may be changed; null = changes are allowed. */
  readonly locked: () => string | null
  /** References to entries from outside the configuration. */
  readonly outside: () => readonly { readonly path: string; readonly kind: SettingKind; readonly name: string }[]
}

export interface ChangeOptions {
  readonly dryRun: boolean
  readonly limits: LimitsContext
  readonly who: Omit<WrittenBy, 'at'>
  readonly at: number
}

export type Changes = ReturnType<typeof createChanges>['change']
export type SettingTester = ReturnType<typeof createChanges>['test']

export function createChanges({ store, user, sealer, open, locked, outside }: ChangesDeps) {
  /** All of them, or none: rejects with the refusal of the first that cannot be. */
  async function change(wanted: readonly WantedSetting[], options: ChangeOptions): Promise<void> {
    refuseWhileLocked()
    const { next, accept, writes } = prepared(wanted, options)
    const commit = async () => void (await store.write(writes(), { ...options.who, at: options.at }))
    const without = wanted.filter(({ isAdopted }) => isAdopted)
    await user.change({ next, accept, without, ...(!options.dryRun && { commit }) })
  }

  /** A draft in the place of the entry; without one, the entry as it is stored or in the file. */
  async function test(entry: SettingKey, draft: SettingValue, options: ChangeOptions, signal: AbortSignal) {
    if (draft !== undefined) refuseWhileLocked()
    const row = store.all().find((one) => keyOf(one) === keyOf(entry))
    const wanted: WantedSetting[] =
      draft !== undefined
        ? [{ ...entry, value: draft, expected: null }]
        : row
          ? [{ ...entry, value: row.value, expected: null, isSealed: true }]
          : []
    return user.test(prepared(wanted, options), entry, signal)
  }

  function refuseWhileLocked(): void {
    const reason = locked()
    if (reason !== null) throw refusal('SETTINGS_LOCKED', reason)
  }

  function prepared(wanted: readonly WantedSetting[], options: ChangeOptions) {
    const unusableBefore = namesOf(user.settings, 'unusable')
    let writes: readonly SettingWrite[] = []
    return {
      writes: () => writes,
      async next() {
        const rows = store.all()
        writes = await writesFor(wanted, rows, options)
        const next = applied(rows, writes, { ...options, revisionOf: store.nextRevision })
        return open(next)
      },
      accept(settings: readonly MergedSetting[], errors: readonly Problem[]) {
        accept(wanted, { settings, errors, unusableBefore })
        refuseWhileNamed(wanted, { settings, named: outside() })
      },
    }
  }

  return { change, test }

  async function writesFor(
    wanted: readonly WantedSetting[],
    rows: readonly StoredSetting[],
    options: ChangeOptions,
  ): Promise<SettingWrite[]> {
    const { limitIssues } = await import('./limits.ts')
    const limits = { ...options.limits, known: new Map() }
    let key: Sealer | null = null
    const writes: SettingWrite[] = []
    for (const one of wanted) {
      const { kind, name, value, expected, formerly = name } = one
      const current = rows.find((row) => row.kind === kind && row.name === name)
      if (expected !== null && (current?.revision ?? 0) !== expected)
        throw changedMeanwhile(kind, name, current, expected)
      const last = Math.max(-1, ...rows.filter((row) => row.kind === kind).map(({ position }) => position))
      const position = one.position ?? current?.position ?? last + 1
      if (value === null) {
        if (!current) throw refusal('SETTING_NOT_FOUND', `There is no stored ${kind} ${name}.`)
        writes.push({ kind, name, position, value: null })
        continue
      }
      if (kindOf(kind).form !== 'key' && (typeof value !== 'object' || Array.isArray(value)))
        throw invalidBody([{ path: 'value', message: 'must be an object' }])
      if (one.isSealed) {
        // An entry that stays as it is, to be moved or tested, reaches nothing new.
        const isSame = JSON.stringify(value) === JSON.stringify(current?.value)
        const [opened] = isSame
          ? []
          : await open([{ kind, name, position, value, revision: 0, changedAt: 0, changedBy: '' }])
        const refused = opened ? await limitIssues(kind, opened.opened, limits) : []
        if (refused.length > 0) throw invalidBody(refused.map(inValue))
        writes.push({ kind, name, position, value })
        continue
      }
      const before = rows.find((row) => row.kind === kind && row.name === formerly)
      const { value: whole, issues } = unmasked(value, before?.value)
      const limited = await limitIssues(kind, whole, limits)
      if (issues.length + limited.length > 0) throw invalidBody([...issues, ...limited].map(inValue))
      if (hasSecret(one, whole)) key ??= await sealer()
      writes.push({ kind, name, position, value: key ? sealValue(one, whole, key) : whole })
    }
    return [...writes, ...renamedUses(wanted, writes, rows)]
  }
}

const inValue = ({ path, message }: BodyIssue): BodyIssue => ({ path: `value${path}`, message })

const keyOf = ({ kind, name }: { readonly kind: SettingKind; readonly name: string }): string => `${kind}/${name}`

function namesOf(settings: readonly MergedSetting[], state: MergedSetting['state']['state']): ReadonlySet<string> {
  return new Set(settings.filter((one) => one.state.state === state).map(({ setting }) => keyOf(setting)))
}

function changedMeanwhile(
  kind: SettingKind,
  name: string,
  current: StoredSetting | undefined,
  expected: number,
): Refusal {
  const now = current ? `is at revision ${current.revision}, changed by ${current.changedBy}` : 'is not there any more'
  const why = expected === 0 && current ? 'exists already' : now
  return refusal('SETTING_CHANGED', `The ${kind} ${name} ${why}. Read it again, then repeat the change.`, {
    currentRevision: current?.revision ?? 0,
  })
}

/** The rows after the writes. */
function applied(
  rows: readonly StoredSetting[],
  writes: readonly SettingWrite[],
  { at, who, revisionOf }: Pick<ChangeOptions, 'at' | 'who'> & { readonly revisionOf: SettingStore['nextRevision'] },
): StoredSetting[] {
  const after = new Map(rows.map((row) => [keyOf(row), row]))
  for (const { value, ...write } of writes) {
    const revision = revisionOf(write)
    if (value === null) after.delete(keyOf(write))
    else after.set(keyOf(write), { ...write, value, revision, changedAt: at, changedBy: who.by })
  }
  return [...after.values()].sort(
    (a, b) => a.kind.localeCompare(b.kind) || a.position - b.position || a.name.localeCompare(b.name),
  )
}

/** Members that say where something is sent: with another one, a secret that is kept would be sent to another receiver. */
const GOES_TO = /url$|^(?:type|host|server|port|endpoint|address|proxy|region)$/i

/** Puts stored secrets in the place of masks. */
function unmasked(
  value: SettingValue,
  before: SettingValue | undefined,
): { readonly value: SettingValue; readonly issues: readonly BodyIssue[] } {
  const kept = sealedIn(before)
  const issues: BodyIssue[] = []
  let keeps = false
  const whole = mapTexts(value, [], (text, steps) => {
    const path = pointerOf(steps)
    if (isSealed(text)) issues.push({ path, message: 'is no value that can be stored' })
    if (text !== MASK) return text
    const secret = kept.get(path)
    if (secret === undefined) issues.push({ path, message: 'is a mask: enter the secret' })
    else keeps = true
    return secret ?? text
  })
  const moved = keeps ? movedAddress(before, whole) : undefined
  if (moved !== undefined) {
    issues.push({ path: moved, message: 'has changed, so the secrets of this setting have to be entered again' })
  }
  return { value: whole, issues }
}

/** The first member that says where something is sent, and is not what it was. */
function movedAddress(before: SettingValue, now: SettingValue): string | undefined {
  const [was, is] = [addressesIn(before), addressesIn(now)]
  return [...was.keys(), ...is.keys()].find((path) => was.get(path) !== is.get(path))
}

const NOWHERE: Place = { file: '', line: 0, column: 0 }

const addressesIn = (value: SettingValue): ReadonlyMap<string, unknown> =>
  new Map(
    [...scalars(treeOf(value, NOWHERE))]
      .filter(({ path }) => GOES_TO.test(String(path.at(-1))))
      .map(({ node, path }) => [pointerOf(path), node.value]),
  )

/** Members that hold names of entries, by the kind of the entries. */
const NAMED_IN: Partial<Record<SettingKind, RegExp>> = {
  destination: /^(?:to|fallback|summaryTo|destination)$/,
  window: /^during$/,
  calendar: /^(?:on|notOn|except)$/,
}

/** Stored entries that name one that gets another name follow it. */
function renamedUses(
  wanted: readonly WantedSetting[],
  writes: readonly SettingWrite[],
  rows: readonly StoredSetting[],
): SettingWrite[] {
  const renames = wanted.filter(({ name, formerly }) => formerly !== undefined && formerly !== name)
  const touched = new Set(writes.map(keyOf))
  return renames.flatMap(({ kind, name, formerly }) => {
    const members = NAMED_IN[kind]
    if (!members) return []
    return rows.flatMap((row) => {
      if (touched.has(keyOf(row)) || (kind === 'calendar' && row.kind === 'rule')) return []
      const start = row.kind === 'switch' ? row.name.split('.') : []
      let found = false
      const value = mapTexts(row.value, start, (text, path) => {
        const member = path.findLast((step) => typeof step === 'string')
        if (text !== formerly || !members.test(String(member))) return text
        found = true
        return name
      })
      return found ? [{ kind: row.kind, name: row.name, position: row.position, value }] : []
    })
  })
}

interface Outcome {
  readonly settings: readonly MergedSetting[]
  readonly errors: readonly Problem[]
  readonly unusableBefore: ReadonlySet<string>
}

/** Throws the refusal when the whole is not as it should be. */
function accept(wanted: readonly WantedSetting[], { settings, errors, unusableBefore }: Outcome): void {
  const changed = new Set(wanted.map(keyOf))
  for (const { setting, state } of settings) {
    if (!changed.has(keyOf(setting))) continue
    if (state.state === 'hidden') throw fromFile(setting, state.by)
    if (state.state === 'unusable') throw invalidBody(state.issues.map(inValue))
  }
  const broken = settings.filter(
    ({ setting, state }) =>
      state.state === 'unusable' && !changed.has(keyOf(setting)) && !unusableBefore.has(keyOf(setting)),
  )
  const reasons = [
    ...broken.map(({ setting, state }) => {
      const [issue] = state.state === 'unusable' ? state.issues : []
      return `${setting.kind} ${setting.name}: ${issue?.message ?? ''}`
    }),
    ...errors.map(({ path, message, file, line }) => `${path} ${message}${line > 0 ? ` (${file}:${line})` : ''}`),
  ]
  if (reasons.length === 0) return
  throw refusal('SETTING_IN_USE', `Nothing is changed, as this would not work any more: ${reasons.join('; ')}.`)
}

/** Throws when something outside the configuration names an entry that would be gone. */
function refuseWhileNamed(
  wanted: readonly WantedSetting[],
  { settings, named }: { settings: readonly MergedSetting[]; named: ReturnType<ChangesDeps['outside']> },
): void {
  const after = namesOf(settings, 'used')
  const gone = wanted.filter((one) => one.value === null && !after.has(keyOf(one))).map(keyOf)
  const users = named.filter((one) => gone.includes(keyOf(one))).map(({ path }) => path)
  if (users.length === 0) return
  throw refusal('SETTING_IN_USE', `Nothing is changed, as it is still named by ${users.join(', ')}.`)
}

export const fromFile = ({ kind, name }: Pick<StoredSetting, 'kind' | 'name'>, { file, line }: Place): Refusal =>
  refusal(
    'FROM_FILE',
    `The ${kind} ${name} stands in the configuration file (${file}:${line}). Change it there, or choose another name.`,
  )
