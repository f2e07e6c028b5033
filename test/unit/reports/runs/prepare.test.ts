/** The documents of a run: conditions, people, variants, values of cycles, faults. Data and rendering are made by hand. */
import { expect, test } from 'bun:test'
import { ReportError } from '../../../../src/reports/codes.ts'
import type { AppliedData, OpenData } from '../../../../src/reports/data/index.ts'
import { type Recipient, recipient } from '../../../../src/reports/entities/recipient.ts'
import type { Definition } from '../../../../src/reports/entities/task.ts'
import { DEFAULT_OPTIONS } from '../../../../src/reports/runs/admission.ts'
import { prepareRun } from '../../../../src/reports/runs/prepare.ts'
import type { PrepareDeps, PrepareRequest } from '../../../../src/reports/runs/request.ts'
import type { ReportData } from '../../../../src/reports/types.ts'
import { cell, fakeReportData } from '../../../support/report-data.ts'
import { exampleDefinition, REPORT } from '../../../support/report-runs.ts'

const NORTH = 'a2e0c1b4-0000-4000-8000-000000000001'
const SOUTH = 'a2e0c1b4-0000-4000-8000-000000000002'
const STORED = { createdAt: '', createdBy: '', modifiedAt: '', modifiedBy: '', revision: 1 }

const person = (name: string, changes: Partial<Recipient> = {}) => ({
  ...recipient().parse({ name, email: `${name}@x.com` }),
  ...changes,
  id: `b2e0c1b4-0000-4000-8000-${Buffer.from(name).toString('hex').padStart(12, '0')}`,
  ...STORED,
})
type Known = ReturnType<typeof person>
const references = (people: readonly Known[]) =>
  people.map(({ id }) => ({ type: 'recipient', recipientId: id, email: true, hub: false }))

interface Scene {
  readonly task?: object
  readonly people?: readonly Known[]
  /** Of the definition: reports of other apps, conditions of the task. */
  readonly definition?: object
  readonly request?: Partial<PrepareRequest>
  readonly limits?: { readonly maxDocumentsPerRun: number }
  /** Possible values of `Region`, by the ids of the filters in force. */
  readonly regions?: (filters: readonly string[]) => readonly string[]
  /** The value of `Region` for which `If(Region)` has no address. */
  readonly unknownMailOf?: string
  /** Called before each document and look at the data: `open user` (`open user app`, of another app than the first), `apply filters/cycle`, `render file`. */
  readonly before?: (step: string) => void
}

/** The documents of a run as `file <- filters | addresses`, its events and the steps of the engine. */
async function prepared({
  task = {},
  people = [],
  definition: more,
  request = {},
  limits,
  regions,
  unknownMailOf,
  before,
}: Scene) {
  const example = exampleDefinition({ recipients: references(people), ...task })
  const filters = [NORTH, SOUTH].map((id) => ({ id, name: id.slice(-1), appId: null, clauses: [], variables: [] }))
  const definition = { ...example, recipients: people, filters, ...more } as unknown as Definition
  const notes: string[] = []
  /** Keys of the reports that the notes are about. */
  const about: string[] = []
  const steps: string[] = []
  const step = (text: string) => {
    steps.push(text)
    before?.(text)
  }
  const made = new Map<string, string>()

  function dataUnder(names: string, ids: readonly string[], cycle: string): ReportData {
    const values = { Mail: `${cycle || 'reader'}@x.com`.toLowerCase(), Region: cycle }
    const asked = cycle === unknownMailOf ? values : { ...values, 'If(Region)': values.Mail }
    return {
      ...fakeReportData({ values: asked }),
      fieldValues: async () => (regions?.(ids) ?? ['N', 'S']).map(cell),
      within: (selections, work) => work(dataUnder(names, ids, selections[0]!.values[0]!.text)),
      filterText: names,
    }
  }
  const openApp: PrepareDeps['openApp'] = async ({ appId, user }) => {
    step(`open ${user?.userId ?? '-'}${appId ? ` ${appId}` : ''}`)
    const open: OpenData = {
      app: { id: 'app', name: 'Sales', lastReload: null },
      async apply(active, cycle = []) {
        const ids = (active as unknown as readonly { id: string }[]).map(({ id }) => id)
        const value = cycle[0]?.values[0]?.text ?? ''
        const names = `${user?.userId ?? ''}[${ids.map((id) => id.slice(-1)).join()}]`
        step(`apply ${names}${value}`)
        const data = dataUnder(names, ids, value)
        return { data, unlimited: data } as unknown as AppliedData
      },
      close: async () => step(`close ${user?.userId ?? '-'}`),
    }
    return open
  }
  const deps: PrepareDeps = {
    openApp,
    facts: {} as PrepareDeps['facts'],
    async render({ data, names }) {
      const name = [names.key, ...names.cycle.map(({ value }) => value.text)].join('/')
      step(`render ${name}`)
      made.set(String(names.seq), data.filterText)
      return { format: 'pdf', mediaType: 'application/pdf', extension: 'pdf', bytes: 1 }
    },
    keep: async () => ({ sha256: 'a'.repeat(64), bytes: 1 }),
    keepBytes: async () => '',
    exclusive: (work) => work(),
    note: ({ code, recipient: who, report, details }) => {
      notes.push([code, who, details].filter(Boolean).join(' '))
      about.push(report ?? '')
    },
    line: () => {},
    signal: new AbortController().signal,
  }
  const settings = {
    temporaryDirectory: '/nowhere',
    timezone: 'UTC',
    locale: 'en-GB',
    secrets: {},
    allowedRecipientDomains: [],
    engineRetryMs: [0, 0],
    maxDocumentsPerRun: 100,
    maxRenderSeconds: 60,
    ...limits,
  } as unknown as PrepareRequest['settings']
  const result = await prepareRun(deps, {
    runId: '019aa51a-f5f5-7c11-9b5e-2f2f6a0c1e10',
    startedAt: 0,
    definition,
    options: DEFAULT_OPTIONS,
    members: {},
    states: {},
    render: true,
    preview: false,
    settings,
    ...request,
  })
  const documents = result.documents.map(({ report, cycle, seq, mailTo }) => {
    const name = [report, ...cycle.map(({ value }) => value.text)].join('/')
    return `${name} <- ${made.get(String(seq))}${mailTo ? ` | ${mailTo.join()}` : ''}`
  })
  return {
    documents,
    notes,
    about,
    steps,
    result,
    missing: result.missing.map(({ label, code }) => `${label} ${code}`),
  }
}

const use = (key: string, changes: object = {}) => ({ key, reportId: REPORT, format: 'pdf', ...changes })
const cycled = (changes: object = {}) => use('pack', { cycle: { fields: ['Region'], ...changes } })

const anna = person('anna', { filterIds: [NORTH] })
const berta = person('berta', { filterIds: [NORTH] })
const carl = person('carl', { filterIds: [SOUTH] })
const dora = person('dora')

test('people with the same filters share a document; a folder gets the one without filters of people', async () => {
  const all = [anna, berta, carl, dora]
  expect((await prepared({ people: all })).documents).toEqual(['pack <- [1]', 'pack <- [2]', 'pack <- []'])
  expect((await prepared({ people: [anna, berta] })).documents).toEqual(['pack <- [1]'])
  const storage = [{ spaceId: 'share' }]
  expect((await prepared({ people: [anna], task: { storage } })).documents).toEqual(['pack <- []', 'pack <- [1]'])
})

test('a cycle has the values that each variant leaves; without any there is a warning', async () => {
  const regions = (ids: readonly string[]) => (ids.includes(NORTH) ? ['N'] : ids.includes(SOUTH) ? [] : ['N', 'S'])
  const { documents, notes } = await prepared({ people: [anna, carl, dora], task: { reports: [cycled()] }, regions })
  expect(documents).toEqual(['pack/N <- [1]', 'pack/N <- []', 'pack/S <- []'])
  expect(notes).toEqual(['NO_CYCLE_VALUES carl@x.com Region has no possible value'])
})

test.each<[string, object, readonly Known[], readonly string[]]>([
  ['strangers get the plain document', { emailTo: '=Mail' }, [], ['pack/N <- [] | n@x.com', 'pack/S <- [] | s@x.com']],
  [
    'a known person gets the own one',
    { emailTo: '=Mail' },
    [person('s', { filterIds: [SOUTH] })],
    ['pack/N <- [] | n@x.com', 'pack/S <- [] | ', 'pack/S <- [2] | s@x.com'],
  ],
  [
    'an inactive person gets none',
    { emailTo: '=Mail' },
    [person('s', { active: false })],
    ['pack/N <- [] | n@x.com', 'pack/S <- [] | '],
  ],
  [
    'recipients get theirs only where the cycle says so',
    { emailTo: '=Mail', alsoRecipients: true },
    [person('s', { filterIds: [SOUTH] })],
    ['pack/N <- [] | n@x.com', 'pack/S <- [] | ', 'pack/N <- [2] | ', 'pack/S <- [2] | s@x.com'],
  ],
])('addresses of a cycle: %s', async (_, cycle, people, expected) => {
  const { documents } = await prepared({ people, task: { reports: [cycled(cycle)] } })
  expect(documents.toSorted()).toEqual(expected.toSorted())
})

test('read as each person, each has a session of the own; who has no Qlik user gets nothing', async () => {
  const user = (userId: string) => ({ qlikUser: { userDirectory: 'LAB', userId } })
  const people = [person('anna', user('anna')), person('berta', user('berta')), dora]
  const run = { evaluateAs: 'recipient' }
  const { documents, notes, steps } = await prepared({ people, task: { run } })
  expect(documents).toEqual(['pack <- anna[]', 'pack <- berta[]'])
  expect(notes).toEqual(['RECIPIENT_NO_QLIK_USER dora@x.com dora@x.com has no Qlik user'])
  expect(steps.filter((one) => /open|close/.test(one))).toEqual([
    'open -',
    'close -',
    'open anna',
    'close anna',
    'open berta',
    'close berta',
  ])
  const inCycle = await prepared({
    people: [person('s', user('sara'))],
    task: { run, reports: [cycled({ emailTo: '=Mail' })] },
  })
  expect(inCycle.documents).toEqual(['pack/S <- sara[] | s@x.com'])
  expect(inCycle.notes).toEqual(['RECIPIENT_NO_QLIK_USER n@x.com n@x.com has no Qlik user'])
})

test('a name with {recipient} is that of the person, also where people share a Qlik user', async () => {
  const shared = { qlikUser: { userDirectory: 'LAB', userId: 'team' } }
  const people = [person('anna', { ...shared, attributes: { code: 'N' } }), person('berta', shared)]
  const namesOf = async (run: object, fileName: string, storage: readonly object[] = []) =>
    (await prepared({ people, task: { run, storage, reports: [{ ...use('pack'), fileName }] } })).result.documents.map(
      (one) => one.fileName,
    )
  const run = { evaluateAs: 'recipient' }
  expect(await namesOf(run, '{recipient}_{recipient:attributes.code}')).toEqual([
    'anna@x.com_N.pdf',
    'berta@x.com_.pdf',
  ])
  expect(await namesOf(run, 'pack')).toEqual(['pack.pdf'])
  expect(await namesOf(run, 'pack', [{ spaceId: 'finance', folder: '{recipient}' }])).toEqual(['pack.pdf', 'pack.pdf'])
})

test('an app that is closed to one person stops the documents of that person alone', async () => {
  const user = (userId: string) => ({ qlikUser: { userDirectory: 'LAB', userId } })
  const { documents, notes } = await prepared({
    people: [person('anna', user('anna')), person('berta', user('berta'))],
    task: { run: { evaluateAs: 'recipient' } },
    before(step) {
      if (step === 'open anna') throw new ReportError('APP_ACCESS_DENIED', 'closed')
    },
  })
  expect(documents).toEqual(['pack <- berta[]'])
  expect(notes).toEqual(['APP_ACCESS_DENIED anna@x.com closed'])
})

/** Reports a, b and c, of an app each; those of `closed` cannot be opened. */
async function threeApps(closed: string, task: object = {}, code: ReportError['code'] = 'APP_NOT_FOUND', more = {}) {
  const idOf = (key: string) => REPORT.slice(0, -1) + key
  const keys = ['a', 'b', 'c']
  return prepared({
    people: [dora, anna],
    task: { reports: keys.map((key) => use(key, { reportId: idOf(key) })), ...task },
    definition: {
      reports: keys.map((key) => ({
        id: idOf(key),
        name: key,
        project: 'default',
        appId: key,
        filterIds: [],
        ...STORED,
      })),
      ...more,
    },
    before(step) {
      if ([...closed].some((key) => step === `open - ${key}`)) throw new ReportError(code, 'gone')
    },
  })
}
const bothOf = (...keys: readonly string[]) => keys.flatMap((key) => [`${key} <- []`, `${key} <- [1]`])

test.each([
  ['a', 'APP_NOT_FOUND', bothOf('b', 'c')],
  ['b', 'APP_NOT_FOUND', bothOf('a', 'c')],
  ['b', 'APP_ACCESS_DENIED', bothOf('a', 'c')],
  ['ab', 'APP_NO_DATA', bothOf('c')],
] as const)('reports %s whose app cannot be opened leave the others alone: %s', async (closed, code, expected) => {
  const { documents, missing, notes, about } = await threeApps(closed, {}, code)
  expect(documents).toEqual(expected)
  expect(missing).toEqual([...closed].map((key) => `${key} ${code}`))
  expect([notes, about]).toEqual([[...closed].map(() => `${code} gone`).slice(0, notes.length), [...closed]])
})

test('after an app that cannot be opened, onReportError stop makes no further documents', async () => {
  const stop = { run: { onReportError: 'stop' } }
  expect((await threeApps('b', stop)).documents).toEqual(bothOf('a'))
  expect((await threeApps('a', stop)).documents).toEqual([])
})

test('an app of a cycle that cannot be opened is tried once for all people', async () => {
  const reports = [
    use('a', { reportId: `${REPORT.slice(0, -1)}a` }),
    use('b', { reportId: `${REPORT.slice(0, -1)}b`, cycle: { fields: ['Region'] } }),
  ]
  const { steps, about } = await threeApps('b', { reports })
  expect(steps.filter((step) => step === 'open - b')).toHaveLength(1)
  expect(about).toEqual(['b'])
})

test('the run ends when all apps are closed, and names each report', async () => {
  const details = 'gone; b: APP_NOT_FOUND gone; c: APP_NOT_FOUND gone'
  await expect(threeApps('abc')).rejects.toMatchObject({ code: 'APP_NOT_FOUND', details, report: 'a' })
})

test.each([
  ['a', 'b, c'],
  ['b', 'a, c'],
])('an engine that is lost at report %s ends the run, which names the others', async (lost, others) => {
  const details = `gone; the run ends, nothing is delivered of ${others} either`
  const code = 'ENGINE_UNREACHABLE'
  await expect(threeApps(lost, {}, code)).rejects.toMatchObject({ code, details, report: lost })
})

const BY_EXPRESSION = {
  recipients: [
    { type: 'expression', expr: '=Mail', email: true, hub: false },
    { type: 'address', address: 'dora@x.com', email: true, hub: false },
  ],
}
const MISSED = (reason: string) => `the recipients that "=Mail" names get nothing: ${reason}`
test.each([
  ['a', 'APP_NOT_FOUND', ['b', 'c'], ['APP_NOT_FOUND gone', `APP_NOT_FOUND ${MISSED('gone')}`], ['a', 'a']],
  ['a', 'APP_ACCESS_DENIED', ['b', 'c'], ['APP_ACCESS_DENIED gone', `APP_ACCESS_DENIED ${MISSED('gone')}`], ['a', 'a']],
  ['b', 'APP_NOT_FOUND', ['a', 'c'], ['APP_NOT_FOUND gone'], ['b']],
] as const)('recipients by an expression, app %s closed (%s): the others get theirs', async (...row) => {
  const [closed, code, made, expected, named] = row
  const { documents, notes, about, result } = await threeApps(closed, BY_EXPRESSION, code)
  expect(documents).toEqual(made.map((key) => `${key} <- []`))
  expect([notes.toSorted(), about]).toEqual([[...expected].toSorted(), [...named]])
  expect(result.people.map(({ address }) => address)).toContain('dora@x.com')
})

test('an expression of recipients that cannot be calculated costs its own people alone', async () => {
  const [byMail, dora] = BY_EXPRESSION.recipients
  const recipients = [{ ...byMail, expr: '=Wrong(' }, byMail, dora]
  const { documents, notes, about, result } = await threeApps('', { recipients })
  expect(documents).toEqual(['a <- []', 'b <- []', 'c <- []'])
  expect(notes).toEqual(['DOCUMENT_FAILED the recipients that "=Wrong(" names get nothing: cannot calculate =Wrong('])
  expect(about).toEqual(['a'])
  expect(result.people.map(({ address }) => address)).toEqual(['reader@x.com', 'dora@x.com'])
})

test('a group and an expression that bring nobody are named beside others who get the report', async () => {
  const group = { id: SOUTH, name: 'Managers', description: '', memberIds: [], dynamic: null, filterIds: [], ...STORED }
  const recipients = [
    { type: 'group', groupId: SOUTH, email: true, hub: false },
    { type: 'expression', expr: '=If(Region)', email: true, hub: false },
    BY_EXPRESSION.recipients[1],
  ]
  const scene = { task: { recipients }, definition: { groups: [group] }, unknownMailOf: '' }
  const asked = await prepared({
    ...scene,
    task: { recipients: [...recipients, { ...recipients[1], expr: '=Region' }] },
  })
  expect(asked.notes).toEqual([
    'DOCUMENT_FAILED the recipients that "=If(Region)" names get nothing: cannot calculate =If(Region)',
    'RECIPIENTS_EMPTY the group "Managers" brings no person: it has no members',
    'RECIPIENTS_EMPTY the recipient expression "=Region" gives no address',
  ])
  const options = { ...DEFAULT_OPTIONS, recipients: ['dora@x.com'] }
  expect(
    (await prepared({ ...scene, task: { recipients: recipients.toSpliced(1, 1) }, request: { options } })).notes,
  ).toEqual([])
})

test('nobody but the recipients of an expression that cannot be asked: the run says so', async () => {
  const [byMail] = BY_EXPRESSION.recipients
  const details = `e-mail or hub is on, and the recipients name no person; ${MISSED('gone')}`
  await expect(threeApps('a', { recipients: [byMail] })).rejects.toMatchObject({ code: 'NO_RECIPIENTS', details })
})

test.each([
  ['proceed', bothOf('b', 'c'), null],
  ['skip', [], 'CONDITION_NOT_MET'],
])('a condition of the task at a closed app, onError %s', async (onError, made, skipped) => {
  const { documents, notes, result } = await threeApps('a', ...conditionOf(onError))
  expect([documents, result.skipped]).toEqual([made, skipped as never])
  expect(notes).toContain('CONDITION_SKIPPED_ON_ERROR fresh: rule 1 (lastReload): APP_NOT_FOUND: gone')
})

test('a condition of the task at a closed app, onError error, ends the run', async () => {
  const details = 'fresh: rule 1 (lastReload): APP_NOT_FOUND: gone'
  await expect(threeApps('a', ...conditionOf('error'))).rejects.toMatchObject({ code: 'CONDITION_ERROR', details })
})

/** A condition that names no app. */
function conditionOf(onError: string) {
  const rules = [{ type: 'lastReload', is: 'today' }]
  const condition = { id: NORTH, name: 'fresh', appId: null, match: 'all', fire: 'always', onError, rules }
  return [{ conditionIds: [NORTH] }, 'APP_NOT_FOUND', { conditions: [condition] }] as const
}

const WRONG = '{expr:=Wrong(}'
test.each<[string, object, object, boolean]>([
  ['fileName', {}, { fileName: WRONG }, true],
  ['email.subject', { email: { enabled: true, subject: WRONG } }, {}, true],
  ['storage.folder', { storage: [{ spaceId: 'share', folder: WRONG }] }, {}, true],
  ['hub.title of a channel that is off', { hub: { enabled: false, title: WRONG } }, {}, false],
  ['storage.folder of a report that is mailed alone', {}, { deliver: { storage: false } }, false],
  ['cycle.emailTo', {}, { cycle: { fields: ['Region'], emailTo: '=Wrong(' } }, true],
  ['cycle.folder', {}, { cycle: { fields: ['Region'], folder: '=Wrong(' } }, true],
])('an expression in %s that cannot be calculated costs its report alone', async (member, task, first, fails) => {
  const reports = [use('a', first), use('b', { deliver: { storage: false, email: 'none' } }), use('c')]
  const isShared = member === 'email.subject' || member === 'storage.folder'
  const { documents, notes, about } = await prepared({ people: [dora], task: { reports, ...task } })
  const readers = documents.map((text) => text.slice(0, 1))
  expect(readers.includes('a')).toBe(!fails)
  expect(readers.includes('c')).toBe(!isShared)
  expect(about.every((key) => key === 'a' || isShared)).toBe(true)
  if (fails) expect(notes[0]).toMatch(new RegExp(`DOCUMENT_FAILED .*${member}: cannot calculate =Wrong`))
  else expect(notes).toEqual([])
})

test('read as each person: one value whose people cannot be found out leaves the other values alone', async () => {
  const user = { qlikUser: { userDirectory: 'LAB', userId: 'n' } }
  const { documents, notes, missing } = await prepared({
    people: [person('n', user)],
    task: { run: { evaluateAs: 'recipient' }, reports: [cycled({ emailTo: '=If(Region)' })] },
    unknownMailOf: 'S',
  })
  expect(documents).toEqual(['pack/N <- n[] | n@x.com'])
  expect(notes).toEqual(['DOCUMENT_FAILED pack/S: cycle.emailTo: cannot calculate =If(Region)'])
  expect(missing).toEqual(['pack/S DOCUMENT_FAILED'])
})

const STOPPED = (first: string) => `not made: run.onReportError is stop, and ${first} failed`

test.each([
  ['continue', ['b <- []', 'c <- []'], ['a'], ['broken']],
  ['stop', [], ['a', 'b', 'c'], ['broken', STOPPED('a'), STOPPED('a')]],
])('after a document that fails, onReportError %s', async (onReportError, expected, missed, reasons) => {
  const { documents, missing, notes } = await prepared({
    people: [dora],
    task: { reports: ['a', 'b', 'c'].map((key) => use(key)), run: { onReportError } },
    before(step) {
      if (step === 'render a') throw new Error('broken')
    },
  })
  const failed = (text: string) => `DOCUMENT_FAILED ${text}`
  expect(documents).toEqual(expected)
  expect(missing).toEqual(missed.map((key) => `${key} DOCUMENT_FAILED`))
  expect(notes).toEqual(reasons.map(failed))
})

test('after a value that fails, onReportError stop names the values and reports that are not made', async () => {
  const { documents, missing, notes } = await prepared({
    people: [dora],
    task: { reports: [cycled(), use('b')], run: { onReportError: 'stop' } },
    before(step) {
      if (step === 'render pack/N') throw new Error('broken')
    },
  })
  expect(documents).toEqual([])
  expect(missing).toEqual(['pack/N DOCUMENT_FAILED', 'pack/S DOCUMENT_FAILED', 'b DOCUMENT_FAILED'])
  expect(notes.slice(1)).toEqual([
    `DOCUMENT_FAILED pack/S: ${STOPPED('pack/N')}`,
    `DOCUMENT_FAILED ${STOPPED('pack/N')}`,
  ])
})

test('a lost engine is tried three times, then the run ends', async () => {
  const failing = (times: number) => {
    let left = times
    return (step: string) => {
      if (step === 'render pack' && left-- > 0) throw new ReportError('ENGINE_UNREACHABLE', 'gone')
    }
  }
  const { documents, steps } = await prepared({ people: [dora], before: failing(2) })
  expect(documents).toEqual(['pack <- []'])
  expect(steps.filter((one) => one.startsWith('open'))).toHaveLength(3)
  expect(prepared({ people: [dora], before: failing(3) })).rejects.toThrow('ENGINE_UNREACHABLE')
})

test('an engine that is lost while a cycle is asked for names the other reports once', async () => {
  const reports = [cycled(), use('whole')]
  let asked = 0
  const run = prepared({
    people: [anna, dora],
    task: { reports },
    before(step) {
      if (step.startsWith('apply') && asked++ > 0) throw new ReportError('ENGINE_UNREACHABLE', 'gone')
    },
  })
  const details = 'gone; the run ends, nothing is delivered of whole either'
  await expect(run).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE', report: 'pack', details })
})

test('too many documents: of a report none is made, of a run nothing', async () => {
  const reports = [cycled({ maxDocuments: 1 }), use('whole')]
  const { documents, notes } = await prepared({ people: [dora], task: { reports } })
  expect(documents).toEqual(['whole <- []'])
  expect(notes).toEqual(['TOO_MANY_DOCUMENTS 2 documents, cycle.maxDocuments is 1'])
  const run = prepared({ people: [dora], task: { reports: [cycled()] }, limits: { maxDocumentsPerRun: 1 } })
  expect(run).rejects.toThrow('TOO_MANY_DOCUMENTS: 2 documents, limits.maxDocumentsPerRun is 1')
})

test.each<[string, object, string | null, readonly string[]]>([
  ['no person and no folder', {}, 'NO_RECIPIENTS', []],
  [
    'no person, but a folder',
    { storage: [{ spaceId: 'share' }] },
    null,
    ['NO_RECIPIENTS e-mail or hub is on, and the recipients name no person'],
  ],
  ['addresses of a cycle', { reports: [cycled({ emailTo: '=Mail' })] }, null, []],
  ['no channel to people', { email: { enabled: false }, storage: [{ spaceId: 'share' }] }, null, []],
])('%s', async (_, task, error, expected) => {
  const run = prepared({ task })
  if (error) return expect(run).rejects.toThrow(error)
  expect((await run).notes).toEqual([...expected])
})

test('a start that is limited to strangers says so', () => {
  const recipients = ['who@x.com', 'nobody@x.com']
  const request = { options: { ...DEFAULT_OPTIONS, recipients } }
  return expect(prepared({ people: [dora], request })).rejects.toThrow(
    'NO_RECIPIENTS: the start is limited to who@x.com, nobody@x.com, and none of them is a recipient of the task',
  )
})

test('a start for some reports and recipients makes no more', async () => {
  const options = { ...DEFAULT_OPTIONS, reports: ['b'], recipients: ['CARL@x.com'] }
  const reports = ['a', 'b'].map((key) => use(key))
  const { documents, result } = await prepared({ people: [anna, carl], task: { reports }, request: { options } })
  expect(documents).toEqual(['b <- [2]'])
  expect(result.people.map(({ address }) => address)).toEqual(['carl@x.com'])
  const all = { ...DEFAULT_OPTIONS, recipients: ['s@x.com'] }
  const cycle = await prepared({ task: { reports: [cycled({ emailTo: '=Mail' })] }, request: { options: all } })
  expect(cycle.documents).toEqual(['pack/N <- [] | ', 'pack/S <- [] | s@x.com'])
})

test('a start that is limited to an address that nothing is for: the run ends, or says so where a cycle names people', async () => {
  const options = { ...DEFAULT_OPTIONS, recipients: ['Dora@x.com', 'nobody@x.com'] }
  const details = 'the start is limited to Dora@x.com, nobody@x.com, and nobody@x.com is no recipient of the task'
  const run = prepared({ people: [dora], request: { options } })
  await expect(run).rejects.toMatchObject({ code: 'NO_RECIPIENTS', details })
  const reports = [cycled({ emailTo: '=Mail', alsoRecipients: true })]
  const limitedTo = async (recipients: string[]) =>
    (await prepared({ people: [dora], task: { reports }, request: { options: { ...options, recipients } } })).notes
  expect(await limitedTo(['dora@x.com', 'S@x.com'])).toEqual([])
  expect(await limitedTo(['S@x.com', 'nobody@x.com'])).toEqual([
    'RECIPIENTS_EMPTY nobody@x.com, to whom the start is limited, gets nothing: no document that was made is for this address',
  ])
})
