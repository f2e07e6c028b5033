import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  cutText,
  decodeDatagram,
  type ParsedDatagram,
  parseDatagram,
  resolveNames,
  sanitizeField,
} from '../../../src/events/datagram.ts'

const TASK = '4a9f6c1e-2f0b-4d3c-9e55-0c7d1b6e8a21'
const APP = 'b7e0d2f4-6a11-4c0e-8a7f-95d3c1f0aa10'
const EXECUTION = '14a81bf5-f81c-4047-b1a1-193b0920de28'
const TIME = '2024-10-10 15:35:25,117'

interface Parts {
  type?: string
  host?: string
  task?: string
  app?: string
  user?: string
  taskId?: string
  appId?: string
  time?: string
  level?: string
  execution?: string
  message?: string
}

function datagram(parts: Parts = {}): string {
  return [
    parts.type ?? '/scheduler-task-failed/',
    parts.host ?? 'pro2-win1',
    parts.task ?? 'Reload of Sales dashboard',
    parts.app ?? 'Sales dashboard',
    parts.user ?? 'LAB\\goran',
    parts.taskId ?? TASK,
    parts.appId ?? APP,
    parts.time ?? TIME,
    parts.level ?? 'INFO',
    parts.execution ?? EXECUTION,
    parts.message ?? 'Max retries reached',
  ].join(';')
}

function task(text: string): Extract<ParsedDatagram, { kind: 'task' }> {
  const parsed = parseDatagram(text)
  if (parsed.kind !== 'task') throw new Error(`expected a task message, got ${JSON.stringify(parsed)}`)
  return parsed
}

describe('message types', () => {
  const cases: [type: string, outcome: string][] = [
    ['/scheduler-task-failed/', 'failed'],
    ['/scheduler-reload-failed/', 'failed'],
    ['/scheduler-reloadtask-failed/', 'failed'],
    ['/scheduler-task-aborted/', 'aborted'],
    ['/scheduler-reload-aborted/', 'aborted'],
    ['/scheduler-task-success/', 'success'],
    ['/scheduler-reloadtask-success/', 'success'],
    ['/scheduler-distribute/', 'distribute'],
    ['/SCHEDULER-TASK-FAILED/', 'failed'],
    ['  /scheduler-task-failed/  ', 'failed'],
    ['/scheduler-task-success///', 'success'],
  ]
  for (const [type, outcome] of cases) {
    test(`${JSON.stringify(type)} means ${outcome}`, () => {
      expect(task(datagram({ type })).outcome).toBe(outcome as never)
    })
  }

  test('the double-slash success type of the shipped appender is a success', () => {
    expect(task(datagram({ type: '/scheduler-task-success//' })).outcome).toBe('success')
  })

  test('a text that is no message is an unknown type', () => {
    expect(parseDatagram('Test failed reload message')).toMatchObject({ kind: 'rejected', reason: 'UNKNOWN_TYPE' })
  })

  test.each([
    ['four fields', 'pro2-win1;Reload of Sales dashboard;Sales dashboard;Max retries reached'],
    ['a semicolon in a name', 'pro2-win1;Reload; then sleep;Sales dashboard;Max retries reached'],
  ])('a message of Butler 1.1 to 4.1 with %s says what to do', (_what, text) => {
    expect(parseDatagram(text)).toEqual({
      kind: 'rejected',
      reason: 'UNKNOWN_TYPE',
      detail: expect.stringMatching(/Butler 1\.1 to 4\.1.*footman log-appender/),
      outdated: true,
    })
  })

  test.each(['/other;a;b;c', 'a b;c;d;e', 'pro2-win1;Reload;Sales'])('%s is no message of an old appender', (text) => {
    expect(parseDatagram(text)).toMatchObject({ detail: expect.stringContaining('unknown message type') })
  })

  test('the first-generation line without a type is a failure', () => {
    const line = datagram().split(';').slice(1).join(';')
    const parsed = task(line)
    expect(parsed.outcome).toBe('failed')
    expect(parsed.message).toMatchObject({ host: 'pro2-win1', taskId: TASK, executionId: EXECUTION })
  })
})

describe('scheduler messages', () => {
  test('a plain failure yields all eleven fields', () => {
    expect(task(datagram()).message).toEqual({
      host: 'pro2-win1',
      taskName: 'Reload of Sales dashboard',
      appName: 'Sales dashboard',
      user: 'LAB\\goran',
      taskId: TASK,
      appId: APP,
      logTimeStamp: TIME,
      logLevel: 'INFO',
      executionId: EXECUTION,
      logMessage: 'Max retries reached',
    })
  })

  test('eleven fields parse even with an unusual time and level', () => {
    expect(task(datagram({ time: 'ts', level: '7' })).message).toMatchObject({ logTimeStamp: 'ts', logLevel: '7' })
  })

  test('empty app fields of external program and user sync tasks are absent', () => {
    expect(task(datagram({ app: '', appId: '' })).message).toMatchObject({ appName: '', appId: '' })
  })

  test('unset log4net properties are absent', () => {
    const { message } = task(datagram({ app: '(null)', appId: '(null)', execution: '(null)' }))
    expect(message).toMatchObject({ appName: '', appId: '', executionId: '' })
  })

  test('semicolons in names keep every token for the look-up', () => {
    const parsed = task(datagram({ task: 'Reload A; then B', app: 'Finance; 2024' }))
    expect(parsed.nameTokens).toEqual(['Reload A', ' then B', 'Finance', ' 2024'])
    expect(parsed.message).toMatchObject({ taskId: TASK, user: 'LAB\\goran', logMessage: 'Max retries reached' })
  })

  test('exception text with line breaks and semicolons belongs to the message', () => {
    const message =
      'Failed to start session\r\nSystem.Net.WebException: connect failed; host=10.0.0.7\r\n   at Qlik...\r\n'
    expect(task(datagram({ message })).message.logMessage).toBe(
      'Failed to start session System.Net.WebException: connect failed; host=10.0.0.7    at Qlik...',
    )
  })

  const rejected: [why: string, text: string][] = [
    ['truncated', datagram().split(';').slice(0, 8).join(';')],
    ['no task id', datagram({ taskId: '' })],
    ['task id that is no GUID', datagram({ taskId: 'not-a-guid' })],
    ['app id that is no GUID', datagram({ appId: 'nope' })],
  ]
  for (const [why, text] of rejected) {
    test(`rejected: ${why}`, () => {
      expect(parseDatagram(text)).toMatchObject({ kind: 'rejected', reason: 'INVALID' })
    })
  }

  test('property: semicolons anywhere in names and message never lose the ids', () => {
    const name = fc.string({ maxLength: 40 }).filter((text) => !/[0-9a-f]{8}-/i.test(text))
    fc.assert(
      fc.property(name, name, fc.string({ maxLength: 80 }), (taskName, appName, message) => {
        const parsed = task(datagram({ task: taskName, app: appName, message }))
        expect(parsed.message).toMatchObject({ taskId: TASK, appId: APP, executionId: EXECUTION, user: 'LAB\\goran' })
      }),
    )
  })

  test('property: no input throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(parseDatagram(decodeDatagram(bytes).text).kind).toBeString()
      }),
    )
  })
})

describe('engine messages', () => {
  const SESSION = '0d6f2a18-8a31-4f57-9a0e-1c1f6c2b9e90'
  const fields = ['/engine-reload-failed/', 'pro2-win1', APP, SESSION, 'LAB', 'goran', TIME, 'ERROR', 'Reload failed']
  /** The message with these fields changed, by their number from 0. */
  const engine = (changes: Readonly<Record<number, string>> = {}) =>
    fields.map((field, index) => changes[index] ?? field).join(';')
  const message = {
    host: 'pro2-win1',
    taskName: '',
    appName: '',
    user: 'LAB\\goran',
    taskId: '',
    appId: APP,
    logTimeStamp: TIME,
    logLevel: 'ERROR',
    executionId: '',
    logMessage: 'Reload failed',
  }

  test('become a failed reload of an app without a task', () => {
    expect(parseDatagram(engine())).toEqual({
      ...({ kind: 'task', type: 'appReload', outcome: 'failed', nameTokens: null, sanitized: false } as const),
      message,
    })
  })

  test.each([
    ['the message holds semicolons', engine({ 8: 'Field "A;B" not found;' }), { logMessage: 'Field "A;B" not found;' }],
    ['the app id in capitals', engine({ 2: APP.toUpperCase() }), { appId: APP }],
    ['no app', engine({ 2: '(null)' }), { appId: '' }],
    ['no directory', engine({ 4: '' }), { user: 'goran' }],
    ['no user', engine({ 4: '(null)', 5: '(null)' }), { user: '' }],
    ['control characters', engine({ 1: 'pro2\twin1' }), { host: 'pro2 win1' }],
    ['an older type', `/Engine-Reload-Failed//${engine().slice(fields[0]!.length)}`, {}],
  ])('%s', (_, text, changes) => {
    expect(parseDatagram(text)).toMatchObject({ kind: 'task', type: 'appReload', message: { ...message, ...changes } })
  })

  test.each([
    ['eight fields', fields.slice(0, 8).join(';'), /9 fields/],
    ['an app id that is none', engine({ 2: 'SessionApp' }), /not a GUID/],
    ['a semicolon in the host', engine({ 1: 'pro2;win1' }), /no time in field 7/],
    ['a semicolon in the user', engine({ 5: 'go;ran' }), /no time in field 7/],
  ])('%s is rejected', (_, text, detail) => {
    expect(parseDatagram(text)).toMatchObject({
      kind: 'rejected',
      reason: 'INVALID',
      detail: expect.stringMatching(detail),
    })
  })

  test('about the reload of a task are known by the account of the scheduler', () => {
    expect(parseDatagram(engine({ 4: 'Internal', 5: 'SA_scheduler' }))).toEqual({
      kind: 'taskReload',
      host: 'pro2-win1',
      appId: APP,
    })
  })
})

describe('names with semicolons', () => {
  const tokens = ['Reload A', ' then B', 'Finance', ' 2024']
  test('the task name known to QRS decides', () => {
    expect(resolveNames(tokens, { taskName: 'Reload A; then B' })).toEqual({
      taskName: 'Reload A; then B',
      appName: 'Finance; 2024',
    })
  })
  test('the app name known to QRS decides', () => {
    expect(resolveNames(tokens, { appName: ' 2024' }).taskName).toBe('Reload A; then B;Finance')
  })
  test('without a fit the first token is the task name', () => {
    expect(resolveNames(tokens, {})).toEqual({ taskName: 'Reload A', appName: ' then B;Finance; 2024' })
  })
})

describe('cleaning', () => {
  test('tabs become blanks and control characters vanish', () => {
    expect(task(datagram({ host: 'pro2\twin1', message: 'x\u0001\u0002' })).message).toMatchObject({
      host: 'pro2 win1',
      logMessage: 'x',
    })
  })
  test('a name of 600 characters is cut to 500 and reported', () => {
    const parsed = task(datagram({ task: 'a'.repeat(600) }))
    expect(parsed.message.taskName).toBe('a'.repeat(500))
    expect(parsed.sanitized).toBeTrue()
  })
  test('the cut never splits an emoji', () => {
    expect(task(datagram({ task: `${'a'.repeat(499)}🤪` })).message.taskName).toBe('a'.repeat(499))
  })
  test('log messages keep up to 10,000 characters', () => {
    expect(task(datagram({ message: 'm'.repeat(20_000) })).message.logMessage).toHaveLength(10_000)
  })
  test('bidirectional controls are removed', () => {
    expect(sanitizeField('a\u202eb\u2028c')).toBe('abc')
  })
  test('property: a cut text is a prefix without a lone high surrogate', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(50), (text, limit) => {
        const cut = cutText(text, limit)
        expect(text.startsWith(cut)).toBeTrue()
        expect(cut.length).toBeLessThanOrEqual(limit)
        if (text.isWellFormed()) expect(cut.isWellFormed()).toBeTrue()
      }),
    )
  })
})

describe('decoding', () => {
  test('windows-1252 names survive', () => {
    const bytes = Buffer.concat([Buffer.from('Test '), Buffer.from([0xe5, 0xe4, 0xf6])])
    expect(decodeDatagram(bytes)).toEqual({ text: 'Test åäö', encoding: 'windows-1252' })
  })
  test('a byte-order mark is dropped', () => {
    expect(decodeDatagram(Buffer.from('\ufeff/x')).text).toBe('/x')
  })
  test('Unicode names are kept', () => {
    const name = 'Försäljning – 売上レポート 🤪'
    expect(task(decodeDatagram(Buffer.from(datagram({ task: name }))).text).message.taskName).toBe(name)
  })
})
