import { afterAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { logAppenderFile } from '../../../../src/qlik/log-appenders.ts'
import { codes, diagnose } from '../../../support/doctor.ts'
import { complaints, finding } from '../../../support/doctor-site.ts'
import { tempDirectory } from '../../../support/temp.ts'

const directory = tempDirectory()
afterAll(() => directory.remove())

const MASTER = 'System.Scheduler.Scheduler.Master.Task.TaskSession'
const SLAVE = 'System.Scheduler.Scheduler.Slave.Tasks.ReloadTask'
const TAIL =
  '%hostname;%property{TaskName};%property{AppName};%property{User};%property{TaskId};%property{AppId};%date;%level;%property{ExecutionId};%message'

interface Parts {
  name: string
  texts: string[]
  type: string
}

const ALL: Parts[] = [
  {
    name: 'TaskFailLogger',
    texts: ['Max retries reached', 'Failed to start session', 'Could not reserve an executor for task'],
    type: '/scheduler-task-failed/',
  },
  { name: 'TaskAbortLogger', texts: ['Execution State Change to Aborting'], type: '/scheduler-task-aborted/' },
  // As Butler 15 and 16 ship it: with two slashes.
  {
    name: 'TaskSuccessLogger',
    texts: ['Execution State Change to FinishedSuccess'],
    type: '/scheduler-task-success//',
  },
]
const DISTRIBUTE: Parts = {
  name: 'DistributionTaskLogger',
  texts: ['Exiting execute of Distribute task request.'],
  type: '/scheduler-distribute/',
}

const appender = ({ name, texts, type }: Parts) => `
  <appender name="${name}" type="log4net.Appender.UdpAppender">
    ${texts.map((text) => `<filter type="log4net.Filter.StringMatchFilter"><param name="stringToMatch" value="${text}"/></filter>`).join('\n    ')}
    <filter type="log4net.Filter.DenyAllFilter"/>
    <param name="remoteAddress" value="127.0.0.1"/>
    <param name="remotePort" value="9998"/>
    <param name="encoding" value="utf-8"/>
    <layout type="log4net.Layout.PatternLayout">
      <converter>
        <param name="name" value="hostname"/>
        <param name="type" value="Qlik.Sense.Logging.log4net.Layout.Pattern.HostNamePatternConverter"/>
      </converter>
      <param name="conversionpattern" value="${type};${TAIL}"/>
    </layout>
  </appender>`

const logger = (name: string, refs: readonly string[]) =>
  `<logger name="${name}">${refs.map((ref) => `<appender-ref ref="${ref}"/>`).join('')}</logger>`

const GOOD = `<?xml version="1.0" encoding="UTF-8"?>
<configuration>
  <!-- sends to Footman -->${[...ALL, DISTRIBUTE].map(appender).join('')}
  ${logger(MASTER, ['TaskFailLogger', 'TaskAbortLogger', 'TaskSuccessLogger'])}
  ${logger(SLAVE, ['DistributionTaskLogger'])}
</configuration>
`

let files = 0

function examine(xml: string, udp: Record<string, unknown> = {}, footman: Record<string, unknown> = {}) {
  files += 1
  const path = directory.join(`LocalLogConfig-${files}.xml`)
  writeFileSync(path, xml)
  const udpServerConfig = { enable: true, serverHost: '0.0.0.0', portTaskFailure: 9998, ...udp }
  return diagnose({ udpServerConfig, footman }, { only: ['appender'], appender: path })
}

describe('a log appender file', () => {
  test('in order, with a byte-order mark and the two slashes of Butler 16', async () => {
    const found = await examine(`\uFEFF${GOOD}`)
    expect(complaints(found)).toEqual([])
    expect(finding(found, 'appender.valid').message).toBe(
      '4 appenders that send to 127.0.0.1:9998, as Footman expects it',
    )
    expect(found.code).toBe(0)
  })

  test('as Footman writes it', async () => {
    const found = await examine(logAppenderFile({ address: '127.0.0.1', port: 9998 }))
    expect(codes(found)).toEqual(['appender.valid', 'appender.loopback'])
  })

  test('with a shared secret has to send it, and the secret is never shown', async () => {
    const secret = 'the-secret-of-today'
    const footman = { udp: { sharedSecrets: ['the-secret-of-tomorrow', secret] } }
    const target = { address: '127.0.0.1', port: 9998 }
    expect(complaints(await examine(logAppenderFile({ ...target, secret }), {}, footman))).toEqual([])
    for (const other of [undefined, 'another-secret-instead']) {
      const found = await examine(logAppenderFile({ ...target, secret: other }), {}, footman)
      expect(finding(found, 'appender.secret').fix).toContain('footman log-appender')
      expect(JSON.stringify(found)).not.toContain('the-secret-of')
    }
  })

  test('in the short form of log4net', async () => {
    const short = GOOD.replaceAll(
      /<param name="(remoteAddress|remotePort|encoding|conversionpattern)" value=/g,
      '<$1 value=',
    )
    expect(complaints(await examine(short))).toEqual([])
  })

  test('of Butler 14 and older is understood, with a note', async () => {
    const failed = { ...ALL[0]!, type: '/scheduler-reload-failed/', texts: ['Max retries reached'] }
    const success = { ...ALL[2]!, type: '/scheduler-reloadtask-success/', texts: ['Reload complete'] }
    const aborted = { ...ALL[1]!, type: '/scheduler-reload-aborted/' }
    const xml = `<configuration>${[failed, aborted, success].map(appender).join('')}
      ${logger(MASTER, ['TaskFailLogger', 'TaskAbortLogger'])}${logger(SLAVE, ['TaskSuccessLogger'])}</configuration>`
    const found = await examine(xml)
    expect(complaints(found)).toEqual([])
    expect(codes(found)).toContain('appender.generation')
  })

  /** One appender of a version without types in its messages. */
  const untyped = (pattern: string) =>
    `<configuration>${appender(ALL[0]!).replace(/value="\/scheduler-task-failed[^"]*"/, `value="${pattern}"`)}
      ${logger(MASTER, ['TaskFailLogger'])}</configuration>`

  test('of Butler 4.2 and 4.3, with ten fields and no type, is understood, with a note', async () => {
    const found = await examine(untyped(TAIL).replace(/\s*<filter.*(Failed to start|Could not reserve).*/g, ''))
    expect(codes(found)).toEqual([
      'appender.loopback',
      'appender.generation',
      'appender.generation',
      'appender.kind',
      'appender.kind',
      'appender.kind',
    ])
    expect(found.findings.filter(({ code }) => code === 'appender.generation')[0]!.message).toContain(
      'Footman understands',
    )
    const wrong = await examine(untyped(TAIL.replace('%property{TaskId};', '')))
    expect(finding(wrong, 'appender.pattern').message).toContain('has 9 fields instead of 10; field 5 is')
  })

  test('of Butler 1.1 to 4.1, with four fields, has to be replaced', async () => {
    const found = await examine(untyped('%hostname;%property{TaskName};%property{AppName};%message'))
    expect(finding(found, 'appender.outdated')).toMatchObject({
      level: 'error',
      message: expect.stringContaining('4 fields without the ids of task and execution'),
      fix: expect.stringContaining('footman log-appender'),
    })
    expect(codes(found)).not.toContain('appender.pattern')
    expect(found.code).toBe(3)
  })

  test.each(['NodeUserLogger', 'EventSession'])('with the session appender %s: it can be deleted', async (name) => {
    const session = appender({ name, texts: ['Proxy session'], type: '/session/' }).replace('"9998"', '"9997"')
    const found = await examine(GOOD.replace('<logger', `${session}${logger('AuditActivity.Proxy', [name])}<logger`))
    expect(codes(found).filter((code) => code !== 'appender.loopback')).toEqual(['appender.not-needed'])
    expect(finding(found, 'appender.not-needed').fix).toContain(`delete "${name}"`)
    const alone = await examine(`<configuration>${session}</configuration>`)
    expect(codes(alone)).toEqual(['appender.not-needed', 'appender.none'])
  })

  /** What is replaced, by what, what is found, and a part of the fix. */
  const MISTAKES: [name: string, from: string | RegExp, to: string, code: string, fix: string][] = [
    [
      'an address of another machine',
      /127\.0\.0\.1/g,
      '192.0.2.1',
      'appender.address',
      'in "TaskFailLogger", "TaskAbortLogger", "TaskSuccessLogger", "DistributionTaskLogger"',
    ],
    ['a name that nobody knows', /127\.0\.0\.1/g, 'no-such-host.invalid', 'appender.address', 'set remoteAddress'],
    ['no address', '<param name="remoteAddress" value="127.0.0.1"/>', '', 'appender.address', 'set remoteAddress'],
    ['another port', '"9998"', '"9997"', 'appender.port', 'set remotePort to 9998 in "TaskFailLogger"'],
    ['no encoding', '<param name="encoding" value="utf-8"/>', '', 'appender.encoding', 'value="utf-8"'],
    ['another encoding', '"utf-8"/>', '"windows-1252"/>', 'appender.encoding', 'value="utf-8"'],
    ['no DenyAllFilter', '<filter type="log4net.Filter.DenyAllFilter"/>', '', 'appender.deny', 'DenyAllFilter'],
    ['no converter', /<converter>[\s\S]*?<\/converter>/, '', 'appender.converter', 'HostNamePatternConverter'],
    [
      'another text',
      'Execution State Change to Aborting',
      'Aborted',
      'appender.filter',
      'Execution State Change to Aborting',
    ],
    ['a field too few', '%property{AppName};', '', 'appender.pattern', 'set conversionpattern of "TaskFailLogger" to'],
    ['a field of another name', '%property{TaskId}', '%property{TaskID2}', 'appender.pattern', '%property{TaskId}'],
    ['an unknown type', '/scheduler-task-failed/', '/task-failed/', 'appender.pattern', '/scheduler-task-failed/'],
    ['an appender that no logger has', '<appender-ref ref="TaskAbortLogger"/>', '', 'appender.logger', MASTER],
    ['the wrong logger', SLAVE, 'System.Scheduler.Other', 'appender.logger', SLAVE],
    [
      'a logger that names no appender',
      'ref="TaskAbortLogger"',
      'ref="TaskAbortLoger"',
      'appender.reference',
      'appender-ref',
    ],
    ['no failed tasks', new RegExp(`${ALL[0]!.type};`), '/scheduler-task-aborted/;', 'appender.kind', 'failed tasks'],
    ['broken XML', '</layout>', '', 'appender.xml', 'footman log-appender'],
    ['another XML file', /configuration>/g, 'settings>', 'appender.xml', 'footman log-appender'],
    ['no UDP appender', /UdpAppender/g, 'FileAppender', 'appender.none', 'footman log-appender'],
  ]

  test.each(MISTAKES)('%s', async (_name, from, to, code, fix) => {
    const xml = GOOD.replace(from, to)
    expect(xml).not.toBe(GOOD)
    const found = await examine(xml)
    expect(finding(found, code).fix).toContain(fix)
    expect(['error', 'warning']).toContain(finding(found, code).level)
  })

  test('broken XML is told with its line', async () => {
    expect(finding(await examine(GOOD.replace('</layout>', '')), 'appender.xml').message).toMatch(/line \d+/)
  })

  test('an own address on which Footman does not listen', async () => {
    const found = await examine(GOOD, { serverHost: '127.0.0.2' })
    expect(finding(found, 'appender.address').message).toContain('but Footman listens on 127.0.0.2 only')
  })

  test('a file that is not there', async () => {
    const udpServerConfig = { enable: true }
    const found = await diagnose({ udpServerConfig }, { only: ['appender'], appender: '/nowhere/LocalLogConfig.xml' })
    expect(finding(found, 'appender.unreadable').target).toBe('/nowhere/LocalLogConfig.xml')
    expect(found.code).toBe(3)
  })
})
