/** Older layouts rewritten in the present one: same meaning, same comments, nothing else touched. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parse, stringify } from 'yaml'
import { migrateConfig } from '../../../../src/app/config/migrate/migrate.ts'
import { loadText } from '../../../support/config.ts'
import { LEGACY_CASES } from '../../../support/legacy-cases.ts'
import { OLDER_FILES, olderText } from '../../../support/older.ts'

function migrated(text: string): { text: string; changes: string[] } {
  const result = migrateConfig(text, 'butler.yaml')
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return {
    text: result.text,
    changes: result.changes.map(({ line, kind, text: what }) => `${line} ${kind} ${what}`),
  }
}

const below = (text: string) => `Butler:\n${text.replace(/^(?=.)/gm, '  ')}\n`
/** What Footman says about older layouts. */
const NOTES = /DEPRECATED|is read as|no longer exists|using the flat|is skipped|is ignored because/

/** Loads both, with the new one free of notes; the values must be the same. */
async function expectSame(before: string, after: string, env: Record<string, string> = {}): Promise<void> {
  const [was, is] = await Promise.all([loadText(before, { env }), loadText(after, { env })])
  expect(is.problems.filter(({ message }) => NOTES.test(message))).toEqual([])
  expect(was.config).not.toBeNull()
  expect(is.config).toEqual(was.config)
}

/** As somebody would write it: in lines, with a comment above and behind everything. */
function commented(value: unknown): string {
  let count = 0
  return stringify(value, { lineWidth: 0 })
    .replace(/\n$/, '')
    .split('\n')
    .flatMap((line) => {
      count++
      const indent = /^ */.exec(line)![0]
      return [`${indent}# above ${count}`, `${line} # behind ${count}`]
    })
    .join('\n')
}

const commentsOf = (text: string) => (text.match(/# (above|behind) \d+/g) ?? []).sort()

describe('every older layout', () => {
  test.each([...LEGACY_CASES])('$name', async ({ text }) => {
    const file = below(text)
    const once = migrated(file)
    await expectSame(file, once.text)
    expect(migrated(once.text)).toEqual({ text: once.text, changes: [] })
  })

  test.each([...LEGACY_CASES])('with comments: $name', async ({ text }) => {
    const file = `${commented(parse(below(text)))}\n`
    const once = migrated(file)
    await expectSame(file, once.text)
    expect(migrated(once.text)).toEqual({ text: once.text, changes: [] })
    const gone = once.changes.filter((change) => / removed /.test(change))
    if (gone.length === 0) expect(commentsOf(once.text)).toEqual(commentsOf(file))
    // Only what is left out, for a reason that is told, takes its comment along.
    expect(gone.filter((change) => !/: (belongs|is ignored|is read as)/.test(change))).toEqual([])
  })

  test('in any combination', async () => {
    const sections = LEGACY_CASES.map(({ text }) => parse(text) as Record<string, unknown>)
    const several = fc.uniqueArray(fc.nat(sections.length - 1), { minLength: 2, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(several, fc.boolean(), async (chosen, withComments) => {
        const butler = chosen.reduce<Record<string, unknown>>((all, index) => merge(all, sections[index]!), {})
        const file = withComments ? `${commented({ Butler: butler })}\n` : stringify({ Butler: butler })
        const once = migrated(file)
        await expectSame(file, once.text)
        expect(migrated(once.text)).toEqual({ text: once.text, changes: [] })
      }),
      { numRuns: 40 },
    )
  }, 90_000)
})

function merge(low: Record<string, unknown>, high: Record<string, unknown>): Record<string, unknown> {
  const all = { ...low }
  for (const [key, value] of Object.entries(high)) {
    const was = all[key]
    all[key] = isSection(was) && isSection(value) ? merge(was, value) : value
  }
  return all
}

const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const OLD = `# Config of the old days
---
Butler:
  logLevel: info          # or verbose

  # Heart
  heartbeat:
    enabled: true         # on!
    # where to
    remoteURL: "http://h/"   # quoted

  # Engine
  configEngine:
    server: qs1     # name
    serverPort: '4747'
    headers:
      # who
      X-Qlik-User: 'UserDirectory=A; UserId=b'   # him
  configQRS:
    port: '4242'     # text!

  # Data files
  qvdPath: /qvd

  # Slack settings
  slackConfig:    # old
    # hook
    webhookURL: "https://s/x"
    # general channel
    taskFailureChannel: '#fail'

    loginNotificationChannel: l
  ...
  influxDb:
    hostIP: i1
    instanceTag: DEV # tag
    tag:
      static:
        # first
        - name: a
          value: b   # c
        # - name: x
    # end of influx
  emailNotification:
      reladTaskFailure:
            enable: false
            toAdress: # who
            - a@b.c
# the very end
`

const NEW = `# Config of the old days
---
Butler:
  logLevel: info          # or verbose

  # Heart
  heartbeat:
    enable: true         # on!
    # where to
    remoteURL: "http://h/"   # quoted

  # Engine
  configEngine:
    host: qs1     # name
    port: 4747
    headers:
      static:
        # who
        - name: X-Qlik-User   # him
          value: 'UserDirectory=A; UserId=b'
  configQRS:
    port: 4242     # text!
  configDirectories:
    # Data files
    qvdPath: /qvd

  # Slack settings
  slackNotification:    # old
    reloadTaskFailure:
      # hook
      webhookURL: "https://s/x"
      # general channel
      channel: '#fail'
      enable: true
      messageType: basic
    enable: true
    restMessage:
      webhookURL: "https://s/x"
  influxDb:
    hostIP: i1
    tag:
      static:
        # first
        - name: a
          value: b   # c
        - name: butler_instance # tag
          value: DEV
        # - name: x
    # end of influx
  emailNotification:
      reloadTaskFailure:
            enable: false
            recipients: # who
            - a@b.c
  footman:
    compatibility: butler
# the very end
`

/** Comments behind keys that are removed go with them. */
const GONE: Readonly<Record<string, string>> = { 'butler-3': 'who is here', 'butler-5': 'nobody posts' }

describe('whole files of each generation', () => {
  test.each([...OLDER_FILES])('%s', async (name) => {
    const file = olderText(name)
    const { text, changes } = migrated(file)
    await expectSame(file, text)
    expect(migrated(text)).toEqual({ text, changes: [] })
    const comments = (of: string) => [...(of.match(/(?<=^|\s)#\s.*/gm) ?? [])].sort()
    expect(comments(text)).toEqual(comments(file).filter((comment) => !comment.includes(GONE[name] ?? '!')))
    expect(changes.length === 1).toBe(name === 'butler-16')
    expect(changes.join('\n')).toContain('added Butler.footman.compatibility')
    for (const secret of ['s3cret', 'joesecret', 'NRII-', 'hooks.slack.com']) {
      expect(changes.join('\n')).not.toContain(secret)
      expect(text.split(secret).length).toBeGreaterThanOrEqual(file.split(secret).length)
    }
  })
})

const SPOILERS = [
  '\t',
  '#',
  '# c',
  '...',
  '---',
  '&a ',
  '*a',
  '<<: *a',
  '|',
  '"',
  "'",
  '- ',
  '? ',
  ': ',
  '{',
  ']',
  '!!str ',
  '\r',
  '~',
]

test('whatever stands in a file, it is rewritten with the same meaning or refused with a reason', () => {
  const edit = fc.record({
    at: fc.nat(),
    way: fc.constantFrom('insert', 'remove', 'outdent', 'move'),
    text: fc.constantFrom(...SPOILERS),
  })
  fc.assert(
    fc.property(fc.constantFrom(...OLDER_FILES), fc.array(edit, { minLength: 1, maxLength: 4 }), (name, edits) => {
      const lines = olderText(name).split('\n')
      for (const { at, way, text } of edits) {
        const index = at % lines.length
        const line = lines[index]!
        const column = at % (line.length + 1)
        if (way === 'insert') lines[index] = line.slice(0, column) + text + line.slice(column)
        else if (way === 'outdent') lines[index] = line.replace(/^ {2}/, '')
        else lines.splice(index, 1)
        if (way === 'move') lines.splice(at % (lines.length + 1), 0, line)
      }
      const result = migrateConfig(lines.join('\n'), 'butler.yaml')
      if (result.ok) expect(migrated(result.text).changes).toEqual([])
      else expect(result.problems).not.toEqual([])
    }),
    // An empty key after a line "...".
    { numRuns: 100, examples: [['documents', [{ at: 81_863_963, way: 'insert', text: ': ' }]]] },
  )
}, 90_000)

describe('the text', () => {
  test('changes only where something moves; comments, quotes, blanks and order stay', () => {
    expect(migrated(OLD)).toEqual({
      text: NEW,
      changes: [
        '4 added Butler.footman.compatibility',
        '8 moved Butler.heartbeat.enabled -> Butler.heartbeat.enable',
        '14 moved Butler.configEngine.server -> Butler.configEngine.host',
        '15 moved Butler.configEngine.serverPort -> Butler.configEngine.port',
        '18 moved Butler.configEngine.headers.X-Qlik-User -> Butler.configEngine.headers.static',
        '20 changed Butler.configQRS.port',
        '23 moved Butler.qvdPath -> Butler.configDirectories.qvdPath',
        '26 moved Butler.slackConfig -> Butler.slackNotification',
        '26 added Butler.slackNotification.enable',
        '28 added Butler.slackNotification.reloadTaskFailure.enable',
        '28 added Butler.slackNotification.reloadTaskFailure.messageType',
        '28 moved Butler.slackConfig.webhookURL -> Butler.slackNotification.reloadTaskFailure.webhookURL',
        '28 added Butler.slackNotification.restMessage.webhookURL',
        '30 moved Butler.slackConfig.taskFailureChannel -> Butler.slackNotification.reloadTaskFailure.channel',
        '32 removed Butler.slackConfig.loginNotificationChannel: belongs to a feature that no longer exists',
        '33 removed the line "..."',
        '36 moved Butler.influxDb.instanceTag -> Butler.influxDb.tag.static',
        '45 moved Butler.emailNotification.reladTaskFailure -> Butler.emailNotification.reloadTaskFailure',
        '47 moved Butler.emailNotification.reladTaskFailure.toAdress -> Butler.emailNotification.reloadTaskFailure.recipients',
      ],
    })
  })

  test('keeps byte order mark and line ends of Windows', () => {
    const windows = (text: string) => `\uFEFF${text.replaceAll('\n', '\r\n')}`
    expect(migrated(windows(OLD)).text).toBe(windows(NEW))
  })

  test.each([
    'Butler:\n\n\n  logLevel:   info\n  heartbeat: {}\n  footman: {compatibility: butler}\n',
    'Butler: {logLevel: info, footman: {compatibility: strict}}',
    "\uFEFFButler:\r\n  footman: {compatibility: STRICT, dataDirectory: 'x'}\n  # mixed\r\n\r\n",
    'Butler:\n  unknownKey: 1\n  footman:\n    compatibility: butler # as it was\nother: 2\n',
    'Butler:\n',
  ])('a file in the present layout is not touched: %j', (text) => {
    expect(migrated(text)).toEqual({ text, changes: [] })
  })

  test.each([
    [
      'Butler:\n  logLevel: info # level\n',
      'Butler:\n  logLevel: info # level\n  footman:\n    compatibility: butler\n',
    ],
    [
      'Butler:\n  footman:\n    dataDirectory: x # data\n  logLevel: info\n',
      'Butler:\n  footman:\n    dataDirectory: x # data\n    compatibility: strict\n  logLevel: info\n',
    ],
    [
      'Butler:\n  footman:\n    compatibility: auto # or not\n',
      'Butler:\n  footman:\n    compatibility: strict # or not\n',
    ],
  ])('what auto means for the file is written out: %j', async (text, expected) => {
    expect(migrated(text).text).toBe(expected)
    await expectSame(text, expected)
  })

  test('the comment of every key that moves goes along', () => {
    const { text } = migrated(
      below(
        'configQRS:\n  headerKey: X-Qlik-User # the header\n  # above the value\n  headerValue: UserDirectory=A; UserId=b # the user\n  host: qs1',
      ),
    )
    expect(text).toBe(
      below(
        'configQRS:\n  headers:\n    static:\n      - name: X-Qlik-User # the header\n        # above the value\n        value: UserDirectory=A; UserId=b # the user\n  host: qs1\nfootman:\n  compatibility: butler',
      ),
    )
  })

  test('the settings of InfluxDB 1 get their section', async () => {
    const file = below(
      'influxDb:\n  enable: true\n  dbName: d   # name\n  auth: {enable: true, username: u, password: p}',
    )
    const { text } = migrated(file)
    expect(text).toBe(
      below(
        'influxDb:\n  enable: true\n  v1Config:\n    dbName: d   # name\n    auth: {enable: true, username: u, password: p}\n  version: 1\nfootman:\n  compatibility: butler',
      ),
    )
    await expectSame(file, text)
  })

  test('those that another version does not use stay', () => {
    const file = below(
      'influxDb: {version: 2, dbName: d, v2Config: {org: o, bucket: b, token: t}}\nfootman: {compatibility: butler}',
    )
    expect(migrated(file)).toEqual({ text: file, changes: [] })
  })

  test('keys in another case, the root included', async () => {
    const file = 'BUTLER:   # root\n  LogLevel: info # level\n  emailnotification:\n    ENABLE: false\n'
    expect(migrated(file).text).toBe(
      'Butler:   # root\n  logLevel: info # level\n  emailNotification:\n    enable: false\n  footman:\n    compatibility: butler\n',
    )
  })

  test('keys in the items of a list', () => {
    const file = below(
      'webhookNotification:\n    reloadTaskFailure:\n        webhooks:\n            -   WebhookURL: https://a/   # first\n                # method\n                HTTPMETHOD: GET\n            - # second\n                webhookURL: https://b/\n                httpmethod: GET',
    )
    const { text, changes } = migrated(file)
    expect(text).toBe(
      below(
        'webhookNotification:\n    reloadTaskFailure:\n        webhooks:\n            -   webhookURL: https://a/   # first\n                # method\n                httpMethod: GET\n            # second\n            -   webhookURL: https://b/\n                httpMethod: GET\nfootman:\n  compatibility: butler',
      ),
    )
    const webhooks = 'Butler.webhookNotification.reloadTaskFailure.webhooks[]'
    expect(changes).toEqual([
      '2 added Butler.footman.compatibility',
      `5 moved ${webhooks}.WebhookURL -> ${webhooks}.webhookURL`,
      `7 moved ${webhooks}.HTTPMETHOD -> ${webhooks}.httpMethod`,
      `10 moved ${webhooks}.httpmethod -> ${webhooks}.httpMethod`,
    ])
  })

  test('placeholders stay placeholders', async () => {
    const of = (name: string) => `\${env:${name}}`
    const file = below(
      `qvdPath: ${of('QVD')}\nconfigQRS: {port: '${of('PORT')}'}\nheartbeat:\n  enabled: true\n  remoteURL: ${of('URL')}`,
    )
    const { text } = migrated(file)
    for (const name of ['QVD', 'PORT', 'URL']) expect(text).toContain(of(name))
    await expectSame(file, text, { QVD: '/q', PORT: '4243', URL: 'http://h/' })
  })

  test('secrets are in the new text as they were, and not among the changes', () => {
    const file = below('thirdPartyToolsCredentials:\n  newRelic:\n    insertApiKey: "NRAK-1:2 #3"\n    accountId: 0012')
    const { text, changes } = migrated(file)
    expect(text).toContain('insertApiKey: "NRAK-1:2 #3"')
    expect(text).toContain('accountId: 0012')
    expect(changes.join()).not.toContain('NRAK')
  })

  test('anchors, aliases and merge keys', async () => {
    const kept = below(
      'x-hosts: &qs qs1\nheartbeat: &h\n  enabled: true # on\nconfigQRS:\n  host: *qs\nconfigEngine:\n  server: *qs',
    )
    expect(migrated(kept).text).toBe(
      below(
        'x-hosts: &qs qs1\nheartbeat: &h\n  enable: true # on\nconfigQRS:\n  host: *qs\nconfigEngine:\n  host: *qs\nfootman:\n  compatibility: butler',
      ),
    )
    const shared = below(
      'emailNotification:\n  reloadTaskFailure: &m\n    enable: false\n    fromAdress: a@b.c # who\n  reloadTaskAborted:\n    <<: *m\n    rateLimit: 9',
    )
    await expectSame(shared, migrated(shared).text)
    const apart = below('cert: &c {clientCert: /c.pem}\nconfigQRS:\n  <<: *c\n  cert: /q.pem # mine')
    expect(() => migrated(apart)).not.toThrow()
  })

  test('JSON stays JSON', () => {
    const file = '{\n    "Butler": {\n        "heartbeat": { "enabled": true }\n    }\n}\n'
    expect(JSON.parse(migrated(file).text)).toEqual({
      Butler: { heartbeat: { enable: true }, footman: { compatibility: 'butler' } },
    })
    expect(migrated(file).text).toStartWith('{\n    "Butler": {\n        "heartbeat"')
  })

  test.each([
    ['Butler:\n\tlogLevel: info\n', 2, 1, 'Tabs'],
    ['Butler:\n  logLevel: info\n  logLevel: info\n', 3, 3, 'twice'],
    ['logLevel: info\n', 0, 0, 'no "Butler" section'],
    ['Butler: 5\n', 0, 0, 'section with keys'],
    ['- a\n', 0, 0, 'no "Butler" section'],
  ])('%j is refused', (text, line, column, message) => {
    const result = migrateConfig(text, 'butler.yaml')
    expect(result).toMatchObject({ ok: false, problems: [{ severity: 'error', line, column }] })
    expect(JSON.stringify(result)).toContain(JSON.stringify(message).slice(1, -1))
  })
})
