import { describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import type { LineWriter } from '../../../src/platform/line-writer.ts'
import { createLogger, type LogSettings } from '../../../src/platform/log.ts'
import { tempDirectory } from '../../support/temp.ts'

const AT = Date.parse('2026-03-02T06:00:01.120Z')

interface Captured extends LineWriter {
  text: string
}

function capture(): Captured {
  const captured: Captured = {
    text: '',
    write: (text) => {
      captured.text += text
    },
    flush: async () => {},
    flushSync: () => {},
    end: async () => {},
  }
  return captured
}

function logger(settings: Partial<LogSettings> = {}, isTerminal = false, clock = { now: () => AT }) {
  const stdout = capture()
  const stderr = capture()
  const log = createLogger(
    { level: 'info', format: 'text', console: true, ...settings },
    { clock, stdout, stderr, isTerminal },
  )
  return { log, stdout, stderr }
}

const lastJson = (captured: Captured) => JSON.parse(captured.text.trim().split('\n').at(-1)!)

describe('text format', () => {
  test('is that of Butler 16, without colour', () => {
    const { log, stdout } = logger({ level: 'silly' })
    for (const level of ['error', 'warn', 'info', 'verbose', 'debug', 'silly'] as const) log[level]('MAIN: Text')
    expect(stdout.text).toBe(
      [
        '2026-03-02T06:00:01.120Z error: MAIN: Text',
        '2026-03-02T06:00:01.120Z warn: MAIN: Text',
        '2026-03-02T06:00:01.120Z info: MAIN: Text',
        '2026-03-02T06:00:01.120Z verbose: MAIN: Text',
        '2026-03-02T06:00:01.120Z debug: MAIN: Text',
        '2026-03-02T06:00:01.120Z silly: MAIN: Text',
        '',
      ].join('\n'),
    )
  })

  test('writes line breaks as escapes, leaves fields out', () => {
    const { log, stdout } = logger()
    log.info('one\ntwo', { port: 8080 })
    expect(stdout.text).toBe('2026-03-02T06:00:01.120Z info: one\\ntwo\n')
  })

  test('appends what errors and their causes say, once', () => {
    const { log, stdout } = logger()
    const error = new Error('mail refused', { cause: new Error('connect ECONNREFUSED 10.0.0.1:25') })
    log.error('SMTP: mail refused', { error })
    expect(stdout.text).toBe('2026-03-02T06:00:01.120Z error: SMTP: mail refused: connect ECONNREFUSED 10.0.0.1:25\n')
  })

  test('shows stacks from level debug on', () => {
    const { log, stdout } = logger({ level: 'debug' })
    log.error('X', { error: new Error('boom') })
    expect(stdout.text).toMatch(/^\S+ error: X: boom\n {4}Error: boom\n {8}at /)
  })

  test('shows the stack of a fault at every level', () => {
    const { log, stdout } = logger()
    const fault = Object.assign(new Error('a\nAUDIT: b'), { stack: 'Error: a\nAUDIT: b\n    at here' })
    log.error(`X: ${fault}`, { fault })
    const time = '2026-03-02T06:00:01.120Z'
    expect(stdout.text).toBe(`${time} error: X: Error: a\\nAUDIT: b\n    Error: a\n    AUDIT: b\n        at here\n`)
  })

  test('cannot be steered by what it holds', () => {
    const { log, stdout } = logger()
    log.info('task "\x1b]0;owned\x07\r\n2026-03-02T06:00:01.120Z info: AUDIT: forged\u202e\u2028"')
    expect(stdout.text).toBe(
      '2026-03-02T06:00:01.120Z info: task "\\u001b]0;owned\\u0007\\r\\n2026-03-02T06:00:01.120Z info: AUDIT: forged\\u202e\\u2028"\n',
    )
  })

  test('in JSON neither, and its meaning stays', () => {
    const { log, stdout } = logger({ format: 'json' })
    const name = 'a\u009b31m\u202e\u2028\u007f\ufeff\nb'
    log.info(name, { name })
    expect(stdout.text).toMatch(/^[ -~]+\n$/)
    expect(lastJson(stdout)).toMatchObject({ msg: name, name })
  })

  test('is coloured on a terminal only', () => {
    const { log, stdout, stderr } = logger({}, true)
    log.warn('W')
    log.error('E')
    expect(stdout.text).toBe(
      '2026-03-02T06:00:01.120Z \x1b[33mwarn\x1b[39m: W\n2026-03-02T06:00:01.120Z \x1b[31merror\x1b[39m: E\n',
    )
    expect(stderr.text).toBe('')
  })
})

describe('levels and streams', () => {
  test('less important lines are left out; the level can be changed', () => {
    const { log, stdout } = logger({ level: 'warn' })
    const child = log.child('udp')
    child.info('hidden')
    expect([child.enabled('warn'), child.enabled('info')]).toEqual([true, false])
    log.setLevel('verbose')
    child.verbose('shown')
    expect(child.enabled('verbose')).toBe(true)
    expect(stdout.text).toBe('2026-03-02T06:00:01.120Z verbose: shown\n')
  })

  test('errors also go to standard error when standard output is redirected', () => {
    const { log, stdout, stderr } = logger()
    log.warn('W')
    log.error('E')
    expect(stdout.text).toContain('error: E')
    expect(stderr.text).toBe('2026-03-02T06:00:01.120Z error: E\n')
  })
})

describe('JSON format', () => {
  test('one object a line with ts, level, msg, component and fields', () => {
    const { log, stdout } = logger({ format: 'json' })
    log.child('udp').info('line\nbreak', { port: 9998, list: [1], at: new Date(0), level: 'own' })
    expect(stdout.text).toEndWith('}\n')
    expect(stdout.text.trim()).not.toContain('\n')
    expect(lastJson(stdout)).toEqual({
      ts: '2026-03-02T06:00:01.120Z',
      level: 'info',
      msg: 'line\nbreak',
      component: 'udp',
      port: 9998,
      list: [1],
      at: '1970-01-01T00:00:00.000Z',
      level_: 'own',
    })
  })

  test('errors, cycles, bytes and big numbers can be written', () => {
    const { log, stdout } = logger({ format: 'json' })
    const cycle: Record<string, unknown> = { name: 'x' }
    cycle.self = cycle
    const error = Object.assign(new Error('outer', { cause: new TypeError('inner') }), { code: 'E1' })
    log.info('all', { cycle, error, bytes: new Uint8Array(3), big: 10n, nothing: undefined, call: () => 1 })
    const line = lastJson(stdout)
    expect(line.cycle).toEqual({ name: 'x', self: '[circular]' })
    expect(line.error).toMatchObject({ type: 'Error', message: 'outer', code: 'E1' })
    expect(line.error.cause).toMatchObject({ type: 'TypeError', message: 'inner' })
    expect([line.bytes, line.big]).toEqual(['[3 bytes]', '10'])
  })
})

describe('secrets', () => {
  const secrets = () => ['s3cret/Väl ue', 'hook.example/T0/B0/xyz']

  test('known values vanish from messages and fields, also when encoded', () => {
    const { log, stdout } = logger({ format: 'json', level: 'silly', secrets })
    log.silly('a s3cret/Väl ue b', {
      url: 'https://hook.example/T0/B0/xyz',
      q: `?k=${encodeURIComponent('s3cret/Väl ue')}`,
    })
    expect(lastJson(stdout)).toMatchObject({ msg: 'a ********** b', url: 'https://**********', q: '?k=**********' })
  })

  test('a secret that is set later is known at once', () => {
    let known: readonly string[] = []
    const { log, stdout } = logger({ secrets: () => known })
    log.info('token-value')
    known = ['token-value']
    log.info('token-value')
    expect(stdout.text.match(/info: (.*)/g)).toEqual(['info: token-value', 'info: **********'])
  })

  test('fields that usually hold secrets are masked by name', () => {
    const { log, stdout } = logger({ format: 'json' })
    log.info('x', {
      headers: { Authorization: 'Bearer abc', 'X-API-Key': 'k', 'Api-Key': 'k', accept: '*/*' },
      smtpPassword: 'p',
      token: '',
      tokens: 3,
      list: [
        { name: 'X-Qlik-User', value: 'UserDirectory=Internal' },
        { name: 'Authorization', value: 'Basic abc' },
      ],
    })
    expect(lastJson(stdout)).toMatchObject({
      headers: { Authorization: '**********', 'X-API-Key': '**********', 'Api-Key': '**********', accept: '*/*' },
      smtpPassword: '**********',
      token: '',
      tokens: 3,
      list: [
        { name: 'X-Qlik-User', value: 'UserDirectory=Internal' },
        { name: 'Authorization', value: '**********' },
      ],
    })
  })

  test.each([
    ['Authorization: Bearer abc.def', 'Authorization: **********'],
    ['headers {"authorization":"Basic dXNlcg==","accept":"x"}', 'headers {"authorization":"**********","accept":"x"}'],
    ['/v4/x?key=fm_s_sL-88NMgyzLJT0lEebfRc2QZL1s8RfZePoRU7hQ3w called', '/v4/x?key=********** called'],
    ['/v4/x?t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl called', '/v4/x?t=********** called'],
    ['{"smtpPassword": "a\\"b", "port": 25}', '{"smtpPassword": "**********", "port": 25}'],
    ['GET https://x.example/p?api_key=abc&y=1', 'GET https://x.example/p?api_key=**********&y=1'],
    ['mqtt://butler:hunter2@broker:1883', 'mqtt://butler:**********@broker:1883'],
    ['sent Bearer eyJhbGciOiJIUzI1NiJ9.abc', 'sent Bearer **********'],
    ['X-API-Key: abc123, next', 'X-API-Key: **********, next'],
  ])('%s', (message, masked) => {
    const { log, stdout } = logger()
    log.info(message)
    expect(stdout.text).toBe(`2026-03-02T06:00:01.120Z info: ${masked}\n`)
  })

  test.each([
    'Butler.mqttConfig.password: must be a text',
    'CONFIG: Butler.footman.access.jwt.secret: at least 32 bytes',
    'The bearer of this message',
    'Task "Token refresh" started at 10:00:00',
  ])('harmless: %s', (message) => {
    const { log, stdout } = logger()
    log.info(message)
    expect(stdout.text).toContain(message)
  })

  test('a long message costs no time', () => {
    const { log } = logger({ secrets })
    const before = performance.now()
    for (const text of ['a.'.repeat(50_000), '"'.repeat(50_000), '://:'.repeat(25_000), 'password'.repeat(10_000)]) {
      log.info(text)
    }
    expect(performance.now() - before).toBeLessThan(1000)
  })
})

describe('files', () => {
  const local = (year: number, month: number, day: number, hour = 12) => new Date(year, month - 1, day, hour).getTime()

  async function withFiles(
    use: (tools: {
      log: ReturnType<typeof createLogger>
      at: (ms: number) => void
      directory: string
      names: () => string[]
    }) => Promise<void>,
    settings: { maxFileSize?: number; maxTotalSize?: number; before?: (directory: string) => void } = {},
  ): Promise<void> {
    await using folder = tempDirectory()
    const directory = folder.join('deep', 'log')
    settings.before?.(folder.path)
    let now = local(2026, 3, 2)
    const { maxFileSize = 1e6, maxTotalSize = 1e9 } = settings
    const file = { directory, maxFileSize, keepMs: 30 * 86_400_000, maxTotalSize }
    const { log } = logger({ console: false, file }, false, { now: () => now })
    const at = (ms: number) => {
      now = ms
    }
    await use({ log, at, directory, names: () => readdirSync(directory).sort() })
    await log.close()
  }

  const read = (directory: string, name: string) => readFileSync(`${directory}/${name}`, 'utf8')

  test('one a day by local date, without colour', () =>
    withFiles(async ({ log, at, directory, names }) => {
      log.info('first')
      at(local(2026, 3, 2, 23))
      log.info('second')
      at(local(2026, 3, 3, 0))
      log.info('third')
      await log.flush()
      expect(names()).toEqual(['butler.2026-03-02.log', 'butler.2026-03-03.log'])
      expect(read(directory, 'butler.2026-03-02.log')).toMatch(/^\S+Z info: first\n\S+Z info: second\n$/)
      expect(read(directory, 'butler.2026-03-03.log')).toMatch(/^\S+Z info: third\n$/)
    }))

  test('numbered when they grow too large; a restart goes on with the newest', () =>
    withFiles(
      async ({ log, directory, names }) => {
        const line = 'x'.repeat(60)
        for (let count = 0; count < 3; count += 1) log.info(line)
        await log.close()
        expect(names()).toEqual(['butler.2026-03-02.1.log', 'butler.2026-03-02.2.log', 'butler.2026-03-02.log'])
        const settings = { directory, maxFileSize: 200, keepMs: 1e12, maxTotalSize: 1e9 }
        const next = logger({ console: false, file: settings }, false, { now: () => local(2026, 3, 2) }).log
        next.info('after the restart')
        await next.close()
        expect(read(directory, 'butler.2026-03-02.2.log')).toMatch(/x\n.*after the restart\n$/)
      },
      { maxFileSize: 100 },
    ))

  test('old ones are deleted, other files never', () =>
    withFiles(async ({ log, at, directory, names }) => {
      log.info('start')
      await log.flush()
      for (const [name, day] of [
        ['butler.2026-01-01.log', 1],
        ['butler.2026-01-01.1.log', 1],
        ['other.2026-01-01.log', 1],
        ['butler.2026-02-27.log', 58],
      ] as const) {
        writeFileSync(`${directory}/${name}`, 'x')
        const when = local(2026, 1, day) / 1000
        utimesSync(`${directory}/${name}`, when, when)
      }
      at(local(2026, 3, 3))
      log.info('next day')
      await log.flush()
      const kept = ['butler.2026-02-27.log', 'butler.2026-03-02.log', 'butler.2026-03-03.log', 'other.2026-01-01.log']
      expect(names()).toEqual(kept)
    }))

  test.each([
    ['the oldest are deleted when all together grow too large', 100, 350, ['.2', '.3', '.4']],
    ['one that may grow larger than all is continued before', 10_000, 200, ['.3', '.4']],
  ])('%s', (_, maxFileSize, maxTotalSize, kept) =>
    withFiles(
      async ({ log, directory, names }) => {
        for (let count = 0; count < 5; count += 1) {
          log.info(`${count} ${'x'.repeat(60)}`)
          await log.flush()
        }
        const expected = kept.map((number) => `butler.2026-03-02${number}.log`)
        expect(names()).toEqual([...expected, 'other.2026-01-01.log'].sort())
        expect(read(directory, expected.at(-1)!)).toContain('info: 4 x')
      },
      {
        maxFileSize,
        maxTotalSize,
        before: (folder) => {
          mkdirSync(`${folder}/deep/log`, { recursive: true })
          writeFileSync(`${folder}/deep/log/butler.2026-03-01.log`, 'x'.repeat(1000))
          writeFileSync(`${folder}/deep/log/other.2026-01-01.log`, 'x'.repeat(1000))
        },
      },
    ),
  )

  test('the current file stays when there is nothing else to delete', () =>
    withFiles(
      async ({ log, names }) => {
        log.info('x'.repeat(300))
        await log.flush()
        expect(names()).toEqual(['butler.2026-03-02.log'])
      },
      { maxTotalSize: 50 },
    ))

  test('reopen continues in a new file after the old one was moved away', () =>
    withFiles(async ({ log, directory }) => {
      log.info('before')
      await log.flush()
      renameSync(`${directory}/butler.2026-03-02.log`, `${directory}/moved`)
      log.reopen()
      log.info('after')
      await log.flush()
      expect(read(directory, 'moved')).toContain('before')
      expect(read(directory, 'butler.2026-03-02.log')).toMatch(/^\S+ info: after\n$/)
    }))

  test('a directory that cannot be made is told on the console and ends nothing', async () => {
    await using folder = tempDirectory()
    writeFileSync(folder.join('file'), 'in the way')
    const file = { directory: folder.join('file', 'log'), maxFileSize: 1e6, keepMs: 1e9, maxTotalSize: 1e9 }
    const { log, stdout } = logger({ file })
    log.info('goes on')
    expect(stdout.text).toContain(`error: LOG: cannot write log files in "${file.directory}": `)
    expect(stdout.text).toContain('info: goes on')
    expect(existsSync(file.directory)).toBe(false)
    await log.close()
  })
})
