/** The command itself, with probes that are made up. */

import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { runDoctor } from '../../../../src/cli/doctor/index.ts'
import { humanReport, signsOf } from '../../../../src/cli/doctor/report.ts'
import type { Finding, Probe } from '../../../../src/cli/doctor/types.ts'
import { tempDirectory } from '../../../support/temp.ts'

const probe = (group: string, ...findings: Finding[]): Probe => ({
  group,
  title: `The ${group}`,
  applies: () => true,
  run: async () => findings,
})
const ok: Finding = { level: 'ok', code: 'disk.fine', target: '/data', message: 'in order' }
const broken: Finding = {
  level: 'error',
  code: 'mail.down',
  target: 'mail:25',
  message: 'refused',
  fix: 'start it',
  key: 'emailNotification.smtp.host',
}
const warned: Finding = { level: 'warning', code: 'mail.slow', target: 'mail:25', message: 'slow', fix: 'hurry' }

interface Run {
  readonly butler?: object
  readonly probes: readonly Probe[]
  readonly only?: readonly string[]
  readonly json?: boolean
  readonly timeout?: number
}

async function run({ butler = {}, probes, only, json = false, timeout = 1000 }: Run) {
  await using directory = tempDirectory()
  const configfile = directory.join('butler.yaml')
  writeFileSync(configfile, JSON.stringify({ Butler: butler }))
  const [out, err]: [string[], string[]] = [[], []]
  const code = await runDoctor(
    { configfile, json, timeout, qsConnection: false, ...(only && { only }) },
    { out: (text) => void out.push(text), err: (text) => void err.push(text) },
    { probes, env: { LANG: 'en_US.UTF-8' }, cwd: directory.path },
  )
  return { code, out: out.join('\n').replaceAll(directory.path, '.'), err: err.join('\n') }
}

describe('exit codes', () => {
  test('0 when all is well, and for warnings', async () => {
    expect((await run({ probes: [probe('disk', ok)] })).code).toBe(0)
    expect((await run({ probes: [probe('mail', warned)] })).code).toBe(0)
  })
  test('3 when something is broken', async () => {
    expect((await run({ probes: [probe('disk', ok), probe('mail', broken)] })).code).toBe(3)
  })
  test('1 for a configuration that forbids the start, of which everything else is looked at', async () => {
    const butler = { configQRS: { host: 'https://qs1.example.com', port: 4242 } }
    const { code, out } = await run({ butler, probes: [probe('mail', broken)] })
    expect(code).toBe(1)
    expect(out).toContain('Butler.configQRS.host: ')
    expect(out).toContain('mail:25: refused')
  })
  test('3 for a configuration that keeps a feature off, which is named', async () => {
    const butler = { mqttConfig: { enable: true, brokerHost: 'b', brokerPort: 99_999 } }
    const { code, out } = await run({ butler, probes: [probe('disk', ok)] })
    expect(code).toBe(3)
    expect(out.replace(/\s+/g, ' ')).toContain('brokerPort: must be between 1 and 65535')
    expect(out.replace(/\s+/g, ' ')).toContain('Butler.mqttConfig stays off')
  })
  test('1 for a file that is not there or cannot be read', async () => {
    const lines: string[] = []
    const io = { out: (text: string) => void lines.push(text), err: (text: string) => void lines.push(text) }
    const options = { configfile: '/no/such/file.yaml', qsConnection: true, timeout: 1000 }
    expect(await runDoctor(options, io, { probes: [probe('disk', ok)], env: {} })).toBe(1)
    expect(lines.join('\n')).toContain('/no/such/file.yaml')
    expect(lines.join('\n')).not.toContain('in order: ')
  })
  test('1 for a group that does not exist', async () => {
    const { code, err } = await run({ probes: [probe('disk', ok)], only: ['dsk'] })
    expect([code, err]).toEqual([1, 'error: --only: there is no group "dsk"; the groups are configuration, disk'])
  })
})

test('the report: grouped, each trouble with its code and fix, a sum', async () => {
  const { out } = await run({ probes: [probe('disk', ok), probe('mail', broken, warned)] })
  expect(out).toBe(
    [
      'Configuration',
      '  ✔  ./butler.yaml: no errors, no warnings',
      '',
      'The disk',
      '  ✔  /data: in order',
      '',
      'The mail',
      '  ✘  mail:25: refused [mail.down]',
      '     → start it',
      '  !  mail:25: slow [mail.slow]',
      '     → hurry',
      '',
      './butler.yaml: 1 error, 1 warning, 2 in order',
    ].join('\n'),
  )
})

test('what was not looked at for one reason is one line', async () => {
  const silent = (group: string): Probe =>
    probe(group, {
      level: 'info',
      code: `${group}.not-examined`,
      target: 'qs1:4242',
      message: 'not examined: no answer',
    })
  const { out } = await run({
    probes: [silent('clock'), probe('disk', ok), silent('names')],
    only: ['clock', 'disk', 'names'],
  })
  expect(out.split('\n').slice(0, -2)).toEqual([
    'The disk',
    '  ✔  /data: in order',
    '',
    'Not examined',
    '  i  The clock, The names: not examined: no answer',
  ])
})

test('JSON: file, findings, summary', async () => {
  const { out } = await run({ probes: [probe('mail', broken)], only: ['mail'], json: true })
  expect(JSON.parse(out)).toEqual({
    file: './butler.yaml',
    findings: [broken],
    summary: { ok: 0, info: 0, warnings: 0, errors: 1 },
  })
})

test('a terminal without such signs gets letters, and colour only where it is wanted', () => {
  const examined = [{ group: 'mail', title: 'Mail', findings: [broken] }]
  const plain = humanReport('f', examined, signsOf({}, { LANG: 'C' }, 'linux'))
  expect(plain).toContain('  X  mail:25: refused [mail.down]\n     -> start it')
  expect(humanReport('f', examined, signsOf({}, {}, 'win32'))).toContain('  X  mail')
  expect(humanReport('f', examined, signsOf({}, { WT_SESSION: '1' }, 'win32'))).toContain('  ✘  mail')
  expect(humanReport('f', examined, signsOf({ isTTY: true }, { LANG: 'C' }, 'linux'))).toContain('\x1b[31mX ')
  expect(humanReport('f', examined, signsOf({ isTTY: true }, { NO_COLOR: '1' }, 'linux'))).not.toContain('\x1b')
})

test('on a terminal lines are broken between words; what follows stands below the beginning', () => {
  const long = { ...broken, message: 'one two three four five six seven eight', fix: 'nine ten eleven twelve thirteen' }
  const examined = [{ group: 'mail', title: 'Mail', findings: [long] }]
  const at = (columns: number, isTTY = true) =>
    humanReport('f', examined, signsOf({ isTTY, columns }, { NO_COLOR: '1' }, 'linux'))
      .split('\n')
      .slice(1, -2)
  expect(at(41)).toEqual([
    '  ✘  mail:25: one two three four five',
    '     six seven eight [mail.down]',
    '     → nine ten eleven twelve thirteen',
  ])
  expect(at(41, false)).toEqual([
    '  ✘  mail:25: one two three four five six seven eight [mail.down]',
    '     → nine ten eleven twelve thirteen',
  ])
  expect(at(5).every((line) => line.length <= 40)).toBe(true)
})

test('what Footman makes of a key need not be a mistake', async () => {
  const butler = {
    keyValueStore: { maxKeysPerNamespace: 7 },
    restServerConfig: { enable: true, serverHost: 'h' },
    restServerEndpointsEnable: { keyValueStore: true },
  }
  const { out } = await run({ butler, probes: [], json: true })
  const { findings } = JSON.parse(out) as { findings: Finding[] }
  const honoured = findings.find(({ message }) => message.includes('is now honoured'))
  expect(honoured!.fix).toStartWith('if that is not what you want')
})

test('what servers say cannot steer the terminal', () => {
  const findings = [{ ...broken, message: 'evil \x1b[2J\r\nline' }]
  const text = humanReport('f', [{ group: 'mail', title: 'Mail', findings }], signsOf({}, {}, 'linux'))
  expect(text).toContain('evil \\u001b[2J line')
})

test('a probe that hangs or fails does not hold up the others', async () => {
  const hanging: Probe = { ...probe('slow'), run: () => new Promise(() => {}) }
  const failing: Probe = {
    ...probe('odd'),
    run: async () => {
      throw new Error('oops')
    },
  }
  const { code, out } = await run({ probes: [hanging, failing, probe('disk', ok)], timeout: 50, json: true })
  expect(code).toBe(3)
  const { findings } = JSON.parse(out) as { findings: Finding[] }
  expect(findings.map((one) => one.code)).toEqual([
    'configuration.valid',
    'slow.time-over',
    'odd.not-examined',
    'disk.fine',
  ])
})

test('a probe whose feature is off is left out', async () => {
  const off: Probe = { ...probe('mail', broken), applies: () => false }
  const { code, out } = await run({ probes: [off] })
  expect(code).toBe(0)
  expect(out).not.toContain('mail')
})

describe('the same trouble', () => {
  const butler = { emailNotification: { enable: true, smtp: { host: 'm', port: 587, secure: true } } }
  const key = 'emailNotification.smtp.secure'

  test('is told once, by the probe when it is at least as sure', async () => {
    const { out } = await run({ butler, probes: [probe('mail', { ...broken, key })], json: true })
    const { findings } = JSON.parse(out) as { findings: Finding[] }
    expect(findings.filter((one) => one.key === key).map((one) => one.code)).toEqual(['mail.down'])
  })
  test('is told by the look at the file when that is graver', async () => {
    const wrong = { mqttConfig: { enable: true, brokerHost: 'mqtt://b' } }
    const more = { ...warned, key: 'mqttConfig.brokerHost' }
    const { out } = await run({ butler: wrong, probes: [probe('mail', more)], json: true })
    const { findings } = JSON.parse(out) as { findings: Finding[] }
    expect(findings.map((one) => one.code)).toEqual(['configuration.error'])
  })
})

test('secrets of the configuration are never shown', async () => {
  const butler = { emailNotification: { smtp: { auth: { password: 'very-secret-word' } } } }
  const telling = probe('mail', { ...broken, message: '535 very-secret-word is wrong', fix: 'not very-secret-word' })
  for (const json of [true, false]) {
    const { out } = await run({ butler, probes: [telling], json })
    expect(out).toContain('535 ********** is wrong')
    expect(out).not.toContain('very-secret-word')
  }
})
