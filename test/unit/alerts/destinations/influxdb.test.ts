import { describe, expect, test } from 'bun:test'
import { influxRules, influxSections, taskPoint } from '../../../../src/alerts/destinations/influxdb.ts'
import type { TaskEvent } from '../../../../src/events/types.ts'
import { lineOf } from '../../../../src/metrics/influxdb/line.ts'
import LINES from '../../../fixtures/influxdb/lines.json'
import { STOCKHOLM, scriptLog } from '../../../support/alerts.ts'
import { EVENTS, influxConfig, sectionOf } from '../../../support/influx-events.ts'

const GLOBAL = [{ name: 'qs_env', value: 'prod' }]
const PROD = { static: [{ name: 'butler_instance', value: 'prod-1' }] }

function pointOf(event: TaskEvent, config = influxConfig()) {
  return taskPoint(event, sectionOf(event, config), STOCKHOLM)
}

function line(event: TaskEvent, config = influxConfig()): string {
  return lineOf(pointOf(event, config), GLOBAL, BigInt(event.receivedAt) * 1_000_000n) ?? ''
}

/** Newer data of the time formats put narrow blanks before AM and PM. */
const plain = (text: string) => text.replaceAll('\u202f', ' ')

describe('the line about', () => {
  test.each(Object.keys(EVENTS))('%s is the one that dashboards know', (name) => {
    const failure = { enable: true, tailScriptLogLines: 3, ...(name === 'reload failed' && { tag: PROD }) }
    const config = influxConfig({ reloadTaskFailure: failure })
    expect(plain(line(EVENTS[name]!, config))).toBe(LINES[name as keyof typeof LINES])
  })
})

describe('tags of Qlik Sense', () => {
  const tagged = ['reload', 'externalProgram', 'userSync', 'distribute', 'preload'].flatMap((type) =>
    ['failed', 'success'].map((outcome) => `${type} ${outcome}`),
  )

  test.each(tagged)('of the task are in %s', (name) => {
    const event = EVENTS[name]!
    const task = { ...event.task!, tags: [{ id: '1', name: 'Nightly, all' }] }
    expect(line({ ...event, task })).toContain(',taskTag_Nightly\\,\\ all=true,')
  })

  test.each(['reload failed', 'reload success'])('of the app are in %s', (name) => {
    expect(line(EVENTS[name]!)).toMatch(/,appTag_(HR|Finance\\ daily)=true,/)
  })

  test('stay out where they are switched off', () => {
    const tag = { dynamic: { useAppTags: false, useTaskTags: false } }
    const config = influxConfig({ reloadTaskFailure: { enable: true, tag } })
    expect(line(EVENTS['reload failed']!, config)).not.toMatch(/appTag_|taskTag_/)
    expect(sectionOf(EVENTS['reload failed']!, config).needs).toEqual(['execution', 'scriptLog'])
  })
})

describe('static tags', () => {
  test('of the section win over everything, those of all points over nothing', () => {
    const tag = {
      static: [
        { name: 'host', value: 'alias' },
        { name: 'user', value: '' },
      ],
    }
    const config = influxConfig({ preloadTaskFailure: { enable: true, tag } })
    const point = pointOf(EVENTS['preload failed']!, config)
    const all = [
      { name: 'log_level', value: 'none' },
      { name: 'host', value: 'global' },
    ]
    const written = lineOf(point, all, 1n)
    expect(written).toContain(',host=alias,log_level=ERROR,')
    expect(written).toContain(',user=INTERNAL/sa_scheduler ')
  })
})

describe('what is not known', () => {
  test('leaves out tags and fields instead of writing words for nothing', () => {
    const event = { ...EVENTS['reload success']!, appName: '', user: '', host: '', execution: null, scriptLog: null }
    const written = line(event)
    expect(written).not.toMatch(/undefined|null|NaN/)
    expect(written).not.toMatch(/,app_name=|,user=|,host=|task_execut/)
    expect(written).toContain('scriptLog="Script log not available",task_scriptLogHeadCount=0,task_scriptLogSize=0')
  })

  test('a distribution without an app has no app tags, whatever its message said', () => {
    const event = EVENTS['distribute failed']!
    const written = line({ ...event, appId: 'x', appName: 'y', task: { ...event.task!, app: null } })
    expect(written).not.toMatch(/app_id|app_name/)
  })

  test('an execution that never started has dashes for times', () => {
    const never = '1753-01-01T00:00:00.000Z'
    const event = EVENTS['preload success']!
    const { fields } = pointOf({ ...event, execution: { ...event.execution!, startTime: never } })
    expect(JSON.parse(String(fields.task_executionStartTime_json))).toEqual({
      startTimeUTC: '-',
      startTimeLocal1: '-',
      startTimeLocal2: '-',
      startTimeLocal3: '-',
      startTimeLocal4: '-',
      startTimeLocal5: '-',
    })
  })
})

describe('failed tasks other than reloads', () => {
  test.each(['externalProgram', 'userSync', 'distribute', 'preload'])(
    '%s: node, status and duration when Qlik Sense knows them',
    (type) => {
      const { execution } = EVENTS['userSync success']!
      const point = pointOf({ ...EVENTS[`${type} failed`]!, execution: { ...execution!, status: 8 } })
      expect(point.tags).toMatchObject({
        task_executingNodeName: 'pro2-win1.lab.company.net',
        task_executionStatusNum: 8,
        task_exeuctionStatusText: 'FinishedFail',
        task_executionStatusText: 'FinishedFail',
      })
      expect(point.fields.task_executionDuration_sec).toBe(41)
    },
  )
})

describe('the script log', () => {
  const event = EVENTS['reload success']!
  const success = (written: object) =>
    pointOf(event, influxConfig({ reloadTaskSuccess: { enable: true, allReloadTasks: { enable: true }, ...written } }))

  test('is neither fetched nor stored for successful reloads unless lines are asked for', () => {
    const { fields } = success({})
    expect(fields).not.toHaveProperty('scriptLog')
    expect(fields).not.toHaveProperty('reload_log')
    expect(fields).toMatchObject({ task_scriptLogHeadCount: 0, task_scriptLogTailCount: 0 })
    const config = influxConfig({ reloadTaskSuccess: { enable: true, allReloadTasks: { enable: true } } })
    expect(sectionOf(event, config).needs).not.toContain('scriptLog')
  })

  test.each([
    [
      { headScriptLogLines: 1 },
      '---------- SCRIPT LOG HEAD (1 lines) ----------\r\n20231216T060502.101+0100      Execution started.',
    ],
    [
      { tailScriptLogLines: 1 },
      '---------- SCRIPT LOG TAIL (1 lines) ----------\r\n20231216T060514.980+0100      Execution finished.',
    ],
  ])('%j: only that part', (counts, end) => {
    const text = String(success(counts).fields.scriptLog)
    expect(text.endsWith(`FinishedSuccess\n\r\n${end}`)).toBe(true)
    expect(text.match(/SCRIPT LOG/g)).toHaveLength(1)
  })

  test('is cut to what the database takes, keeping the end, never inside a character', () => {
    const lines = Array.from({ length: 2000 }, (_, index) => `${index} ${'ä€😀'.repeat(9)}`)
    const big = { ...EVENTS['reload failed']!, scriptLog: scriptLog(lines) }
    const { fields } = pointOf(big, influxConfig({ reloadTaskFailure: { enable: true, tailScriptLogLines: 2000 } }))
    const text = String(fields.reload_log)
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65_000)
    expect(Buffer.byteLength(text)).toBeGreaterThan(64_990)
    expect(text).not.toContain('�')
    expect(text.endsWith(lines.at(-1)!)).toBe(true)
    expect(fields.scriptLog).toBe(text)
  })

  test('Qlik Sense has none: size 0, the details stand alone', () => {
    const { fields } = pointOf({ ...EVENTS['reload failed']!, scriptLog: null })
    expect(fields).toMatchObject({ task_scriptLogSize: 0, task_scriptLogTailCount: 3 })
    expect(String(fields.reload_log)).toEndWith(`FinishedFail\n\r\n${'-'.repeat(31)}\r\n\r\n`)
  })
})

describe('routes', () => {
  const names = (config: Parameters<typeof influxRules>[0]) => influxRules(config).map(({ name }) => name)

  test('one per section that is on', () => {
    expect(names(influxConfig())).toEqual([
      'butler.influxDb.reloadTaskFailure',
      'butler.influxDb.reloadTaskSuccess',
      'butler.influxDb.externalProgramTaskFailure',
      'butler.influxDb.externalProgramTaskSuccess',
      'butler.influxDb.userSyncTaskFailure',
      'butler.influxDb.userSyncTaskSuccess',
      'butler.influxDb.distributeTaskFailure',
      'butler.influxDb.distributeTaskSuccess',
      'butler.influxDb.preloadTaskFailure',
      'butler.influxDb.preloadTaskSuccess',
    ])
    expect(names(influxConfig({ enable: false }))).toEqual([])
    expect(names(influxConfig({ reloadTaskSuccess: { enable: true } }))).not.toContain(
      'butler.influxDb.reloadTaskSuccess',
    )
  })

  test('aborted tasks of no type, unless that is asked for; then of all, like failed ones', () => {
    const aborted = influxRules(influxConfig()).filter(({ when }) => when.outcomes.includes('aborted'))
    expect(aborted).toEqual([])
    const sections = influxSections(influxConfig({ distributeTaskFailure: { enable: false } }, true))
    expect(sections.filter(({ outcome }) => outcome === 'aborted').map(({ measurement }) => measurement)).toEqual([
      'reload_task_aborted',
      'external_program_task_aborted',
      'user_sync_task_aborted',
      'distribute_task_aborted',
      'preload_task_aborted',
    ])
    const event: TaskEvent = { ...EVENTS['reload failed']!, outcome: 'aborted' }
    const written = plain(line(event, influxConfig({}, true)))
    expect(written.replace('reload_task_aborted', 'reload_task_failed')).toBe(
      LINES['reload failed'].replace('butler_instance=prod-1,', ''),
    )
  })

  test('test events are never written', () => {
    for (const route of influxRules(influxConfig({}, true))) {
      expect(route.plan({ ...EVENTS['reload failed']!, test: true })).toEqual([])
    }
  })

  const marked = { enable: true, customPropertyName: 'Store', enabledValue: 'Yes' }
  const property = (value: string) => [{ value, definition: { id: 'd', name: 'Store' } }]
  const success = EVENTS['reload success']!

  test.each([
    ['the value', property('Yes'), undefined],
    ['several values', [...property('No'), ...property('Yes')], undefined],
    ['another value', property('yes'), 'CUSTOM_PROPERTY'],
    ['no property', [], 'CUSTOM_PROPERTY'],
  ])('by custom property, %s', (_, customProperties, reason) => {
    const config = influxConfig({ reloadTaskSuccess: { enable: true, byCustomProperty: marked } })
    const route = influxRules(config).find(({ name }) => name === 'butler.influxDb.reloadTaskSuccess')
    const planned = route?.plan({ ...success, task: { ...success.task!, customProperties } })
    expect(planned?.map(({ suppress }) => suppress?.reason)).toEqual([reason as 'CUSTOM_PROPERTY'])
  })

  test('all reloads wins over the custom property', () => {
    const config = influxConfig({
      reloadTaskSuccess: { enable: true, allReloadTasks: { enable: true }, byCustomProperty: marked },
    })
    const route = influxRules(config).find(({ name }) => name === 'butler.influxDb.reloadTaskSuccess')
    expect(route?.plan(success)).toEqual([{ target: 'reload_task_success', lane: 'influxdb' }])
  })
})
