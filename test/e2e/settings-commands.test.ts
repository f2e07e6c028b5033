/** `footman settings` beside a running Footman: what it prints, and entries of the file that become stored ones. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { parse, stringify } from 'yaml'
import { runToEnd } from '../support/binary.ts'
import { sendDatagrams } from '../support/cluster/datagrams.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { until } from '../support/wait.ts'

const CANARY = 'c4n4ry-of-a-secret'
let sink: HttpSink
let running: Footman

beforeAll(async () => {
  sink = await startHttpSink()
  running = await footman({
    simulator: null,
    args: ['--no-qs-connection'],
    env: { TOKEN: 'of-the-environment' },
    config: {
      scheduler: { enable: false },
      footman: {
        watchConfig: false,
        settings: { allowHosts: ['127.0.0.1'] },
        destinations: {
          ops: {
            type: 'webhook',
            url: `${sink.url}/ops`,
            headers: { Authorization: CANARY, 'X-Token': `\${env:TOKEN}` },
          },
          quiet: { type: 'webhook', url: `${sink.url}/quiet`, template: 'text.handlebars' },
        },
        windows: { always: { days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] } },
        alertRoutes: [
          { name: 'first', match: { outcome: 'failed', during: 'always' }, limit: 'none', to: ['ops'] },
          { name: 'aborted', match: { outcome: 'aborted' }, to: ['ops'] },
          { name: 'last', match: { type: 'reload' }, stop: true, limit: 'none', to: ['ops'] },
        ],
      },
    },
  })
  writeFileSync(running.configFile, stringify(parse(readFileSync(running.configFile, 'utf8'))))
  writeFileSync(running.directory.join('text.handlebars'), 'x')
  await running.start()
}, 60_000)
afterAll(async () => {
  await running?.[Symbol.asyncDispose]()
  await sink?.stop()
})

const run = (...args: readonly string[]) =>
  runToEnd([...args, '-c', running.configFile], { cwd: running.directory.path, timeout: 30_000 })
const settings = (...args: readonly string[]) => run('settings', ...args)

async function put(kind: string, name: string, value: unknown): Promise<string> {
  writeFileSync(running.directory.join('value.yaml'), stringify(value))
  const { code, stderr } = await settings('set', kind, name, '-f', 'value.yaml')
  return `${code} ${stderr}`
}

describe('settings', () => {
  test('list without a kind counts, and says what locks them', async () => {
    const { code, stdout } = await settings('list')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^KIND +IN FILE +STORED +HIDDEN +UNUSABLE$/m)
    expect(stdout).toMatch(/^rule +3 +0 +0 +0$/m)
    expect((await settings('list', 'rule')).stdout).toMatch(/^last +\S*butler.yaml:\d+ +used/m)
    const counts = JSON.parse((await settings('list', '--json')).stdout) as { editable: boolean; kinds: object[] }
    expect(counts).toMatchObject({ editable: true, locked: null })
    expect(counts.kinds).toContainEqual({ kind: 'window', inFile: 1, stored: 0, hidden: 0, unusable: 0 })
  })

  test('set takes a file by its option, and history lists what it has changed', async () => {
    for (const dates of [['2030-12-25'], []]) expect(await put('calendar', 'days', { dates })).toBe('0 ')
    const both = await settings('set', 'calendar', 'days', 'value.yaml', '-f', 'value.yaml')
    expect([both.code, both.stderr]).toEqual([1, expect.stringContaining('name one file')])
    const { code, stdout } = await settings('history', 'calendar', 'days')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/REVISION +BY +CHANGE.* 2 .* 1 /s)])
    expect((await settings('history', 'calendar', 'never')).code).toBe(3)
  })

  test('a refused value is one line for each member', async () => {
    const wrong = { to: ['ops', 'nowhere'], match: { outcome: 'broken' }, limit: 'often' }
    const refused = await put('rule', 'wrong', wrong)
    expect(refused).toMatch(/^1 error: settings set: the value of rule wrong is refused\n/)
    const lines = refused.split('\n').slice(1)
    expect(lines.map((line) => line.split(':')[0]).filter(Boolean)).toEqual(['    match.outcome', '    limit'])
    expect(await put('rule', 'wrong', { to: ['ops', 'nowhere'] })).toContain(
      '\n    to[1]: no destination is called "nowhere"',
    )
  })
})

test('a draft of a rule brings the destination and the window that it names', async () => {
  const draft = `destinations: {page: {type: webhook, url: https://page.acme.example/x}}
windows: {daily: {days: [mon, tue, wed, thu, fri, sat, sun], from: '00:00', to: '24:00'}}
alertRoutes: [{name: drafted, match: {type: userSync, during: daily}, to: [page]}]`
  const body = { sample: { type: 'userSync', outcome: 'failed' }, at: '2026-03-02T12:00:00Z', draft }
  const answer = await (await running.call('POST', '/v4/alertroutes/explain', body)).json()
  expect(answer.draftProblems).toEqual([])
  const drafted = answer.draft.routes.find(({ name }: { name: string }) => name === 'drafted')
  expect(drafted).toMatchObject({ matched: true, deliveries: [{ destination: 'page', target: 'page.acme.example' }] })
  expect(JSON.stringify(answer.routes)).not.toContain('drafted')
})

describe('settings adopt', () => {
  let executions = 0
  const fail = () => sendDatagrams({ first: executions++, count: 1, perSecond: 1, ports: () => [running.udpPort] })
  const explained = async () =>
    (await run('routes', 'explain', '--type', 'reload', '--outcome', 'failed', '--at', '2026-03-02T12:00:00Z')).stdout

  /** The request of one failure, without what differs each time. */
  async function sent(): Promise<unknown> {
    const before = sink.requests.length
    await fail()
    await until(() => sink.requests.length === before + 2)
    return sink.requests.slice(before).map(({ method, url, headers }) => ({
      method,
      url,
      authorization: headers.authorization,
      token: headers['x-token'],
    }))
  }

  test('what it refuses names the member, and nothing is stored', async () => {
    const template = await settings('adopt', 'destination', 'ops', 'quiet')
    expect(template).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/destination quiet is refused\n {4}template/),
    })
    expect((await settings('adopt', 'destination', 'nowhere')).code).toBe(3)
    expect((await settings('list')).stdout).toMatch(/^destination +2 +0 /m)
  })

  test('the same messages, before and after the lines are gone', async () => {
    const [explanation, messages] = [await explained(), await sent()]
    expect(messages).toMatchObject([{ authorization: CANARY, token: 'of-the-environment' }, {}])
    const tried = await settings('adopt', 'rule', 'last', '--dry-run')
    expect(tried).toMatchObject({ code: 0, stdout: expect.stringContaining('These can be adopted') })
    const rules = await settings('adopt', 'rule', 'last', 'first')
    expect([rules.code, rules.stderr]).toEqual([0, ''])
    expect(rules.stdout).toContain('aborted will come before it')
    const others = [
      await settings('adopt', 'destination', 'ops', '--json'),
      await settings('adopt', 'window', 'always', '--json'),
      await settings('adopt', 'switch', 'scheduler.enable', '--json'),
      // Again: the lines are answered again.
      await settings('adopt', 'rule', 'first', 'aborted', 'last', '--json'),
    ]
    expect(others.map(({ code }) => code)).toEqual([0, 0, 0, 0])
    const adopted = others.flatMap(
      ({ stdout }) => (JSON.parse(stdout) as { adopted: { lines: { from: number; to: number } }[] }).adopted,
    )
    expect(JSON.stringify(others)).not.toContain(CANARY)
    expect((await settings('list', 'destination')).stdout).toMatch(/^ops +store +hidden/m)
    expect([await explained(), await sent()]).toEqual([explanation, messages])

    const text = readFileSync(running.configFile, 'utf8')
    const isGone = (line: number) => adopted.some(({ lines: { from, to } }) => from <= line && line <= to)
    writeFileSync(
      running.configFile,
      text
        .split('\n')
        .filter((_, n) => !isGone(n + 1))
        .join('\n'),
    )
    expect(parse(readFileSync(running.configFile, 'utf8')).Butler.footman).toMatchObject({
      destinations: { quiet: {} },
      alertRoutes: null,
      windows: null,
    })
    const reloaded = await run('reload')
    expect([reloaded.code, reloaded.stderr]).toEqual([0, ''])
    expect((await settings('list', 'destination')).stdout).toMatch(/^ops +store +used/m)
    expect((await settings('list', 'switch')).stdout).toMatch(/^scheduler.enable +store +used/m)
    expect([await explained(), await sent()]).toEqual([explanation, messages])
    const data = running.rows<{ value: string }>("SELECT value FROM setting WHERE name = 'ops'")
    expect(data[0]!.value).toContain(`\${env:TOKEN}`)
    expect(data[0]!.value).not.toContain(CANARY)
    expect(await (await running.call('GET', '/v4/audit')).text()).not.toContain(CANARY)
  }, 60_000)
})
