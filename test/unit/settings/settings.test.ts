/** Stored settings: secrets, the merge with a file, and what they may not do. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { z } from 'zod'
import { DESTINATION_TYPES } from '../../../src/alerts/destinations/index.ts'
import { commonSettings } from '../../../src/alerts/destinations/settings.ts'
import { type LoadResult, loadConfig } from '../../../src/app/config/load.ts'
import { settingSchema } from '../../../src/app/config/stored.ts'
import {
  entryAt,
  placeName,
  SETTING_KINDS,
  type SettingKind,
  SWITCHES,
  scopesOfChange,
} from '../../../src/settings/kinds.ts'
import { ADDRESSES, closedHost, FILES, type LimitsContext, limitIssues } from '../../../src/settings/limits.ts'
import { isSealed, openSealer, readSealer } from '../../../src/settings/sealed.ts'
import { MASK, maskValue, type OpenedSetting, openSettings, openWith, sealValue } from '../../../src/settings/store.ts'
import { settingsOf } from '../../../src/settings/views.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'footman-settings-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const row = (kind: SettingKind, name: string, value: unknown, position = 0): OpenedSetting => ({
  kind,
  name,
  position,
  value,
  opened: value,
  lost: [],
  revision: 1,
  changedAt: 0,
  changedBy: 'anna',
})

let files = 0
async function load(footman: object, settings: readonly OpenedSetting[] = []): Promise<LoadResult> {
  files += 1
  const file = join(directory, `${files}.json.yaml`)
  writeFileSync(file, JSON.stringify({ Butler: { footman } }))
  return loadConfig({ file, env: {}, cwd: directory, settings, overrides: { qlikConnection: false } })
}
const errors = ({ problems }: LoadResult) => problems.filter(({ severity }) => severity === 'error')

const SLACK = { type: 'slack', webhookURL: 'https://hooks.slack.com/services/T/B/secret' }
const RULE = { to: ['ops'], match: { type: 'reload', outcome: 'failed' } }

describe('secrets', () => {
  const at = () => ({ dataDirectory: mkdtempSync(join(directory, 'data-')), key: '' })

  test('are encrypted by a key that only this account can read, each time in another way', async () => {
    const place = at()
    const sealer = await openSealer(place)
    const entry = { kind: 'destination', name: 'ops' } as const
    const [one, two] = [0, 1].map(() => sealValue(entry, SLACK, sealer) as typeof SLACK)
    expect(isSealed(one!.webhookURL)).toBe(true)
    expect(one!.webhookURL).not.toBe(two!.webhookURL)
    expect(JSON.stringify(one)).not.toContain('secret')
    expect(statSync(join(place.dataDirectory, 'settings.key')).mode & 0o777).toBe(0o600)
    const [opened] = await openSettings([row('destination', 'ops', one)], place)
    expect(opened).toMatchObject({ opened: SLACK, lost: [] })
    expect(maskValue(entry, one!)).toEqual({ type: 'slack', webhookURL: MASK })
  })

  test('that were sealed with another key, for another member, or damaged, are lost and nothing else', async () => {
    const sealer = await openSealer(at())
    const value = sealValue({ kind: 'destination', name: 'ops' }, { ...SLACK, enable: false }, sealer) as typeof SLACK
    const others = [
      [value, await openSealer(at())],
      [{ ...value, webhookURL: `${value.webhookURL.slice(0, -6)}AAAAAA` }, sealer],
      [{ ...value, token: value.webhookURL, webhookURL: 'https://a.example' }, sealer],
      [value, null],
    ] as const
    for (const [stored, key] of others) {
      const [opened] = openWith([row('destination', 'ops', stored)], key)
      expect(opened!.lost).toHaveLength(1)
      expect(opened!.opened).toMatchObject({ type: 'slack', enable: false })
    }
  })

  test('a key that is there and damaged is never replaced', async () => {
    const place = at()
    await openSealer(place)
    const file = join(place.dataDirectory, 'settings.key')
    writeFileSync(file, 'short')
    await expect(openSealer(place)).rejects.toThrow(/is damaged/)
    expect(readFileSync(file, 'utf8')).toBe('short')
    expect(await readSealer(place)).toBeNull()
  })

  test.each([
    ['destination', { type: 'webhook', url: 'https://a.example/x', headers: { Authorization: 'canary' } }],
    ['destination', { type: 'pagerduty', routingKey: 'canary' }],
    ['destination', { type: 'opsgenie', apiKey: 'canary' }],
    ['destination', { type: 'telegram', botToken: 'canary', chatId: '1' }],
    ['destination', { type: 'ntfy', topic: 'canary' }],
    ['destination', { type: 'discord', webhookURL: 'https://discord.com/api/webhooks/1/canary' }],
    ['rule', { to: [{ destination: 'ops', webhookURL: 'https://a.example/canary' }] }],
    ['rule', { to: [{ destination: 'ops', headers: { 'X-Token': 'canary' } }] }],
    ['access', { hash: 'sha256:canary', scopes: [] }],
  ] as const)('of a %s are found: %j', async (kind, value) => {
    const sealer = await openSealer(at())
    const sealed = JSON.stringify(sealValue({ kind, name: 'x' }, value, sealer))
    expect(sealed).not.toContain('canary')
    expect(JSON.stringify(maskValue({ kind, name: 'x' }, value))).not.toContain('canary')
  })

  test('a placeholder names a secret and is none', async () => {
    const value = { type: 'slack', webhookURL: `\${env:SLACK}` }
    expect(maskValue({ kind: 'destination', name: 'x' }, value)).toEqual(value)
  })
})

describe('the merge', () => {
  test('every kind has a schema, and each switch is a key of the configuration', () => {
    for (const kind of SETTING_KINDS) {
      const names = kind === 'switch' ? SWITCHES : ['some-name']
      for (const name of names) expect(settingSchema(kind, name)?.value, `${kind} ${name}`).toBeDefined()
    }
    expect(settingSchema('switch', 'restServerConfig.serverPort')).toBeNull()
    expect(entryAt(placeName('switch', 'footman.timezone'))).toEqual({ kind: 'switch', name: 'footman.timezone' })
    expect(entryAt('/etc/footman/settings:rule/x')).toBeNull()
  })

  test('the file wins, and says where', async () => {
    const stored = { ...SLACK, webhookURL: 'https://hooks.slack.com/services/T/B/stored' }
    const result = await load({ destinations: { ops: SLACK } }, [row('destination', 'ops', stored)])
    expect(result.config!.footman.destinations.ops).toMatchObject(SLACK)
    expect(result.settings[0]!.state).toMatchObject({ state: 'hidden', by: { line: 1 } })
  })

  test('rules of the file come first, then stored ones in their order', async () => {
    const rows = [row('destination', 'ops', SLACK), row('rule', 'b', RULE, 0), row('rule', 'a', RULE, 1)]
    const { config } = await load({ alertRoutes: [{ name: 'z', ...RULE }] }, rows)
    expect(config!.footman.alertRoutes.map(({ name }) => name)).toEqual(['z', 'b', 'a'])
  })

  test.each([
    ['an unknown key', row('destination', 'ops', { ...SLACK, webhokURL: 'x' }), '/webhokURL'],
    ['a wrong value', row('rule', 'r', { ...RULE, limit: 'often' }), '/limit'],
    ['a destination that is not there', row('rule', 'r', { ...RULE, to: ['gone'] }), '/to/0'],
    ['a window that is not there', row('rule', 'r', { to: ['file'], match: { during: 'gone' } }), '/match/during'],
    ['an unknown switch', row('switch', 'restServerConfig.serverPort', 1), ''],
    ['a name that is reserved', row('destination', 'email', SLACK), ''],
  ])('%s: the entry is kept and not used, the rest works', async (_, entry, path) => {
    const result = await load({ destinations: { file: SLACK } }, [
      entry,
      row('rule', 'good', { ...RULE, to: ['file'] }),
    ])
    expect(errors(result)).toEqual([])
    expect(result.config!.footman.alertRoutes.map(({ name }) => name)).toEqual(['good'])
    const [first, second] = result.settings
    expect(first!.state).toMatchObject({ state: 'unusable', issues: [{ path }] })
    expect(second!.state.state).toBe('used')
  })

  test('an entry of the file that names one that cannot be used does not prevent a start', async () => {
    const lost = { ...row('destination', 'ops', SLACK), lost: ['webhookURL'] }
    const night = row('window', 'night', { start: '25:00', end: '06:00' })
    const footman = { alertRoutes: [{ name: 'r', to: ['ops'], match: { during: 'night' } }] }
    const result = await load(footman, [lost, night])
    expect(errors(result)).toEqual([])
    expect(result.config!.footman.alertRoutes).toHaveLength(1)
    expect(result.problems.filter(({ severity }) => severity === 'warning').map(({ message }) => message)).toEqual([
      expect.stringContaining('cannot be read or used now'),
      expect.stringContaining('stored destination ops is not used'),
      expect.stringContaining('stored window night is not used'),
    ])
    expect(errors(await load(footman))).not.toEqual([])
  })

  test('values from outside are shown by their placeholders, never as they are', async () => {
    const file = join(directory, 'outside.yaml')
    const url = `https://a.example/\${env:TOKEN}`
    const destinations = { ops: { type: 'webhook', url, body: `\${env:TOKEN}`, timeout: `\${env:WAIT}` } }
    writeFileSync(file, JSON.stringify({ Butler: { footman: { destinations } } }))
    const env = { TOKEN: 'canary', WAIT: '20s' }
    const result = await loadConfig({ file, env, cwd: directory, settings: [], overrides: { qlikConnection: false } })
    expect(result.config!.footman.destinations.ops).toMatchObject({ body: 'canary', timeout: 20_000 })
    const whole = {
      settings: [],
      nodeAt: result.nodeAt,
      placeOf: result.placeOf,
      references: () => [],
      text: async () => null,
    }
    const [shown] = settingsOf(whole, 'destination')
    expect(shown!.value).toEqual({ type: 'webhook', url: MASK, body: `\${env:TOKEN}`, timeout: `\${env:WAIT}` })
  })

  const value = fc.oneof(
    fc.constantFrom('x', '', '*', `\${env:NO}`, '08:00', '1/5m', 'none', 'mon', '2026-12-24'),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(fc.constantFrom('ops', 'x', '08:00'), { maxLength: 2 }),
  )
  const members = fc.constantFrom(
    'type',
    'url',
    'to',
    'match',
    'during',
    'name',
    'dates',
    'start',
    'end',
    'days',
    'retry',
  )
  const anything = fc.dictionary(members, value, { maxKeys: 5 })

  test('whatever is stored, a file in order starts, and entries that are used are in the configuration', async () => {
    const entry = fc.tuple(
      fc.constantFrom<SettingKind>('destination', 'rule', 'calendar', 'window', 'maintenance', 'policy', 'access'),
      fc.constantFrom('a', 'b', 'ops', 'Bad Name', '__proto__'),
      anything,
    )
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 6 }), async (entries) => {
        const unique = new Map(entries.map(([kind, name, one], n) => [`${kind} ${name}`, row(kind, name, one, n)]))
        const footman = { destinations: { ops: SLACK }, alertRoutes: [{ name: 'file', ...RULE }] }
        const result = await load(footman, [...unique.values()])
        expect(errors(result)).toEqual([])
        expect(result.config!.footman.alertRoutes[0]!.name).toBe('file')
      }),
      { numRuns: 150 },
    )
  }, 60_000)

  test('an entry means the same in the file and in the store', async () => {
    const outcome = fc.constantFrom('failed', 'aborted', ['failed', 'aborted'])
    const rule = fc.record(
      {
        to: fc.subarray(['ops', 'page'], { minLength: 1 }),
        match: fc.record({ outcome, stream: fc.constantFrom('Finance', ['F*', 'HR']) }, { requiredKeys: [] }),
        limit: fc.constantFrom('none', '3/10m'),
        stop: fc.boolean(),
        severity: fc.constantFrom('warning', 'critical'),
      },
      { requiredKeys: ['to'] },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(rule, { minLength: 1, maxLength: 5 }), async (rules) => {
        const destinations = { ops: SLACK, page: { type: 'pagerduty', routingKey: 'r'.repeat(32) } }
        const alertRoutes = rules.map((one, n) => ({ name: `r${n}`, ...one }))
        const inFile = await load({ destinations, alertRoutes })
        const rows = [
          ...Object.entries(destinations).map(([name, one]) => row('destination', name, one)),
          ...rules.map((one, n) => row('rule', `r${n}`, one, n)),
        ]
        const stored = await load({}, rows)
        expect(errors(inFile)).toEqual([])
        expect(stored.config!.footman.alertRoutes).toEqual(inFile.config!.footman.alertRoutes)
        expect(stored.config!.footman.destinations).toEqual(inFile.config!.footman.destinations)
      }),
      { numRuns: 200 },
    )
  }, 60_000)
})

/** The members of an entry. */
function shapeOf(kind: SettingKind): Readonly<Record<string, z.ZodType>> {
  let schema = settingSchema(kind, 'x')!.value
  while (schema instanceof z.ZodLazy) schema = schema.unwrap() as z.ZodType
  return (schema as z.ZodObject).shape as Readonly<Record<string, z.ZodType>>
}

/** Its format, or that of the type within. */
function formatOf(schema: z.ZodType): string {
  const inner = (schema.def as { innerType?: z.ZodType }).innerType
  return String(schema.meta()?.format ?? (inner ? formatOf(inner) : ''))
}

describe('limits', () => {
  const CONTEXT: LimitsContext = {
    isAdmin: false,
    placeholders: new Set([`\${env:KNOWN}`]),
    allowHosts: ['chat.acme.example', '10.0.0.7'],
    startTopics: ['qliksense/start'],
  }
  const issues = async (kind: SettingKind, value: unknown, more: Partial<LimitsContext> = {}) =>
    (await limitIssues(kind, value, { ...CONTEXT, ...more })).map(({ path }) => path)

  test.each([
    ['127.0.0.1'],
    ['localhost'],
    ['LOCALHOST.'],
    ['x.localhost'],
    ['169.254.169.254'],
    ['0.0.0.0'],
    ['::1'],
    ['fe80::1'],
    ['::ffff:127.0.0.1'],
    ['::ffff:7f00:1'],
    ['2130706433'],
    ['0x7f.1'],
  ])('nothing is sent to %s', async (host) => {
    expect(await closedHost(host, [])).toMatch(/allowHosts/)
    expect(await closedHost(host, [host])).toBeNull()
  })

  test('an address is found however it is spelled', async () => {
    for (const url of [
      'http://127.0.0.1/x',
      'http://2130706433/',
      'http://[::1]:80/',
      'http://user@127.1:9/',
      'HTTP://LOCALHOST/',
    ]) {
      expect(await issues('destination', { type: 'webhook', url }), url).toEqual(['/url'])
      expect(await issues('rule', { to: [{ destination: 'ops', url }] }), url).toEqual(['/to/0/url'])
    }
    expect(await issues('destination', { type: 'webhook', url: 'https://10.0.0.7/x' })).toEqual([])
  })

  test('values from outside and files are for administrators', async () => {
    const secret = { type: 'slack', webhookURL: `\${file:/etc/passwd}` }
    expect(await issues('destination', secret)).toContain('/webhookURL')
    expect(await issues('destination', { type: 'slack', webhookURL: `\${env:KNOWN}` })).toEqual([])
    expect(await issues('destination', secret, { isAdmin: true })).toEqual([])
    expect(await issues('rule', { to: ['ops'], template: '/etc/passwd' })).toEqual(['/template'])
    expect(await issues('rule', { to: ['ops'], template: '/etc/passwd' }, { isAdmin: true })).toEqual(['/template'])
    expect(await issues('rule', { to: [{ destination: 'ops', caFile: '/x.pem' }] })).toEqual(['/to/0/caFile'])
    expect(await issues('calendar', { file: '/etc/passwd' })).toEqual(['/file'])
  })

  test.each([
    ['rule', 'x', {}, []],
    ['access', 'x', {}, ['admin']],
    ['policy', 'x', { retry: '3x/5m' }, ['task:run']],
    ['policy', 'x', null, ['task:run']],
    ['switch', 'scheduler.enable', true, ['schedule:run']],
    ['switch', 'footman.reportTask.enable', true, ['report:run']],
    ['switch', 'footman.timezone', 'UTC', []],
    ['maintenance', 'x', { stopSchedules: true }, ['schedule:run']],
    ['maintenance', 'x', {}, []],
  ] as const)('a change of %s %s to %j asks for what it sets in motion', (kind, name, value, scopes) => {
    expect(scopesOfChange(kind, name, value)).toEqual([...scopes])
  })

  test('a template with JavaScript is refused in every text, also for administrators', async () => {
    const code = '<%= process.env.PATH %>'
    const values = [
      ['rule', { to: ['ops'], title: code }, '/title'],
      ['rule', { to: ['ops'], body: `a\n${code}` }, '/body'],
      ['rule', { to: [{ destination: 'ops', body: code }] }, '/to/0/body'],
      ['destination', { type: 'webhook', body: code }, '/body'],
      ['destination', { type: 'webhook', headers: { 'X-A': code } }, '/headers/X-A'],
      ['destination', { type: 'mqtt', topic: code }, '/topic'],
    ] as const
    for (const isAdmin of [false, true]) {
      for (const [kind, value, path] of values) expect(await issues(kind, value, { isAdmin })).toEqual([path])
    }
  })

  test('every member of a destination, rule or calendar that is a path or an address is known as one', () => {
    const schemas = [
      ...Object.entries(DESTINATION_TYPES).map(
        ([type, one]) => [type, { ...commonSettings(), ...one.config() }] as const,
      ),
      ['rule', shapeOf('rule')] as const,
      ['calendar', shapeOf('calendar')] as const,
      ['maintenance', shapeOf('maintenance')] as const,
      ['policy', shapeOf('policy')] as const,
    ]
    let found = 0
    for (const [name, shape] of schemas) {
      for (const [member, schema] of Object.entries(shape as Record<string, z.ZodType>)) {
        const format = formatOf(schema)
        if (format === 'uri' || format === 'host') expect(member).toMatch(ADDRESSES)
        if (format === 'path') expect(member).toMatch(FILES)
        if (['path', 'uri', 'host'].includes(format)) found += 1
        else expect([name, member, FILES.test(member)]).toEqual([name, member, false])
      }
    }
    expect(found).toBeGreaterThan(20)
  })

  test('no message starts a task', async () => {
    expect(await issues('destination', { type: 'mqtt', topic: 'a/b' }, { startTopics: ['a/+'] })).toEqual(['/topic'])
    expect(await issues('destination', { type: 'mqtt', topic: 'qliksense/start' })).toEqual(['/topic'])
    expect(await issues('destination', { type: 'mqtt', topic: 'qliksense/alerts' })).toEqual([])
  })
})
