/** ntfy, PagerDuty, Opsgenie, SIGNL4 and New Relic beyond the examples. */
import { afterEach, describe, expect, test } from 'bun:test'
import { DESTINATION_EXAMPLES } from '../../../support/destination-types.ts'
import { exampleEvent, inputFor, namedDestination, routeOf } from '../../../support/named.ts'
import { closeSinks, recovered, sinkThat } from '../../../support/named-sinks.ts'

afterEach(closeSinks)

describe('ntfy', () => {
  test('severities, recovery, user and password', async () => {
    const sink = await sinkThat()
    const settings = {
      type: 'ntfy',
      server: 'https://ntfy.acme.example/',
      topic: 't',
      username: 'u',
      password: 'p',
    } as const
    const { send, urls } = namedDestination(settings, { sink })
    await send(inputFor(exampleEvent(), { severity: 'critical' }))
    await send(inputFor(exampleEvent({ outcome: 'aborted' }), { severity: 'warning' }))
    await send(recovered())
    expect(urls[0]).toBe('https://ntfy.acme.example/')
    expect(sink.requests[0]!.headers.authorization).toBe(`Basic ${Buffer.from('u:p').toString('base64')}`)
    const sent = sink.requests.map(
      ({ body }) => JSON.parse(body) as { priority: number; tags: string[]; title: string },
    )
    expect(sent.map(({ priority, tags }) => [priority, ...tags])).toEqual([
      [5, 'rotating_light'],
      [3, 'warning'],
      [2, 'white_check_mark'],
    ])
    expect(sent[2]!.title).toBe('Reload recovered: Financial Dashboard Reload')
  })
})

describe('PagerDuty and Opsgenie', () => {
  test.each([
    ['pagerduty', 'us', 'https://events.pagerduty.com/v2/enqueue'],
    ['pagerduty', 'eu', 'https://events.eu.pagerduty.com/v2/enqueue'],
    ['opsgenie', 'eu', 'https://api.eu.opsgenie.com/v2/alerts'],
    ['opsgenie', 'jsm', 'https://api.atlassian.com/jsm/ops/integration/v2/alerts'],
  ] as const)('%s in %s', async (type, region, url) => {
    const { settings, success } = DESTINATION_EXAMPLES[type]!
    const { send, urls } = namedDestination({ ...settings, region }, { sink: await sinkThat(success) })
    await send(inputFor(exampleEvent()))
    expect(urls).toEqual([url])
  })

  test.each([
    ['critical', 'P1'],
    ['error', 'P2'],
    ['warning', 'P3'],
    ['info', 'P5'],
  ] as const)('severity %s is %s', async (severity, priority) => {
    const { settings, success } = DESTINATION_EXAMPLES.opsgenie!
    const sink = await sinkThat(success)
    const { send } = namedDestination({ ...settings, tags: ['own'] }, { sink })
    await send(inputFor(exampleEvent(), { severity }))
    expect(JSON.parse(sink.requests[0]!.body)).toMatchObject({ priority, tags: ['qlik', 'reload', 'failed', 'own'] })
  })
})

test('SIGNL4: an alert, and what closes it', async () => {
  const { settings, success } = DESTINATION_EXAMPLES.signl4!
  const sink = await sinkThat(success)
  const { send } = namedDestination(settings, { sink })
  await send(inputFor(exampleEvent(), { rule: routeOf({ texts: { body: 'Own words' } }) }))
  await send(recovered())
  const common = { 'X-S4-Service': 'Qlik Sense', 'X-S4-ExternalID': 'a8b4c123-def4-5678-9abc-def012345678' }
  expect(JSON.parse(sink.requests[0]!.body)).toEqual({
    Title: 'Reload failed: Financial Dashboard Reload',
    Message: 'Own words',
    Severity: 1,
    ...common,
    'X-S4-Status': 'new',
  })
  expect(JSON.parse(sink.requests[1]!.body)).toMatchObject({
    Title: 'Reload recovered: Financial Dashboard Reload',
    ...common,
    'X-S4-Status': 'resolved',
  })
})

describe('New Relic', () => {
  test('an event for every account, each in a lane of its own; one without key says why it gets nothing', async () => {
    const sink = await sinkThat({ status: 200 })
    const { destination, send, urls } = namedDestination({ type: 'newrelic', account: ['main', 'none'] }, { sink })
    expect(destination.targets(exampleEvent())).toEqual([
      { target: 'main (event)', lane: 'newrelic:main' },
      {
        target: 'none (event)',
        lane: 'newrelic:none',
        suppress: {
          reason: 'RECIPIENT_INVALID',
          detail: 'there is no New Relic account "none" with an insertApiKey in Butler.thirdPartyToolsCredentials',
        },
      },
    ])
    await send(inputFor(exampleEvent()))
    expect(urls).toEqual(['https://insights-collector.eu01.nr-data.net/v1/accounts/12345/events'])
    expect(sink.requests[0]!.headers['api-key']).toBe('newrelic-secret-1')
    const [event] = JSON.parse(sink.requests[0]!.body) as object[]
    expect(event).toMatchObject({
      version: '1.0.0',
      qs_taskName: 'Financial Dashboard Reload',
      eventType: 'qs_reloadTaskFailedEvent',
    })
  })

  test('a log entry with the last lines of the script log', async () => {
    const sink = await sinkThat({ status: 202 })
    const settings = { type: 'newrelic', account: ['main'], as: 'log', tailScriptLogLines: 1 } as const
    const { send, urls } = namedDestination(settings, { sink })
    await send(inputFor(exampleEvent()))
    expect(urls).toEqual(['https://log-api.eu.newrelic.com/log/v1'])
    const [{ logs }] = JSON.parse(sink.requests[0]!.body) as [{ logs: { message: string }[] }]
    expect(logs[0]!.message.endsWith('20260302T070310.804+0100      Execution finished.')).toBe(true)
  })
})
