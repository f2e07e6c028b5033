/** Schedules, calendars and pairs from files as Excel and editors save them, and files that are something else. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { runToEnd } from '../support/binary.ts'
import { ENCODINGS, encoded } from '../support/encodings.ts'
import { ALL_ENDPOINTS } from '../support/everything.ts'
import { type Footman, footman } from '../support/footman.ts'
import { FOREIGN_FILES, workbookOf } from '../support/foreign-files.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const TOMORROW = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10)
const CSV = `Datum;Name\r\n${TOMORROW};Größtes Fest\r\n`

const scheduleNamed = (name: string, end = '\n') =>
  [
    'butlerSchedule:',
    `  - name: ${name}`,
    '    cronSchedule: 0 6 * * *',
    '    timezone: Europe/Stockholm',
    '    qlikSenseTaskId: a8b4c123-def4-5678-9abc-def012345678',
    '    startupState: stopped',
    '    id: one',
    '',
  ].join(end)

/** Files of calendars that hold tomorrow. */
const CALENDARS: Readonly<Record<string, Uint8Array | Promise<Uint8Array>>> = {
  ...Object.fromEntries(ENCODINGS.map((encoding) => [`${encoding.replaceAll(' ', '-')}.csv`, encoded(CSV, encoding)])),
  'mac.csv': Buffer.from(CSV.replaceAll('\r\n', '\r')),
  'tab.txt': Buffer.from(CSV.replaceAll(';', '\t')),
  'named.csv': Buffer.from(`sep=;\r\n${CSV}`),
  'mac.yaml': Buffer.from(`# ours\r- ${TOMORROW}\r`),
  'book.xlsx': workbookOf([
    ['Datum', 'Name'],
    [TOMORROW, 'Größtes Fest'],
  ]),
}
const calendarOf = (file: string) => file.replace('.', '-')

let site: TestSite
let product: Footman
beforeAll(async () => {
  site = await startSite()
  const files = [...Object.keys(CALENDARS), ...FOREIGN_FILES.map(({ name }) => name)]
  product = await footman({
    simulator: site.simulator,
    config: {
      scheduler: { enable: true, configfile: 'schedule.yaml' },
      restServerEndpointsEnable: ALL_ENDPOINTS,
      footman: {
        dataDirectory: 'data',
        calendars: Object.fromEntries(files.map((file) => [calendarOf(file), { file }])),
      },
    },
  })
  for (const [file, content] of Object.entries(CALENDARS)) writeFileSync(product.directory.join(file), await content)
  for (const { name, content } of FOREIGN_FILES) writeFileSync(product.directory.join(name), await content())
  writeFileSync(product.directory.join('schedule.yaml'), scheduleNamed('First'))
  await product.start()
}, 90_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

const logged = () => [...product.process.stdout, ...product.process.stderr].join('\n')
const run = (...args: string[]) =>
  runToEnd([...args, '-c', product.configFile], { cwd: product.directory.path, timeout: 30_000 })

describe('calendars', () => {
  test.each(Object.keys(CALENDARS))('%s', async (file) => {
    const asked = { cronSchedule: '0 12 * * *', timezone: 'UTC', count: 3, notOn: calendarOf(file) }
    const preview = (await (await product.call('POST', '/v4/schedules/preview', asked)).json()) as { skipped: unknown }
    expect(preview.skipped).toEqual([{ at: `${TOMORROW}T12:00:00.000Z`, reason: 'CALENDAR', by: calendarOf(file) }])
    expect(logged().includes(`${calendarOf(file)}: ${product.directory.join(file)}: the file is not UTF-8`)).toBe(
      file.startsWith('windows-1252'),
    )
  })

  test.each(FOREIGN_FILES.map((foreign) => [foreign.name, foreign.reason] as const))('%s: %s', async (name, reason) => {
    expect(logged()).toContain(
      `CALENDAR ${calendarOf(name)}: The file cannot be used, it has no days. ${product.directory.join(name)}: ${reason}`,
    )
    // Also where it is the exception, or stands in a window.
    for (const member of [{ notOn: calendarOf(name) }, { window: { days: ['mon-sun'], on: [calendarOf(name)] } }]) {
      const asked = { cronSchedule: '0 12 * * *', timezone: 'UTC', count: 3, ...member }
      const answer = await product.call('POST', '/v4/schedules/preview', asked)
      const { warnings } = (await answer.json()) as { warnings: unknown }
      expect(warnings).toEqual([
        expect.stringContaining(`calendar ${calendarOf(name)}: ${product.directory.join(name)}: ${reason}`),
      ])
    }
  })
})

describe('schedules', () => {
  const load = async (content: Uint8Array, isThere: () => Promise<boolean> | boolean) => {
    writeFileSync(product.directory.join('schedule.yaml'), content)
    await until(isThere, { what: 'the schedule file to be read' })
  }
  const nameIs = (name: string) => async () => {
    const [one] = (await (await product.call('GET', '/v4/schedules')).json()) as { readonly name: string }[]
    return one?.name === name
  }

  test('names are kept in every encoding, and with the line ends of a Mac', async () => {
    for (const encoding of ENCODINGS) {
      const name = `Größe ${encoding}`
      await load(encoded(scheduleNamed(name), encoding), nameIs(name))
    }
    await load(Buffer.from(scheduleNamed('Größe, Mac', '\r')), nameIs('Größe, Mac'))
    expect(logged().match(/schedule\.yaml is not UTF-8; it is read as Windows-1252/g)).toHaveLength(1)
  }, 60_000)

  test.each(FOREIGN_FILES)(
    '$name is refused by check, with $reason',
    async ({ content, reason }) => {
      writeFileSync(product.directory.join('schedule.yaml'), await content())
      const { stdout, stderr } = await run('check')
      expect(stdout + stderr).toContain(`the schedule file cannot be used: ${reason}`)
    },
    30_000,
  )

  test('the running executable says it, too, and keeps its schedules', async () => {
    const { content, reason } = FOREIGN_FILES[0]!
    await load(
      await content(),
      () => logged().includes(`Failed loading schedules from file: `) && logged().includes(reason),
    )
    expect(await nameIs('Größe, Mac')()).toBe(true)
  }, 30_000)

  test('a letter that was lost before is reported with its line, and the schedule is loaded', async () => {
    const note = /schedule\.yaml holds the sign \ufffd \(U\+FFFD\) in place of a lost letter in line 2/
    await load(Buffer.from(scheduleNamed('Gr\ufffd\ufffde')), () => note.test(logged()))
    expect(await nameIs('Gr\ufffd\ufffde')()).toBe(true)
  }, 30_000)
})

describe('configuration', () => {
  test('the line ends of old Macs, which YAML does not know, are refused with what to do', async () => {
    const file = product.directory.join('ends.yaml')
    writeFileSync(file, 'Butler:\r  # ours\r  logLevel: info\r')
    const { code, stdout, stderr } = await runToEnd(['check', '-c', file])
    expect(code).toBe(1)
    expect(stdout + stderr).toContain('has the line ends of old Macs (CR only)')
    expect(stdout + stderr).toContain('save the file with the line ends of Windows (CRLF) or Unix (LF)')
    writeFileSync(file, 'Butler:\r\n  # ours\r  logLevel: wrong\r\n')
    const mixed = await runToEnd(['check', '-c', file])
    expect(mixed.stdout + mixed.stderr).toMatch(
      /ends\.yaml:2:\d+ warning .*end as on old Macs \(CR only\) among others/,
    )
    expect(mixed.stdout + mixed.stderr).toMatch(/ends\.yaml:3:\d+ \w+ Butler\.logLevel/)
  }, 30_000)

  test.each(FOREIGN_FILES.filter(({ name }) => name !== 'page.xls'))(
    '$name is refused with $reason',
    async ({ content, reason }) => {
      const file = product.directory.join('foreign.yaml')
      writeFileSync(file, await content())
      const { code, stdout, stderr } = await runToEnd(['check', '-c', file])
      expect([code, stdout + stderr]).toEqual([1, expect.stringContaining(reason)])
    },
    30_000,
  )
})

describe('pairs', () => {
  const TABLE = 'namespace;key;value\r\nLänder;Süd;größer\r\n'
  const valueAt = async () =>
    ((await (await product.call('GET', '/v4/keyvalues/L%C3%A4nder?key=S%C3%BCd')).json()) as { value?: string }).value

  test.each<[string, Uint8Array | Promise<Uint8Array>]>([
    ['mac.csv', Buffer.from(TABLE.replaceAll('\r\n', '\r'))],
    ['tab.txt', Buffer.from(TABLE.replaceAll(';', '\t'))],
    ['named.csv', Buffer.from(`sep=;\r\n${TABLE}`)],
    [
      'pairs.xlsx',
      workbookOf(
        TABLE.trim()
          .split('\r\n')
          .map((row) => row.split(';')),
      ),
    ],
  ])(
    '%s',
    async (name, content) => {
      await product.call('DELETE', '/v4/keyvalues/L%C3%A4nder')
      const file = product.directory.join(`pairs-${name}`)
      writeFileSync(file, await content)
      expect(await run('kv', 'import', file)).toMatchObject({ code: 0, stderr: '' })
      expect(await valueAt()).toBe('größer')
    },
    30_000,
  )

  test.each(FOREIGN_FILES)(
    '$name is refused with $reason',
    async ({ name, reason }) => {
      const file = product.directory.join(name)
      const { code, stderr } = await run('kv', 'import', file)
      expect([code, stderr]).toEqual([1, expect.stringContaining(`${file}: ${reason}`)])
    },
    30_000,
  )

  test('the API names the type that it takes, and what was sent', async () => {
    const send = (body: Uint8Array<ArrayBuffer>, type: string) =>
      fetch(`http://127.0.0.1:${product.restPort}/v4/keyvaluesimport`, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      }).then(async (answer) => [answer.status, await answer.json()])
    const details = (text: string) => [400, expect.objectContaining({ code: 'INVALID_JSON', details: text })]
    expect(await send(new Uint8Array(Buffer.from(TABLE)), 'text/csv')).toEqual(
      details('The body must be JSON (application/json); line 1, column 1 has an unexpected n'),
    )
    expect(await send(await workbookOf([['a']]), 'application/octet-stream')).toEqual([
      400,
      expect.objectContaining({
        details: expect.stringContaining('(application/json); it is an Excel workbook (.xlsx)'),
      }),
    ])
  })
})
