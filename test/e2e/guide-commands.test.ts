/** The commands of the guide, run as they stand there, beside a running Footman and a simulated site. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { runToEnd } from '../support/binary.ts'
import { type DocCommand, docCommands, shownOutputs } from '../support/docs.ts'
import { type Footman, footman } from '../support/footman.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'
import { until } from '../support/wait.ts'

/** Ids on the pages; those of the scene take their place. */
const EVENT = '019cad24-bb20-78e1-b80b-d70ae0784c78'
const DELIVERY = '019cad24-c0ec-7b7c-b06b-c8fb46460cb1'
const SNOOZE = '019cad2c-cb80-759b-a5ed-7e5323ddd7b3'

/** What is not run here but parsed only (test/unit/repository/docs-commands.test.ts), and why. */
const NOT_RUN: readonly (readonly [RegExp, string])[] = [
  [/^(run\b|-c |demo)/, 'runs until it is stopped'],
  [/^events tail/, 'runs until it is stopped'],
  [/^init$/, 'asks'],
  [/^service install .*--(task-scheduler|nssm)/, 'Windows'],
  [/^service (uninstall|logs)/, 'needs a service'],
  [/^credential set .*--account/, 'Windows'],
  [/--mode replace/, 'reads from standard input'],
  [/--url https/, 'another computer'],
  [/^cluster (status|step-down|leave|remove)/, 'run by cluster/watching.test.ts; this scene is one node'],
  [/^reports /, 'run by reports-guide.test.ts; report tasks are off in this scene'],
]

/** Exit codes that are right in this scene, where they are not 0. */
const CODES: readonly (readonly [RegExp, readonly number[]])[] = [
  // No systemd in most places where tests run.
  [/^service status/, [0, 2, 3]],
  // The address in the file is that of the guide, not of this machine.
  [/--appender LocalLogConfig\.xml/, [3]],
  [/--outcome aborted/, [3]],
  // Delivered long ago.
  [/^deliveries cancel/, [2]],
  [/^custom-properties/, [0, 3]],
  // The examples about one pair run in any order.
  [/^kv (get|delete)/, [0, 3]],
  // Changes of one rule that run side by side: one may find that another was faster.
  [/^settings (set|delete|restore) rule/, [0, 2, 3]],
  // Some of these tasks fail, and one that another command has started is not started again.
  [/^start-task/, [0, 3, 4]],
]

const SCHEDULE = `
butlerSchedule:
  - {id: sales-etl, name: Sales ETL, cronSchedule: 0 6 1 0 *, timezone: Europe/Stockholm, qlikSenseTaskId: a8b4c123-def4-5678-9abc-def012345678, startupState: stopped}
`

const config = ({ simulator }: TestSite) => ({
  configEngine: { host: '127.0.0.1', port: simulator.ports.engine },
  emailNotification: { reloadTaskAborted: { enable: false } },
  restServerEndpointsEnable: {
    butlerping: true,
    senseStartTask: true,
    keyValueStore: true,
    scheduler: { getSchedule: true, createNewSchedule: true, startSchedule: true, stopSchedule: true },
  },
  scheduler: { enable: true, configfile: 'schedule.yaml' },
  footman: {
    dataDirectory: '../data',
    destinations: { 'ops-mail': { type: 'email', recipients: ['ops@acme.example'] } },
    alertRoutes: [{ name: 'finance-night', match: { outcome: 'failed' }, to: ['ops-mail'], limit: 'none' }],
  },
})

let site: TestSite
let mail: SmtpSink
let product: Footman
let ids: ReadonlyMap<string, string>

const run = (args: readonly string[]) =>
  runToEnd(args, {
    cwd: product.directory.path,
    env: { FOOTMAN_URL: `http://127.0.0.1:${product.restPort}`, NODE_ENV: 'nothing-here' },
    timeout: 60_000,
  })

async function json<T>(...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await run([...args, '--json'])
  if (code !== 0) throw new Error(`footman ${args.join(' ')} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as T
}

beforeAll(async () => {
  site = await startSite()
  mail = await startSmtpSink()
  product = await footman({
    simulator: site.simulator,
    smtpPort: mail.port,
    config: config(site),
    file: 'config/footman.yaml',
  })
  const at = product.directory.join
  writeFileSync(at('config/schedule.yaml'), SCHEDULE)
  for (const folder of ['templates', 'templates/email']) mkdirSync(at(folder))
  writeFileSync(at('templates/mine.handlebars'), '<p>{{taskName}}</p>')
  cpSync(product.configFile, at('config/production.yaml'))
  await product.start()
  for (const _ of [1, 2]) {
    site.simulator.runTask('Sales Report Update')
    await site.simulator.ended('Sales Report Update')
  }
  await until(() => product.rows("SELECT 1 FROM event WHERE source = 'udp'").length > 1, { timeout: 20_000 })
  await run(['fire', '--wait', '-c', product.configFile])
  const { deliveries } = await json<{ deliveries: { id: string; eventId: string }[] }>('deliveries', 'list')
  const snooze = await json<{ id: string }>('snooze', 'set', '--name', 'Nothing*', '--for', '1h')
  const [delivery] = deliveries
  ids = new Map([
    [EVENT, delivery!.eventId],
    ['ID', delivery!.eventId],
    [DELIVERY, delivery!.id],
    [SNOOZE, snooze.id],
  ])
  await run(['log-appender', '-c', product.configFile, '--address', '10.1.2.3', '--output', 'LocalLogConfig.xml'])
  await product.call('POST', '/v4/keyvalues/Sales%20ETL', { key: 'month', value: '2026-03' })
  await run(['kv', 'export', '--output', 'pairs.json'])
  writeFileSync(at('finance.yaml'), '{type: email, recipients: [finance@acme.example]}')
  writeFileSync(at('rule.yaml'), '{match: {stream: Finance}, to: [finance]}')
  await json('settings', 'set', 'destination', 'finance', 'finance.yaml')
  for (const _ of [1, 2]) await json('settings', 'set', 'rule', 'finance', 'rule.yaml')
  writeFileSync(at('settings.yaml'), (await run(['settings', 'export'])).stdout)
}, 60_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await mail?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

/** With names of this scene: configuration, ids; nothing that exists is in the way. */
function prepared(args: readonly string[]): string[] {
  const found = args.map((word, index) => {
    const option = args[index - 1]
    if (option === '-c') return product.configFile
    if (option === '--listen') return '1s'
    const path = /^\w+\\[\w.]+$/.test(word) ? word.replaceAll('\\', '/') : word
    // The configuration of the scene stays.
    const place = option === '--output' && path === 'config/footman.yaml' ? 'config/new.yaml' : path
    // Commands run side by side: each writes a file of its own.
    if (option === '--output' && args[0] === 'log-appender') return `appender-${args.join('-').replace(/\W/g, '')}.xml`
    if (option === '--output' && args[0] !== 'kv') rmSync(product.directory.join(place), { force: true })
    if (word === 'ID' && args[0] === 'schedules') return 'sales-etl'
    // The pages of destinations each name one of their own; here all of them are the mailbox.
    if (option === '--to') return 'ops-mail'
    return ids.get(word) ?? place
  })
  if (args.includes('--create')) found.push('--yes')
  if (args[0] === 'init') found.push('--output', 'new/footman.yaml', '--force')
  if (args[0] === 'service' && args[1] === 'install' && !args.includes('--print')) found.push('--print')
  return found
}

/** Commands in running text count when they are whole. */
const isWhole = ({ inText, args, text }: DocCommand): boolean =>
  !inText || (args.includes('-c') && !/\.\.\.|[[\]]|\b[A-Z]{4,}\b/.test(text))

const commands = docCommands().filter(isWhole)
const isRun = ({ args }: DocCommand) => !NOT_RUN.some(([pattern]) => pattern.test(args.join(' ')))
/** Each once, though it stands on several pages. */
const wanted = [...new Map(commands.filter(isRun).map((command) => [normal(command), command])).values()]

function normal({ args }: DocCommand): string {
  return args.map((word, index) => (args[index - 1] === '-c' ? 'FILE' : word)).join(' ')
}

test('the guide has commands to run, and few that cannot be', () => {
  expect(wanted.length).toBeGreaterThan(70)
  const left = commands.filter((command) => !isRun(command))
  expect(left.length).toBeLessThan(40)
  for (const [pattern, why] of NOT_RUN) {
    expect([why, left.some(({ args }) => pattern.test(args.join(' ')))]).toEqual([why, true])
  }
})

/** Words that are the same wherever the command runs: no names, paths, numbers, versions. */
const fixedWords = (line: string): string[] =>
  line.replace(/just now|\d+ \w+ ago/, '').match(/(?<![\w.\\/:@-])[A-Za-z]{2,}(?![\w.\\/@-]*[\w\\/@])/g) ?? []

/** Whether the words of `shown` stand in one line of what was printed, in order. */
const isPrinted = (shown: string, printed: readonly string[]): boolean =>
  printed.some((line) => {
    const found = fixedWords(line)
    let at = -1
    return fixedWords(shown).every((word) => {
      at = found.indexOf(word, at + 1)
      return at >= 0
    })
  })

const SHOWN_ON = ['docs/install-linux.md', 'docs/install-windows.md', 'docs/troubleshooting.md'] as const
/** What is broken there is not broken here. */
const BROKEN = /^\s*[\u2718\u2192]/

/** Lines that pages show behind a command. */
const shown = SHOWN_ON.flatMap(shownOutputs).map(({ command, lines, place }) => ({
  key: normal(command),
  lines,
  place,
}))

test('pages show what commands print', () => {
  expect(shown.length).toBeGreaterThan(10)
})

describe.each([...new Set(wanted.map(({ page }) => page))])('%s', (page) => {
  const here = wanted.filter((command) => command.page === page)
  let before = Promise.resolve()
  test.concurrent.each(here.map((command) => [command.place, command] as const))(
    '%s',
    async (_, command) => {
      const { text, args } = command
      const { promise: ended, resolve: end } = Promise.withResolvers<void>()
      using _end = { [Symbol.dispose]: end }
      // Commands about the same pairs run in the order of the page.
      if (args[0] === 'kv') {
        const previous = before
        before = ended
        await previous
      }
      const { code, stdout, stderr } = await run(prepared(args))
      const codes = CODES.find(([pattern]) => pattern.test(args.join(' ')))?.[1] ?? [0]
      if (!codes.includes(code ?? -1)) throw new Error(`${text} ended with ${code}\n${stdout}\n${stderr}`)
      const printed = `${stdout}\n${stderr}`.split('\n')
      const missing = shown
        .filter(({ key }) => key === normal(command))
        .flatMap(({ place, lines }) => lines.map((line) => ({ place, line })))
        .filter(({ line }) => line !== '' && !BROKEN.test(line) && !isPrinted(line, printed))
      expect(missing).toEqual([])
    },
    60_000,
  )
})
