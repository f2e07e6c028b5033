import { describe, expect, test } from 'bun:test'
import {
  createNewRelicDestination,
  type NewRelicConfig,
  newRelicRules,
} from '../../../../src/alerts/butler-sections/new-relic.ts'
import { ALL_ATTRIBUTES, newRelicLog } from '../../../../src/alerts/destinations/newrelic.ts'
import type { PlannedDelivery, Rule } from '../../../../src/alerts/types.ts'
import { butler } from '../../../../src/app/schema.ts'
import type { EventOutcome, TaskEvent } from '../../../../src/events/types.ts'
import { VERSION } from '../../../../src/platform/version.ts'
import { fullEvent, nastyEvent, renderInput, scriptLog } from '../../../support/alerts.ts'
import { APP_ID, TASK_ID, taskEvent } from '../../../support/events.ts'
import { recordingLog } from '../../../support/recording-log.ts'

const clock = { now: () => 0 }
describe('New Relic', () => {
  const destination = (kind: 'Event' | 'Log', more: object = {}) => ({
    enable: true,
    sendToAccount: {
      byCustomProperty: { enable: true, customPropertyName: `Butler_FailedTask_${kind}_NewRelicAccount` },
      always: { enable: true, account: ['First', 'Second'] },
    },
    attribute: {
      static: [{ name: 'environment', value: 'prod' }],
      dynamic: { useAppTags: true, useTaskTags: true },
    },
    ...more,
  })
  const reload = (event: object = {}, log: object = {}) => ({
    destination: {
      event: destination('Event', event),
      log: { ...destination('Log'), tailScriptLogLines: 2, ...log },
    },
    sharedSettings: {
      rateLimit: 15,
      header: [{ name: 'X-Test', value: '1' }],
      attribute: { static: [{ name: 'service', value: 'butler' }] },
    },
  })
  const service = (more: object = {}) => ({
    enable: true,
    sendToAccount: ['First'],
    attribute: { static: [{ name: 'environment', value: 'prod' }] },
    ...more,
  })

  function configured(newRelic: object = {}, more: object = {}) {
    return butler.parse({
      thirdPartyToolsCredentials: {
        newRelic: [
          { accountName: 'First', insertApiKey: 'secret-key-1', accountId: 111 },
          { accountName: 'Second', insertApiKey: 'secret-key-2', accountId: 222 },
          { accountName: 'Third', insertApiKey: 'secret-key-3', accountId: 333 },
        ],
      },
      serviceMonitor: { enable: true, alertDestination: { newRelic: { enable: true } } },
      incidentTool: {
        newRelic: {
          enable: true,
          url: { event: 'https://insights-collector.eu01.nr-data.net', log: 'https://log-api.eu.newrelic.com/log/v1' },
          reloadTaskFailure: reload(),
          reloadTaskAborted: reload({}, { tailScriptLogLines: 1 }),
          serviceMonitor: {
            destination: { event: service(), log: service() },
            sharedSettings: { rateLimit: 5, attribute: { static: [{ name: 'service', value: 'butler' }] } },
          },
          ...newRelic,
        },
      },
      ...more,
    })
  }

  const routeFor = (config: NewRelicConfig, { type, outcome }: TaskEvent): Rule =>
    newRelicRules(config).find(({ when }) => when.types.includes(type) && when.outcomes.includes(outcome))!
  const plan = (config: NewRelicConfig, event: TaskEvent) => routeFor(config, event).plan(event)
  const targets = (planned: readonly PlannedDelivery[]) =>
    planned.map(({ target, suppress }) => (suppress ? `${target}: ${suppress.reason}` : target))

  async function request(config: NewRelicConfig, event: TaskEvent, target: string) {
    const log = recordingLog()
    const route = routeFor(config, event)
    const message = await createNewRelicDestination({ clock, log }, config).render({
      ...renderInput(route, event),
      target,
    })
    return { ...(message.payload as { url: string; headers: object; body: string }), shown: message.body, log }
  }

  const withAccounts = (event: TaskEvent, ...values: readonly string[]): TaskEvent => {
    const properties = ['Event', 'Log'].flatMap((kind) =>
      values.map((value) => ({ value, definition: { id: kind, name: `Butler_FailedTask_${kind}_NewRelicAccount` } })),
    )
    return { ...event, task: { ...event.task!, customProperties: properties } }
  }

  test('an event about a failed reload', async () => {
    const { url, headers, body, shown } = await request(configured(), fullEvent(), 'First (event)')
    expect(url).toBe('https://insights-collector.eu01.nr-data.net/v1/accounts/111/events')
    expect(headers).toEqual({
      'Content-Type': 'application/json; charset=utf-8',
      'X-Test': '1',
      'Api-Key': 'secret-key-1',
    })
    expect(body).toBe(
      JSON.stringify([
        {
          service: 'butler',
          environment: 'prod',
          version: VERSION,
          qs_hostName: 'qs-prod-1',
          qs_user: 'ACME/svc-qlik',
          qs_taskName: 'Sales DW - hourly',
          qs_taskId: TASK_ID,
          qs_appName: 'Sales DW',
          qs_appId: APP_ID,
          qs_logTimeStamp: '2025-10-14 09:28:43,099',
          qs_logLevel: 'INFO',
          qs_executionId: 'e5000000-0000-4000-8000-000000000001',
          qs_logMessage: 'Max retries reached',
          qs_taskCp_taskGroup: 'finance',
          qs_taskCp_Butler_FailedAlertEnableEmail: 'Yes',
          'qs_taskTag_hourly-reload': 'true',
          qs_appTag_sales: 'true',
          timestamp: Date.parse('2025-10-14T07:28:43.200Z'),
          eventType: 'qs_reloadTaskFailedEvent',
        },
      ]),
    )
    expect(shown).not.toContain('secret-key')
  })

  test('a log entry about a failed reload', async () => {
    const { url, headers, body } = await request(configured(), fullEvent(), 'Second (log)')
    expect(url).toBe('https://log-api.eu.newrelic.com/log/v1')
    expect(headers).toMatchObject({ 'Api-Key': 'secret-key-2' })
    expect(body).toBe(
      JSON.stringify([
        {
          common: {
            attributes: {
              service: 'butler',
              environment: 'prod',
              version: VERSION,
              qs_hostName: 'qs-prod-1',
              qs_user: 'ACME/svc-qlik',
              qs_taskName: 'Sales DW - hourly',
              qs_taskId: TASK_ID,
              qs_appName: 'Sales DW',
              qs_appId: APP_ID,
              qs_logTimeStamp: '2025-10-14 09:28:43,099',
              qs_logLevel: 'INFO',
              qs_executionId: 'e5000000-0000-4000-8000-000000000001',
              qs_logMessage: 'Max retries reached',
              qs_taskCp_taskGroup: 'finance',
              qs_taskCp_Butler_FailedAlertEnableEmail: 'Yes',
              'qs_taskTag_hourly-reload': 'true',
              qs_appTag_sales: 'true',
              qs_executingNodeName: 'qs-sched-2',
              qs_executionStartTimeUTC: '2025-10-14T07:24:31.120Z',
              qs_executionStopTimeUTC: '2025-10-14T07:28:43.099Z',
              qs_executionDurationSeconds: 252,
              qs_executionStatusNum: 8,
              qs_exeuctionStatusText: 'FinishedFail',
              qs_executionStatusText: 'FinishedFail',
              qs_scriptLogSize: 48213,
              qs_scriptLogTailCount: 2,
              logtype: 'qs_reloadTaskFailedLog',
            },
          },
          logs: [
            {
              timestamp: Date.parse('2025-10-14T07:28:43.200Z'),
              message:
                "2025-10-14T07:24:31.120Z\tChanging task state to Triggered\n2025-10-14T07:28:43.099Z\tStarted to FinishedFail\n\r\n-------------------------------\r\n\r\n2025-10-14 09:28:43  0042 Error: Field 'Amount' not found\r\n2025-10-14 09:28:43      Execution Failed",
            },
          ],
        },
      ]),
    )
  })

  test('an aborted reload has its own names and its own number of log lines', async () => {
    const aborted = fullEvent({ outcome: 'aborted' })
    const event = await request(configured(), aborted, 'First (event)')
    expect(event.body).toContain('"eventType":"qs_reloadTaskAbortedEvent"')
    const [log] = JSON.parse((await request(configured(), aborted, 'First (log)')).body)
    expect(log.common.attributes).toMatchObject({ qs_scriptLogTailCount: 1, logtype: 'qs_reloadTaskAbortedLog' })
    expect(log.logs[0].message).toEndWith('\r\n\r\n2025-10-14 09:28:43      Execution Failed')
  })

  test('a log entry without script log', async () => {
    const { body } = await request(configured(), taskEvent(), 'First (log)')
    const [{ common, logs }] = JSON.parse(body)
    expect(logs[0].message).toBe('Script log not available for this reload task.')
    expect(Object.keys(common.attributes).filter((name) => name.startsWith('qs_exec'))).toEqual(['qs_executionId'])
  })

  test('a log entry without script log keeps what Qlik Sense tells of the execution, and says why', async () => {
    const details =
      '2025-10-14T07:24:31.120Z\tChanging task state to Triggered\n2025-10-14T07:28:43.099Z\tStarted to FinishedFail\n'
    const rule = '\r\n-------------------------------\r\n\r\n'
    const note = 'Script log not available for this reload task.'
    const missing = { scriptLog: null, missingParts: ['scriptLog'] } as const
    for (const [changes, text] of [
      [missing, note],
      [{ ...missing, missingReasons: { scriptLog: '403 Forbidden' } }, `${note} Qlik Sense answered 403 Forbidden.`],
    ] as const) {
      const { body } = await request(configured(), fullEvent(changes), 'First (log)')
      const [{ common, logs }] = JSON.parse(body)
      expect(logs[0].message).toBe(`${details}${rule}${text}`)
      expect(common.attributes).toMatchObject({ qs_executionStatusNum: 8, qs_scriptLogSize: 0 })
    }
  })

  test('values are texts and numbers only, within the limits of New Relic, and hold no more than the tail', async () => {
    const properties = Array.from({ length: 400 }, (_, i) => ({ value: `${i}`, definition: { id: '', name: `p${i}` } }))
    const event = nastyEvent({
      logMessage: 'x'.repeat(10_000),
      task: { ...fullEvent().task!, customProperties: properties },
    })
    const { body } = await request(configured(), event, 'First (log)')
    const [{ common, logs }] = JSON.parse(body)
    const values = Object.values(common.attributes as Record<string, unknown>)
    expect(values.filter((value) => !['string', 'number'].includes(typeof value))).toEqual([])
    expect(values).toHaveLength(254)
    expect(common.attributes.qs_logMessage).toHaveLength(4096)
    expect(common.attributes.logtype).toBe('qs_reloadTaskFailedLog')
    expect(logs[0].message).not.toContain('4997.qvd')
    expect(body.length).toBeLessThan(100_000)
  })

  test('several values of one custom property are one text', async () => {
    const event = withAccounts(fullEvent(), 'Second', 'Third')
    const { body } = await request(configured(), event, 'First (event)')
    expect(JSON.parse(body)[0].qs_taskCp_Butler_FailedTask_Event_NewRelicAccount).toBe('Second, Third')
  })

  test('accounts: fixed ones, those of the task, the older list, each once', () => {
    const config = configured({ destinationAccount: { event: ['Third', 'First'], log: [] } })
    expect(targets(plan(config, withAccounts(fullEvent(), 'Second', 'Third')))).toEqual([
      'First (event)',
      'Second (event)',
      'Third (event)',
      'First (log)',
      'Second (log)',
      'Third (log)',
    ])
  })

  test('byCustomProperty.enable: false is honoured', () => {
    const failure = reload()
    failure.destination.event.sendToAccount.byCustomProperty.enable = false
    const planned = plan(configured({ reloadTaskFailure: failure }), withAccounts(fullEvent(), 'Third'))
    expect(targets(planned)).toEqual(['First (event)', 'Second (event)', 'First (log)', 'Second (log)', 'Third (log)'])
  })

  test('an account without credentials stops none of the others', () => {
    const planned = plan(configured(), withAccounts(fullEvent(), 'Nobody', 'Third'))
    expect(targets(planned).slice(0, 4)).toEqual([
      'First (event)',
      'Second (event)',
      'Nobody (event): RECIPIENT_INVALID',
      'Third (event)',
    ])
  })

  test('an account in the configuration without credentials is told at the start', () => {
    const log = recordingLog()
    const failure = reload()
    failure.destination.event.sendToAccount.always.account = ['Gone']
    createNewRelicDestination({ clock, log }, configured({ reloadTaskFailure: failure }))
    expect(log.of('error')).toEqual([
      'NEW RELIC EVENT: New Relic account name "Gone" does not exist in the Butler config file.',
    ])
  })

  test('no account at all is said', () => {
    const empty = { ...destination('Event').sendToAccount, always: { enable: false, account: [] } }
    const failure = reload({ sendToAccount: empty }, { enable: false })
    expect(targets(plan(configured({ reloadTaskFailure: failure }), fullEvent()))).toEqual([
      '(no account) (event): NO_RECIPIENT',
    ])
  })

  test('windows: one per kind of message and task, shared by the accounts', () => {
    const keys = plan(configured(), fullEvent()).map(({ limit, lane }) => [lane, limit!.windowMs, limit!.key])
    const key = (kind: string) => `butler.incidentTool.newRelic.reloadTaskFailure|${kind}|failed|${TASK_ID}`
    expect(keys).toEqual([
      ['newrelic:First', 15_000, key('event')],
      ['newrelic:Second', 15_000, key('event')],
      ['newrelic:First', 15_000, key('log')],
      ['newrelic:Second', 15_000, key('log')],
    ])
  })

  test('each switch switches', () => {
    const off = { enable: false }
    expect(newRelicRules(configured()).map(({ name }) => name)).toEqual([
      'butler.incidentTool.newRelic.reloadTaskFailure',
      'butler.incidentTool.newRelic.reloadTaskAborted',
      'butler.incidentTool.newRelic.serviceMonitor',
    ])
    expect(newRelicRules(configured(off))).toEqual([])
    expect(targets(plan(configured({ reloadTaskFailure: reload(off) }), fullEvent()))).toEqual([
      'First (log)',
      'Second (log)',
    ])
    expect(newRelicRules(configured({}, { serviceMonitor: {} }))).toHaveLength(2)
  })

  describe('services', () => {
    const stopped = (outcome: EventOutcome = 'stopped') =>
      taskEvent({
        type: 'service',
        outcome,
        host: 'qs-prod-1',
        details: {
          kind: 'service',
          serviceName: 'QlikSenseEngineService',
          displayName: 'Qlik Sense Engine Service',
          friendlyName: 'Engine',
          status: outcome === 'started' ? 'RUNNING' : 'STOPPED',
          previousStatus: 'RUNNING',
          startType: 'Automatic',
          exePath: 'x',
          dependencies: [],
        },
      })

    test('event and log entry', async () => {
      const event = stopped()
      const fixed = '"service":"butler","environment":"prod"'
      const own =
        '"butler_serviceHost":"qs-prod-1","butler_serviceName":"QlikSenseEngineService","butler_serviceDisplayName":"Qlik Sense Engine Service","butler_serviceStatus":"STOPPED"'
      const time = `"timestamp":${event.receivedAt}`
      expect((await request(configured(), event, 'First (event)')).body).toBe(
        `[{${fixed},${own},${time},"eventType":"qs_serviceStateEvent"}]`,
      )
      expect((await request(configured(), event, 'First (log)')).body).toBe(
        `[{"common":{"attributes":{${fixed},${own},"logtype":"qs_serviceStateLog"}},"logs":[{${time},"message":"Windows service \\"Qlik Sense Engine Service\\" on host \\"qs-prod-1\\" is STOPPED."}]}]`,
      )
    })

    test('each attribute and each state has a switch', async () => {
      const dynamic = { serviceHost: false, serviceName: true, serviceDisplayName: false, serviceState: false }
      const event = service({ attribute: { static: [], dynamic } })
      const serviceMonitor = {
        destination: { event, log: service({ enable: false }) },
        monitorServiceState: { running: { enable: false } },
      }
      const config = configured({ serviceMonitor })
      const [sent] = JSON.parse((await request(config, stopped(), 'First (event)')).body)
      expect(Object.keys(sent)).toEqual(['butler_serviceName', 'timestamp', 'eventType'])
      expect(newRelicRules(config).at(-1)!.when.outcomes).toEqual(['stopped', 'unreachable'])
    })

    test('stop and start have windows of their own', () => {
      const keys = [stopped(), stopped('started')].map((event) => plan(configured(), event)[0]!.limit!.key)
      expect(new Set(keys).size).toBe(2)
    })
  })
})

test('a log of any length keeps a request to New Relic below 1 MB', () => {
  const event = fullEvent({ scriptLog: scriptLog(Array.from({ length: 50_000 }, (_, i) => `${i} ${'x'.repeat(60)}`)) })
  const settings = { attributes: [], dynamic: ALL_ATTRIBUTES, version: '1', tailScriptLogLines: 50_000 }
  expect(JSON.stringify(newRelicLog(event, settings)).length).toBeLessThan(1_000_000)
})
