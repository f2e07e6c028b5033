import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { configReference } from '../../../scripts/lib/config-reference.ts'
import { runCheck } from '../../../src/cli/check.ts'
import { runSchema } from '../../../src/cli/schema.ts'
import { withFolder } from '../../support/config.ts'
import { testCertificates } from '../../support/conformance/certificates.ts'

function recordingIo() {
  const lines: string[] = []
  return {
    lines,
    io: { out: (text: string) => void lines.push(...text.split('\n')), err: (text: string) => void lines.push(text) },
  }
}

const CERTIFICATES = 'cert: {clientCert: c.pem, clientCertKey: k.pem, clientCertCA: r.pem}'
const USER = 'UserDirectory=Internal;UserId=sa_repository'
const COMPLETE = `Butler:\n  configQRS: {host: qs, headers: {static: [{name: X-Qlik-User, value: ${USER}}]}}\n  ${CERTIFICATES}\n`
const { ca, client, server } = await testCertificates()
const PEMS = { 'c.pem': client.cert.pem, 'k.pem': client.key.pem, 'r.pem': ca.pem }

async function check(
  files: Record<string, string | Uint8Array>,
  options: { json?: boolean; paths?: boolean; qsConnection?: boolean } = {},
) {
  const { lines, io } = recordingIo()
  const code = await withFolder(files, (cwd) =>
    runCheck({ configfile: 'c.yaml', ...options }, io, { env: {}, cwd, execPath: join(cwd, 'footman') }),
  )
  return { code, lines }
}

describe('footman check', () => {
  test('a good file', async () => {
    const { code, lines } = await check({ 'c.yaml': COMPLETE, ...PEMS })
    expect(code).toBe(0)
    expect(lines).toEqual([expect.stringMatching(/\/c\.yaml: valid, 0 errors, 0 warnings$/)])
  })

  test('lists where every path leads', async () => {
    const mail =
      'emailNotification: {enable: true, smtp: {host: m}, reloadTaskFailure: {enable: true, recipients: [a@b.se], fromAddress: a@b.se, bodyFileDirectory: mails, htmlTemplateFile: failed}}'
    const text = `${COMPLETE}  scheduler: {enable: true, configfile: plan.yaml}\n  ${mail}\n`
    const files = { 'c.yaml': text, ...PEMS, 'plan.yaml': 'butlerSchedule: []\n' }
    const { lines } = await check(files, { paths: true })
    const listed = lines.filter((line) => /^(exists|missing) {2}\//.test(line) || line.startsWith('exists   /'))
    expect(listed.map((line) => line.replace(/\/\S*\/(?=[^/\s]+(\s|$))/, '.../'))).toEqual([
      'exists   .../c.yaml',
      'missing  .../data  (Butler.footman.dataDirectory)',
      'exists   .../c.pem  (Butler.cert.clientCert)',
      'exists   .../k.pem  (Butler.cert.clientCertKey)',
      'exists   .../r.pem  (Butler.cert.clientCertCA)',
      'exists   .../plan.yaml  (Butler.scheduler.configfile)',
      'missing  .../mails  (Butler.emailNotification.reloadTaskFailure.bodyFileDirectory)',
    ])
    const { paths } = JSON.parse((await check(files, { json: true })).lines.join('\n')) as {
      paths: { exists: boolean }[]
    }
    expect(paths.map(({ exists }) => exists)).toEqual([true, false, true, true, true, true, false])
    expect(lines.find((line) => line.includes('no template'))).toMatch(
      /no template "failed" in "mails" \(looked in \/\S+\/mails\)/,
    )
  })

  test('warnings do not count against it', async () => {
    const { code, lines } = await check({ 'c.yaml': `${COMPLETE}  hartbeat: {}\n`, ...PEMS })
    expect(code).toBe(0)
    expect(lines[0]).toBe('c.yaml:4:3 warning Butler.hartbeat: unknown key, ignored. Hint: did you mean heartbeat?')
    expect(lines[1]).toEndWith('valid, 0 errors, 1 warning')
  })

  test('errors come first', async () => {
    const { code, lines } = await check(
      { 'c.yaml': `Butler:\n  hartbeat: {}\n  startTaskFilter: {enable: x}\n`, ...PEMS },
      { qsConnection: false },
    )
    expect(code).toBe(1)
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['error', 'warning', 'not'])
  })

  test('what only switches a feature off is named, and the start goes on', async () => {
    const text = 'Butler:\n  heartbeat: {enable: true, remoteURL: here}\n  scheduler: {enable: true, configfile: []}\n'
    const { code, lines } = await check({ 'c.yaml': text }, { qsConnection: false })
    expect(code).toBe(3)
    expect(lines[0]).toStartWith('c.yaml:2:29 error Butler.heartbeat.remoteURL: must be an address with a scheme')
    expect(lines[0]).toEndWith('; Butler.heartbeat stays off')
    expect(lines.at(-1)).toMatch(/\/c\.yaml: starts, Butler\.heartbeat, Butler\.scheduler off, 2 errors, 0 warnings$/)
  })

  test('missing certificates name all places', async () => {
    const { code, lines } = await check({ 'c.yaml': COMPLETE, 'c.pem': '', 'k.pem': '' })
    expect(code).toBe(3)
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(
      /^c\.yaml:3:51 error Butler\.cert\.clientCertCA: the file "r\.pem" does not exist; tried \/.*\/r\.pem; Butler\.configQRS stays off\. Hint: /,
    )
  })

  test('without Qlik Sense they are not needed', async () => {
    expect((await check({ 'c.yaml': COMPLETE }, { qsConnection: false })).code).toBe(0)
  })

  test('folders and fonts of report tasks that cannot be used', async () => {
    const reports =
      'footman: {reportTask: {enable: true, fonts: [a.ttf], storageSpaces: [{id: a, directory: /not/there}]}}'
    const { code, lines } = await check({ 'c.yaml': `${COMPLETE}  ${reports}\n`, 'a.ttf': 'no font', ...PEMS })
    expect(code).toBe(0)
    expect(lines.join('\n')).toContain(
      'warning Butler.footman.reportTask.storageSpaces[0].directory: the folder "/not/there" does not exist',
    )
    expect(lines.join('\n')).toContain(
      'warning Butler.footman.reportTask.fonts[0]: is left out, it cannot be read as a font: ',
    )
  })

  test.each<[name: string, content: string, place: string, reason: string]>([
    ['days.yaml', '- 2026-12-24\n- 24.12.26\n', 'days.yaml:2:3', '"24.12.26" is no date like 2026-12-24'],
    ['days.yaml', '- 46380\n', 'days.yaml:1:3', '"46380" is no date'],
    ['days.yaml', '- 2026-12-24 00:00:00\n', 'days.yaml:1:3', '"2026-12-24 00:00:00" is no date'],
    ['days.yaml', '- {day: 2026-12-24}\n', 'days.yaml:1:3', 'is no date'],
    ['days.yaml', 'day: 2026-12-24\n', 'days.yaml:1:1', 'a list of dates like'],
    ['days.yaml', '- "2026-12-24\n', 'days.yaml:2:1', 'closing "quote'],
    ['days.csv', 'day\r12/24/2026\r', 'days.csv:2:1', '"12/24/2026" is no date'],
    ['days.csv', 'day\n46380\n', 'days.csv:2:1', '"46380" is no date'],
    ['days.csv', 'day;name;Name \n2026-12-24;x;y\n', 'days.csv:1:1', 'the column Name is there twice'],
    ['days.ics', 'BEGIN:VEVENT\n', 'c.yaml:', 'BEGIN:VCALENDAR is missing'],
  ])('a calendar file that cannot be used: %s with %j', async (name, content, place, reason) => {
    const calendars = `footman: {calendars: {holidays: {file: ${name}}}}`
    const { code, lines } = await check({ 'c.yaml': `${COMPLETE}  ${calendars}\n`, [name]: content, ...PEMS })
    expect(code).toBe(0)
    const found = lines.filter((line) => line.includes('footman.calendars.holidays.file'))
    expect(found).toEqual([expect.stringContaining('the calendar has no days, its file cannot be used: ')])
    expect(found[0]).toContain(place)
    expect(found[0]).toContain(reason)
    expect(lines.join('\n')).toContain('write a date like 2026-12-24 in each line')
  })

  test('a calendar file that is missing, and one of which a part does not count', async () => {
    const calendars =
      'footman: {calendars: {gone: {file: gone.yaml}, partly: {file: partly.ics}, good: {file: good.csv}}}'
    const ics = 'BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Party\nDTSTART:20261224T180000\nEND:VEVENT\nEND:VCALENDAR\n'
    const files = { 'c.yaml': `${COMPLETE}  ${calendars}\n`, 'partly.ics': ics, 'good.csv': '24.12.2026\n', ...PEMS }
    const { code, lines } = await check(files)
    const found = lines.filter((line) => line.includes('footman.calendars.'))
    expect([code, found]).toEqual([
      0,
      [
        expect.stringContaining(
          'calendars.gone.file: the calendar has no days, the file "gone.yaml" does not exist; tried /',
        ),
        expect.stringContaining('calendars.partly.file: event "Party": it is no all-day event and is left out'),
      ],
    ])
  })

  test.each([
    ['of Windows-1252', Buffer.from('day;name\n2026-01-06;K\xf6nige\n', 'latin1'), 'is read as Windows-1252'],
    ['with a lost letter', 'day;name\n2026-01-06;K\ufffdnige\n', 'in place of a lost letter in line 2'],
  ])('a calendar file %s is used, with a hint', async (_, content, reason) => {
    const calendars = 'footman: {calendars: {holidays: {file: days.csv}}}'
    const { code, lines } = await check({ 'c.yaml': `${COMPLETE}  ${calendars}\n`, 'days.csv': content, ...PEMS })
    const at = lines.findIndex((line) => line.includes('footman.calendars.holidays.file'))
    expect([code, lines[at]]).toEqual([0, expect.stringContaining(reason)])
    expect(lines.slice(at, at + 2).join()).toContain('Hint: save the file as UTF-8,')
  })

  test.each([
    ['c.pem', 'k.pem', 0],
    ['c.pem', 'other.pem', 1],
    ['c.pem', 'c.pem', 1],
    ['text.pem', 'k.pem', 1],
  ])('the TLS files of the REST server: %s with %s', async (cert, key, expected) => {
    const rest = `restServerConfig: {enable: true, serverHost: 127.0.0.1, serverPort: 8080, tls: {enable: true, cert: ${cert}, key: ${key}}}`
    const files = {
      'c.yaml': `${COMPLETE}  ${rest}\n`,
      'text.pem': 'no certificate',
      'other.pem': server.key.pem,
      ...PEMS,
    }
    const { code, lines } = await check(files)
    expect(code).toBe(expected)
    expect(lines.filter((line) => line.includes('TLS files of the REST server cannot be used'))).toHaveLength(expected)
  })

  test('no file', async () => {
    const { code, lines } = await check({})
    expect(code).toBe(1)
    expect(lines[0]).toStartWith('c.yaml error The configuration file does not exist: c.yaml (looked for ')
  })

  test('--json', async () => {
    const { code, lines } = await check(
      { 'c.yaml': 'Butler:\n  startTaskFilter: x\n' },
      { json: true, qsConnection: false },
    )
    expect(code).toBe(1)
    expect(JSON.parse(lines.join('\n'))).toMatchObject({
      file: expect.stringMatching(/\/c\.yaml$/),
      valid: false,
      starts: false,
      off: [],
      problems: [
        {
          severity: 'error',
          consequence: 'forbids-start',
          path: 'Butler.startTaskFilter',
          file: 'c.yaml',
          line: 2,
          column: 3,
          message: expect.stringContaining('must be a section'),
        },
      ],
    })
  })
})

describe('footman check reads the schedule file', () => {
  const CONFIG = `Butler:
  scheduler: {enable: true, configfile: schedule.yaml}
  footman: {calendars: {holidays: {dates: ["2026-12-25"]}}}
`
  const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
  const entry = (id: string, ...more: string[]) =>
    [`  - name: ${id}`, `id: ${id}`, `qlikSenseTaskId: ${TASK}`, ...more].join('\n    ')
  const WELL = ['cronSchedule: 0 6 * * *', 'timezone: UTC']

  async function linesOf(schedules: string | null) {
    const files = { 'c.yaml': CONFIG, ...(schedules !== null && { 'schedule.yaml': schedules }) }
    const { code, lines } = await check(files, { qsConnection: false })
    return { code, lines: lines.slice(0, -1).map((line) => line.replace(/\/\S*\/(?=schedule)/, '')) }
  }

  test('a good one', async () => {
    expect(await linesOf(`butlerSchedule:\n${entry('a', ...WELL, 'notOn: holidays')}\n`)).toEqual({
      code: 0,
      lines: [],
    })
  })

  test.each([
    ['cronSchedule', ['cronSchedule: 0 6 * * 9', 'timezone: UTC'], 5, 'cronSchedule: weekday 9 is out of range'],
    ['timezone', ['cronSchedule: 0 6 * * *', 'timezone: Mars/Base'], 6, 'timezone: Mars/Base'],
    ['notOn', [...WELL, 'notOn: [holydays]'], 7, 'notOn: there is no calendar "holydays"'],
    ['window', [...WELL, 'window: night'], 7, 'window: there is no window or calendar "night"'],
  ])('a wrong %s is an error in its line', async (member, members, line, reason) => {
    const { code, lines } = await linesOf(`butlerSchedule:\n${entry('a', ...members)}\n`)
    expect(code).toBe(3)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toStartWith(
      `schedule.yaml:${line}:1 error butlerSchedule[0].${member}: schedule "a" is not valid: ${reason}`,
    )
  })

  test('what is only strange is a warning', async () => {
    const one = entry('a', ...WELL)
    const { code, lines } = await linesOf(
      `# Ours\nbutlerSchedule:\n${one}\n\n  # Again\n${one}\n    notOnn: holidays\n`,
    )
    expect(code).toBe(0)
    expect(lines).toEqual([
      'schedule.yaml:11:1 warning butlerSchedule[1].id: schedule "a" has the id a, which stands twice. Hint: it gets a new one at the start',
      'schedule.yaml:15:1 warning butlerSchedule[1].notOnn: schedule "a" has the unknown member notOnn, ignored. Hint: did you mean notOn?',
    ])
  })

  test('flow style has lines too', async () => {
    const flow = `butlerSchedule: [\n  {name: a, id: a, cronSchedule: x, timezone: UTC, qlikSenseTaskId: ${TASK}}]\n`
    const { lines } = await linesOf(flow)
    expect(lines[0]).toStartWith('schedule.yaml:2:1 error butlerSchedule[0].cronSchedule: ')
  })

  test('broken YAML', async () => {
    const { code, lines } = await linesOf('butlerSchedule:\n  - name: "A\n')
    expect(code).toBe(3)
    expect(lines[0]).toMatch(
      /^schedule\.yaml:\d+:1 error .*the schedule file cannot be used: .* Hint: no schedule runs/,
    )
  })

  test('a missing one', async () => {
    const { code, lines } = await linesOf(null)
    expect(code).toBe(0)
    expect(lines[0]).toMatch(
      /^c\.yaml:2:29 warning Butler\.scheduler\.configfile: the schedule file does not exist; there are no schedules/,
    )
  })
})

test('footman check looks for the approved directories of file operations that are on', async () => {
  const { code, lines } = await check(
    {
      'c.yaml': `Butler:
  restServerConfig: {enable: true}
  restServerEndpointsEnable: {fileCopy: true, fileDelete: true, fileMove: false}
  fileCopyApprovedDirectories:
    - fromDirectory: /
      toDirectory: /no/such/directory
  fileMoveApprovedDirectories:
    - {fromDirectory: /no/such/one, toDirectory: /no/such/other}
  fileDeleteApprovedDirectories:
    - /dev/null
  footman: {files: {allowRootApproval: true}}
`,
    },
    { qsConnection: false },
  )
  expect(code).toBe(0)
  expect(lines.filter((line) => line.includes('approved directory'))).toEqual([
    'c.yaml:6:7 warning Butler.fileCopyApprovedDirectories[0].toDirectory: the approved directory "/no/such/directory" does not exist. Hint: make it, or correct the path',
    'c.yaml:10:7 warning Butler.fileDeleteApprovedDirectories[0]: the approved directory "/dev/null" does not exist. Hint: make it, or correct the path',
  ])
})

test('footman schema prints JSON', () => {
  const { lines, io } = recordingIo()
  expect(runSchema(io)).toBe(0)
  expect(JSON.parse(lines.join('\n'))).toMatchObject({
    required: ['Butler'],
    properties: { Butler: { properties: { logLevel: { default: 'info' } } } },
  })
})

test('docs/configuration.md and its pages are up to date (npm run docs)', () => {
  const docs = join(import.meta.dir, '../../../docs')
  const stale = Object.entries(configReference()).filter(
    ([path, text]) => readFileSync(join(docs, path), 'utf8') !== text,
  )
  expect(stale.map(([path]) => path)).toEqual([])
})
