/** The main features of Footman, on any runtime: events to alerts, data that outlasts a kill, schedules, logs, a stop. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { parse } from 'yaml'
import { runToEnd } from './binary.ts'
import { type Footman, footman } from './footman.ts'
import type { Host } from './host.ts'
import { type HttpSink, startHttpSink } from './http-sink.ts'
import { startSite, type TestSite } from './simulator.ts'
import { type TempDirectory, tempDirectory } from './temp.ts'
import { until } from './wait.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'

/** Every day but Sundays. */
const MON_TO_SAT = `BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20240101
RRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA
END:VEVENT
END:VCALENDAR
`.replaceAll('\n', '\r\n')

export interface SmokeSettings {
  readonly name: string
  readonly host: () => Promise<Host>
  /** Between the names of a path. */
  readonly separator: '/' | '\\'
}

/** Declares the tests. */
export function smokeTests({ name, host: hostOf, separator }: SmokeSettings): void {
  const path = (...names: readonly string[]): string => names.join(separator)

  describe(`${name} with a configuration`, () => {
    let site: TestSite
    let sink: HttpSink
    let product: Footman
    let logs: TempDirectory

    beforeAll(async () => {
      const host = await hostOf()
      logs = tempDirectory(host.directoryIn)
      ;[site, sink] = await Promise.all([startSite(), startHttpSink()])
      product = await footman({
        host,
        simulator: site.simulator,
        webhookUrl: `${sink.url}/hook`,
        config: {
          fileLogging: true,
          logDirectory: path(host.path(logs.path), 'footman'),
          scheduler: { enable: true, configfile: path('.', 'conf', 'schedule.yaml') },
          restServerEndpointsEnable: {
            keyValueStore: true,
            scheduler: {
              createNewSchedule: true,
              getSchedule: true,
              getScheduleStatusAll: true,
              updateSchedule: true,
              deleteSchedule: true,
              startSchedule: true,
              stopSchedule: true,
            },
          },
          footman: {
            dataDirectory: path('.', 'data'),
            calendars: { 'mon-to-sat': { file: path('.', 'mon-to-sat.ics') } },
          },
        },
      })
      writeFileSync(product.directory.join('mon-to-sat.ics'), MON_TO_SAT)
      await product.start()
    }, 120_000)
    afterAll(async () => {
      await product?.[Symbol.asyncDispose]()
      logs?.remove()
      await Promise.all([site?.[Symbol.asyncDispose](), sink?.stop()])
    })

    const json = async (method: string, path: string, body?: unknown) => {
      const answer = await product.call(method, path, body)
      const text = await answer.text()
      return [answer.status, text === '' ? null : JSON.parse(text)]
    }

    test('finds the configuration valid', async () => {
      const { command, args, env, path: pathOn } = await hostOf()
      const check = await runToEnd([...args, 'check', '-c', pathOn(product.configFile)], { command, env })
      expect(check).toEqual({ code: 0, stdout: expect.stringContaining(': valid, 0 errors,'), stderr: '' })
    })

    test('answers', async () => {
      expect(await json('GET', '/v4/butlerping')).toEqual([
        200,
        { response: 'Butler reporting for duty', butlerVersion: expect.any(String) },
      ])
    })

    test('a datagram becomes an alert with data of the QRS, asked over mutual TLS', async () => {
      site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 100 })
      site.simulator.runTask(TASK)
      const execution = await site.simulator.ended(TASK)
      const [call] = await sink.received(1, { timeout: 20_000 })
      expect(JSON.parse(call!.body)).toMatchObject({
        event: 'Qlik Sense reload failed',
        taskId: TASK,
        appOwnerUserId: 'anna',
        executionId: execution.executionID,
      })
    }, 90_000)

    test('starts a task', async () => {
      site.simulator.setTask(TASK, { outcome: 'success', durationMs: 100 })
      const ended = site.simulator.ended(TASK)
      const [status, body] = await json('POST', `/v4/reloadtask/${TASK}/start`, [])
      expect([status, body.tasksId.started]).toEqual([200, [{ taskId: TASK, taskName: 'Financial Dashboard Reload' }]])
      await ended
    })

    test('pairs and schedules are there after a kill, each where the configuration says', async () => {
      const pair = { key: 'k 1', value: 'Grüße\\n' }
      expect((await json('POST', '/v4/keyvalues/smoke', pair))[0]).toBe(201)
      const schedule = {
        name: 'Every day',
        cronSchedule: '0 6 * * *',
        timezone: 'Europe/Stockholm',
        qlikSenseTaskId: TASK,
        startupState: 'started',
        tags: [],
      }
      expect((await json('POST', '/v4/schedules', schedule))[0]).toBe(201)
      await product.process.kill9()
      const file = readFileSync(product.directory.join('conf', 'schedule.yaml'), 'utf8')
      expect(parse(file).butlerSchedule).toEqual([expect.objectContaining(schedule)])
      expect(readdirSync(product.directory.join('conf'))).toEqual(['schedule.yaml'])

      await product.start()
      expect(await json('GET', '/v4/keyvalues/smoke?key=k%201')).toEqual([200, { namespace: 'smoke', ...pair }])
      const [status, schedules] = await json('GET', '/v4/schedules')
      expect([status, schedules]).toEqual([
        200,
        [expect.objectContaining({ ...schedule, nextRun: expect.any(String) })],
      ])
      expect(readdirSync(product.directory.join('data'))).toEqual(expect.arrayContaining(['footman.db', 'journal.db']))
    }, 90_000)

    test('a calendar file keeps a schedule away from its days', async () => {
      const [status, { next }] = await json('POST', '/v4/schedules/preview', {
        cronSchedule: '0 6 * * *',
        timezone: 'UTC',
        notOn: ['mon-to-sat'],
        count: 5,
      })
      const weekdays = (next as string[]).map((at) => new Date(at).getUTCDay())
      expect([status, weekdays]).toEqual([200, [0, 0, 0, 0, 0]])
    })

    test('a schedule fires', async () => {
      const started = site.simulator.ended(TASK)
      const schedule = {
        name: 'Every second',
        cronSchedule: '* * * * * *',
        qlikSenseTaskId: TASK,
        startupState: 'started',
      }
      const [status, body] = await json('POST', '/v4/schedules', { ...schedule, timezone: 'UTC', tags: [] })
      expect(status).toBe(201)
      await started
      expect((await json('DELETE', `/v4/schedules/${body.id}`))[0]).toBe(204)
    }, 90_000)

    test('Ctrl+C stops it, with everything closed and logged', async () => {
      product.process.signal('SIGINT')
      expect(await product.process.ended).toEqual({ code: 0, signal: null })
      const [log, ...others] = readdirSync(logs.join('footman'))
      expect([log, others]).toEqual([expect.stringMatching(/^butler\.\d{4}-\d\d-\d\d\.log$/), []])
      await until(() => readFileSync(logs.join('footman', log!), 'utf8').includes('MAIN: Stopped'))
      expect(
        readdirSync(product.directory.join('data')).filter((name) => /^footman\.db-(wal|shm)$/.test(name)),
      ).toEqual([])
    })
  })
}
