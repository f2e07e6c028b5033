/** `/v4/settings`: what people change while Footman runs. */
import { asIs } from '../http/endpoint/contract.ts'
import { type ApiRequest, type ApiRoute, from, route } from '../http/endpoint/route.ts'
import { invalidBody } from '../http/endpoint/validation.ts'
import { refusal } from '../http/errors.ts'
import type { Clock } from '../platform/types.ts'
import { type ChangeOptions, type Changes, fromFile, type SettingTester, type WantedSetting } from './changes.ts'
import {
  ADOPT_SETTING,
  CALENDAR_DAYS,
  type CalendarDays,
  DELETE_SETTING,
  EXPORT_SETTINGS,
  IMPORT_SETTINGS,
  MOVE_SETTING,
  PUT_SETTING,
  RESTORE_SETTING,
  SETTING,
  SETTING_CHANGES,
  SETTING_HISTORY,
  SETTING_TESTS,
  SETTINGS,
  SETTINGS_OF,
  type Setting,
  type SettingChange,
  type SettingTest,
  type SettingTests,
  TEST_SETTING,
  type TestedTogether,
} from './contract.ts'
import { kindOf, type SettingKind, scopesOfChange } from './kinds.ts'
import type { LimitsContext } from './limits.ts'
import { type HistoryEntry, maskValue, type SettingStore, type SettingValue, type StoredSetting } from './store.ts'
import { changeOf, countsOf, fileSettings, settingsOf, type WholeConfiguration } from './views.ts'

/** Looks at the configuration in use. */
export interface SettingsInUse {
  tests(kind: TestedTogether): Promise<SettingTests['tests']>
  /** `year` undefined = this one; null = there is no such calendar. */
  days(calendar: string, year: number | undefined): Promise<CalendarDays | null>
}

export interface SettingRoutesDeps {
  readonly clock: Clock
  readonly store: SettingStore
  readonly whole: WholeConfiguration
  readonly change: Changes
  /** Whether a stored entry has this value, its secrets included. */
  readonly same: (row: StoredSetting, value: SettingValue) => Promise<boolean>
  readonly test: SettingTester
  readonly inUse: SettingsInUse
  readonly locked: () => string | null
  readonly limits: () => Omit<LimitsContext, 'isAdmin'>
}

const [READ, WRITE] = ['setting:read', 'setting:write']
const LATEST = from(SETTING_CHANGES, {
  kind: '$response.body#/changes/0/kind',
  name: '$response.body#/changes/0/name',
})

export function settingRoutes(deps: SettingRoutesDeps): ApiRoute[] {
  const access = createAccess(deps)
  return [
    ...listRoutes(deps, access),
    ...transferRoutes(deps, access),
    ...entryRoutes(deps, access),
    adoptRoute(deps, access),
  ]
}

type Access = ReturnType<typeof createAccess>

/** How endpoints find entries, and have changes made for their caller. */
function createAccess(deps: SettingRoutesDeps) {
  const { clock, store, whole, change } = deps

  const rowOf = (kind: SettingKind, name: string): StoredSetting | undefined =>
    store.all().find((row) => row.kind === kind && row.name === name)

  function shown(kind: SettingKind, name: string): Setting {
    const all = settingsOf(whole, kind)
    // A stored entry that the file hides is shown with the reason.
    const found = all.findLast((one) => one.name === name)
    if (found) return found
    throw refusal('SETTING_NOT_FOUND', `There is no ${kind} ${name}.`)
  }

  /** A stored entry; one of the file is refused. */
  function storedRow(kind: SettingKind, name: string): StoredSetting {
    const row = rowOf(kind, name)
    if (row) return row
    const inFile = fileSettings(whole, kind).find((one) => one.name === name)
    if (inFile) throw fromFile({ kind, name }, inFile.node.at)
    throw refusal('SETTING_NOT_FOUND', `There is no stored ${kind} ${name}.`)
  }

  function optionsOf({ caller, requestId, via }: Caller, dryRun: boolean): ChangeOptions {
    return {
      dryRun,
      at: clock.now(),
      who: { by: caller.actor, via: via ?? 'api', requestId },
      limits: { ...deps.limits(), isAdmin: caller.may('admin') },
    }
  }

  async function make(request: Caller, wanted: readonly WantedSetting[], dryRun: boolean | undefined): Promise<void> {
    for (const { kind, name, value } of wanted) {
      const missing = scopesOfChange(kind, name, value).flatMap((scope) => request.caller.refusal(scope) ?? [])[0]
      if (missing) throw missing
    }
    await change(wanted, optionsOf(request, dryRun === true))
  }

  return { rowOf, shown, storedRow, make, optionsOf }
}

function listRoutes({ clock, store, whole, inUse, locked }: SettingRoutesDeps, { shown }: Access): ApiRoute[] {
  return [
    route({
      ...SETTINGS,
      scope: READ,
      summary: 'Count the settings of each kind',
      description: 'Settings that people change while Footman runs, beside those of the configuration file.',
      examples: [{ name: 'all', status: 200, answer: { editable: true, locked: null, kinds: [] } }],
      handle: (_, answer) => answer(200, { editable: locked() === null, locked: locked(), kinds: countsOf(whole) }),
    }),
    route({
      ...SETTING_CHANGES,
      scope: READ,
      summary: 'List the changes of settings',
      examples: [{ name: 'newest', query: { limit: '20' }, status: 200, answer: { changes: [] } }],
      handle({ query: { before, limit = 100, kind, name }, caller }, answer) {
        const until = before?.(clock.now()) ?? Number.MAX_SAFE_INTEGER
        const found = store.changes(until, limit, { kind, name }).filter((one) => mayKind(caller, one.kind))
        return answer(200, { changes: found.map((entry) => withBefore(store, entry)) })
      },
    }),
    route({
      ...SETTING_TESTS,
      scope: READ,
      summary: 'Test the settings of a kind that are in use',
      description:
        'Of calendars and windows the next days and periods, of policies the tasks that they cover, as the test of each answers.',
      examples: [{ name: 'calendars', query: { kind: 'calendar' }, status: 200 }],
      async handle({ query: { kind }, caller }, answer) {
        const missing = kind === 'policy' ? caller.refusal('task:read') : null
        if (missing) throw missing
        return answer(200, { tests: await inUse.tests(kind) })
      },
    }),
    route({
      ...CALENDAR_DAYS,
      scope: READ,
      summary: 'List the days of a calendar in a year',
      examples: [
        {
          name: 'company-days',
          params: { name: 'company-days' },
          query: { year: '2030' },
          status: 200,
          answer: { year: 2030, days: [{ day: '2030-12-25', from: 'date', name: null }], troubles: [] },
        },
      ],
      async handle({ params: { name }, query: { year } }, answer) {
        const found = await inUse.days(name, year)
        if (!found) throw refusal('SETTING_NOT_FOUND', `There is no calendar ${name} in use.`)
        return answer(200, found)
      },
    }),
    route({
      ...SETTINGS_OF,
      scope: READ,
      summary: 'List the settings of a kind',
      examples: [
        { name: 'destinations', params: { kind: 'destination' }, status: 200, answer: { settings: [] } },
        { name: 'rules', params: { kind: 'rule' }, status: 200 },
      ],
      handle({ params: { kind }, caller }, answer) {
        requireKind({ caller }, kind)
        return answer(200, { settings: settingsOf(whole, kind) })
      },
    }),
    route({
      ...SETTING,
      scope: READ,
      summary: 'Show a setting',
      examples: [{ name: 'changed-last', params: LATEST, status: 200 }],
      handle({ params: { kind, name }, caller }, answer) {
        requireKind({ caller }, kind)
        return answer(200, shown(kind, name))
      },
    }),
    route({
      ...SETTING_HISTORY,
      scope: READ,
      summary: 'List the changes of a setting',
      examples: [{ name: 'changed-last', params: LATEST, status: 200 }],
      handle({ params: { kind, name }, caller }, answer) {
        requireKind({ caller }, kind)
        const entries = store.history(kind, name)
        if (entries.length === 0) throw refusal('SETTING_NOT_FOUND', `There never was a stored ${kind} ${name}.`)
        return answer(200, { changes: entries.map((entry, n) => changeOf(entry, entries[n + 1]?.value ?? null)) })
      },
    }),
  ]
}

const textForm = () => import('./text.ts')

function transferRoutes({ store }: SettingRoutesDeps, { make }: Access): ApiRoute[] {
  return [
    route({
      ...EXPORT_SETTINGS,
      scope: READ,
      summary: 'Export the stored settings as YAML',
      examples: [{ name: 'rules', query: { kind: 'rule' }, status: 200 }],
      async handle({ query: { kind }, caller }) {
        const { yamlOf } = await textForm()
        const rows = store.all().filter((row) => (!kind || row.kind === kind) && mayKind(caller, row.kind))
        const headers = { 'content-type': 'application/yaml; charset=utf-8' }
        return asIs(new Response(yamlOf(rows), { headers }))
      },
    }),
    route({
      ...IMPORT_SETTINGS,
      scope: WRITE,
      action: 'setting.import',
      bodyLimit: 1_100_000,
      summary: 'Import settings',
      description: 'Entries of the same name are replaced, others stay. All of them are taken, or none.',
      examples: [
        {
          name: 'plan',
          query: { dryRun: 'true' },
          body: { yaml: 'Butler:\n  footman:\n    calendars:\n      holidays:\n        dates: [2030-12-25]\n' },
          status: 200,
        },
      ],
      async handle(request, answer) {
        const { body, query, note } = request
        const { entriesIn } = await textForm()
        const given = entriesIn(body.yaml)
        for (const { kind } of given) requireKind(request, kind)
        const rows = store.all()
        const entries = given.map(({ kind, name, value }) => {
          const row = rows.find((one) => one.kind === kind && one.name === name)
          const isSame = row && JSON.stringify(maskValue(row, row.value)) === JSON.stringify(value)
          return {
            kind,
            name,
            value,
            what: isSame ? ('same' as const) : row ? ('changed' as const) : ('added' as const),
          }
        })
        const wanted = entries.filter(({ what }) => what !== 'same')
        note({ target: wanted.map(({ kind, name }) => `${kind}/${name}`), detail: `${wanted.length} changed` })
        if (wanted.length > 0) {
          const start = positionsAfter(rows)
          await make(
            request,
            wanted.map((one) => ({ ...one, expected: null, ...start(one) })),
            query.dryRun,
          )
        }
        const plan = entries.map(({ kind, name, what }) => ({ kind, name, what }))
        return answer(200, { dryRun: query.dryRun === true, entries: plan })
      },
    }),
  ]
}

function entryRoutes(
  { store, test }: SettingRoutesDeps,
  { rowOf, shown, storedRow, make, optionsOf }: Access,
): ApiRoute[] {
  return [
    route({
      ...PUT_SETTING,
      scope: WRITE,
      action: 'setting.change',
      summary: 'Create or change a setting',
      description:
        'It is checked together with the whole configuration, stored, and in use when the answer comes. An entry that is there needs its revision in `If-Match`; `If-None-Match: *` refuses to replace one.',
      examples: [
        {
          name: 'holidays',
          params: { kind: 'calendar', name: 'holidays' },
          query: { dryRun: 'true' },
          body: { value: { dates: ['2030-12-25', '2030-12-26'] } },
          status: 201,
        },
      ],
      async handle(request, answer) {
        const { params, query, body, headers, note } = request
        const { kind, name } = params
        const target = body.name ?? name
        requireKind(request, kind)
        note({ target: [`${kind}/${target}`] })
        if (body.value === undefined) throw invalidBody([{ path: 'value', message: 'is missing' }])
        const row = rowOf(kind, name)
        const expected = matched(headers, row) ?? 0
        if (row && matched(headers, row) === null) {
          const why = `The ${kind} ${name} is at revision ${row.revision}: send it as If-Match.`
          throw refusal('SETTING_REVISION_NEEDED', why)
        }
        if (target !== name) {
          const { position } = storedRow(kind, name)
          const entries = [
            { kind, name: target, value: body.value, expected: 0, position, formerly: name },
            { kind, name, value: null, expected },
          ]
          await make(request, entries, query.dryRun)
        } else {
          await make(request, [{ kind, name, value: body.value, expected }], query.dryRun)
        }
        note({ target: [`${kind}/${target}`], detail: query.dryRun ? 'dry run' : detailOf(store, kind, target) })
        const wanted = { kind, name: target, value: body.value }
        return answer(row ? 200 : 201, query.dryRun ? tried(wanted, row) : shown(kind, target))
      },
    }),
    route({
      ...DELETE_SETTING,
      scope: WRITE,
      action: 'setting.delete',
      summary: 'Delete a setting',
      examples: [{ name: 'dry-run', params: LATEST, query: { dryRun: 'true' }, status: 204 }],
      async handle(request, answer) {
        const { kind, name } = request.params
        requireKind(request, kind)
        request.note({ target: [`${kind}/${name}`] })
        const expected = matched(request.headers, storedRow(kind, name))
        await make(request, [{ kind, name, value: null, expected }], request.query.dryRun)
        return answer(204)
      },
    }),
    route({
      ...MOVE_SETTING,
      scope: WRITE,
      action: 'setting.move',
      summary: 'Move a setting among those of its kind',
      examples: [{ name: 'first', params: LATEST, body: { position: 0 }, status: 200 }],
      async handle(request, answer) {
        const { params, body, headers } = request
        const { kind, name } = params
        requireKind(request, kind)
        request.note({ target: [`${kind}/${name}`], detail: `to ${body.position}` })
        const row = storedRow(kind, name)
        const expected = matched(headers, row)
        const others = store.all().filter((one) => one.kind === kind && one.name !== name)
        const order = [...others.slice(0, body.position), row, ...others.slice(body.position)]
        const moved = order
          .map((one, position) => ({
            kind,
            name: one.name,
            value: one.value,
            isSealed: true as const,
            expected: one === row ? expected : one.revision,
            position,
          }))
          .filter(({ position }, n) => order[n] === row || order[n]?.position !== position)
        await make(request, moved, false)
        return answer(200, shown(kind, name))
      },
    }),
    route({
      ...TEST_SETTING,
      scope: WRITE,
      action: 'setting.test',
      summary: 'Test a setting, or a draft of one',
      description:
        'Nothing is stored. A destination gets a test message, once, without the outbox; of a rule, the events of the last 7 days that its `match` and `except` fit; of a calendar or window, its next days or periods; of a policy, the tasks that it covers. Other kinds have no test.',
      examples: [
        {
          name: 'calendar',
          params: { kind: 'calendar', name: 'year-end' },
          body: { value: { dates: ['2030-12-25'] } },
          status: 200,
          answer: { kind: 'calendar', days: ['2030-12-25'], troubles: [] },
        },
      ],
      async handle(request, answer) {
        const { params, body, note, signal } = request
        requireKind(request, params.kind)
        note({ target: [`${params.kind}/${params.name}`] })
        if (!TESTED.includes(params.kind)) throw refusal('SETTING_WITHOUT_TEST', `A ${params.kind} has no test.`)
        if (body.value === undefined) shown(params.kind, params.name)
        const found = await test(params, body.value, optionsOf(request, true), signal)
        note({ target: [`${params.kind}/${params.name}`], detail: testDetail(found) })
        return answer(200, found)
      },
    }),
    route({
      ...RESTORE_SETTING,
      scope: WRITE,
      action: 'setting.restore',
      summary: 'Restore a setting as it was',
      description: 'Also one that was deleted. Revision 0 is the state before the first change: it is deleted.',
      examples: [{ name: 'first', params: LATEST, query: { dryRun: 'true' }, body: { revision: 1 }, status: 200 }],
      async handle(request, answer) {
        const { params, body, query, headers } = request
        const { kind, name } = params
        requireKind(request, kind)
        request.note({ target: [`${kind}/${name}`], detail: `to revision ${body.revision}` })
        const entry = store.history(kind, name).find(({ revision }) => revision === body.revision)
        if (!entry && body.revision !== 0)
          throw refusal('SETTING_NOT_FOUND', `There is no revision ${body.revision} of the ${kind} ${name}.`)
        const value = entry?.value ?? null
        const row = rowOf(kind, name)
        if (value === null && !row) return answer(200, { setting: null })
        const expected = matched(headers, row)
        // One that was deleted comes back to its place in the order.
        const place = !row && entry?.position != null ? { position: entry.position } : {}
        await make(request, [{ kind, name, value, expected, isSealed: true, ...place }], query.dryRun)
        return answer(200, { setting: value === null ? null : shown(kind, name) })
      },
    }),
  ]
}

function adoptRoute({ store, whole, same }: SettingRoutesDeps, { rowOf, shown, make }: Access): ApiRoute {
  return route({
    ...ADOPT_SETTING,
    scope: WRITE,
    action: 'setting.adopt',
    summary: 'Store a setting of the configuration file',
    description:
      'The entry is stored as it stands in the file: its secrets are encrypted, placeholders stay. The file is not written, and wins until the lines of the answer are deleted from it and it is read again.',
    examples: [
      {
        name: 'rule',
        params: from(SETTINGS_OF, { kind: 'rule', name: '$response.body#/settings/0/name' }, 'rules'),
        query: { dryRun: 'true' },
        status: 200,
      },
    ],
    async handle(request, answer) {
      const { params, query, note } = request
      const { kind, name } = params
      requireKind(request, kind)
      const { entryInFile, linesOf } = await import('./adopt.ts')
      const entry = entryInFile(whole, kind, name)
      const { value, at, followers } = entry
      note({ target: [`${kind}/${name}`], detail: `${query.dryRun ? 'dry run: ' : ''}from ${at.file}:${at.line}` })
      const lines = linesOf((await whole.text()) ?? '', entry)
      const row = rowOf(kind, name)
      // Adopted again, it is stored already; another one of the name is not replaced.
      if (!row || !(await same(row, value)))
        await make(request, [{ kind, name, value, expected: 0, isAdopted: true }], query.dryRun)
      const stored = new Set(store.all().flatMap((one) => (one.kind === kind ? [one.name] : [])))
      return answer(200, {
        setting: shown(kind, name),
        lines,
        followers: followers.filter((one) => !stored.has(one)),
      })
    },
  })
}

const TESTED: readonly SettingKind[] = ['destination', 'rule', 'calendar', 'window', 'policy']

function testDetail(found: SettingTest): string {
  if (found.kind === 'destination')
    return found.attempts.map(({ target, outcome }) => `${target}: ${outcome}`).join(', ')
  if (found.kind === 'rule') return `${found.matched} of ${found.lookedAt} events`
  return found.kind === 'policy' ? `${found.tasks} tasks` : ''
}

type Caller = Pick<ApiRequest, 'caller' | 'requestId' | 'via'>

const mayKind = (caller: ApiRequest['caller'], kind: SettingKind): boolean => {
  const { scope } = kindOf(kind)
  return scope === undefined || caller.may(scope)
}

/** Throws 403 for a kind that needs more than the scopes of settings. */
function requireKind({ caller }: Pick<ApiRequest, 'caller'>, kind: SettingKind): void {
  const { scope } = kindOf(kind)
  const missing = scope === undefined ? null : caller.refusal(scope)
  if (missing) throw missing
}

/** The revision that a caller means to replace: 0 = none, -1 = one that cannot be; null = the headers do not say. */
function matched(headers: Headers, row: StoredSetting | undefined): number | null {
  if (headers.get('if-none-match')?.trim() === '*') return 0
  const match = headers.get('if-match')?.trim()
  if (match === undefined) return null
  if (match === '*') return row?.revision ?? -1
  return Number(/^(?:W\/)?"?r?(\d+)"?$/.exec(match)?.[1] ?? -1)
}

const detailOf = (store: SettingStore, kind: SettingKind, name: string): string => {
  const [entry, before] = store.history(kind, name)
  return entry
    ? changeOf(entry, before?.value ?? null)
        .difference.join(', ')
        .slice(0, 500)
    : ''
}

function withBefore(store: SettingStore, entry: HistoryEntry): SettingChange {
  const before = store.history(entry.kind, entry.name).find(({ revision }) => revision < entry.revision)
  return changeOf(entry, before?.value ?? null)
}

/** The answer of a dry run: as it would be. */
function tried({ kind, name, value }: Pick<WantedSetting, 'kind' | 'name' | 'value'>, row?: StoredSetting): Setting {
  return {
    kind,
    name,
    source: 'console',
    state: 'used',
    value: maskValue({ kind, name }, value),
    revision: row?.revision ?? 0,
    changedAt: null,
    changedBy: null,
    file: null,
    line: null,
    issues: [],
    usedBy: [],
  }
}

/** New entries of a list come after those that are there, in the order of the text. */
function positionsAfter(rows: readonly StoredSetting[]) {
  const next = new Map<SettingKind, number>()
  return ({ kind, name }: Pick<WantedSetting, 'kind' | 'name'>): { readonly position?: number } => {
    if (rows.some((row) => row.kind === kind && row.name === name)) return {}
    const last = Math.max(-1, ...rows.filter((row) => row.kind === kind).map(({ position }) => position))
    const position = next.get(kind) ?? last + 1
    next.set(kind, position + 1)
    return { position }
  }
}
