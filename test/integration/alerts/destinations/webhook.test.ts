/** What only webhooks have: templates, signatures. */
import { afterEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { signature } from '../../../../src/alerts/destinations/webhook.ts'
import { DELIVERY_ID, exampleEvent, inputFor, namedDestination } from '../../../support/named.ts'
import { closeSinks, folder, sinkThat } from '../../../support/named-sinks.ts'

afterEach(closeSinks)

describe('webhook', () => {
  const url = 'https://hooks.acme.example/in'

  test('signs as Standard Webhooks says', () => {
    const made = signature(
      'whsec_Zm9vdG1hbiBkb2N1bWVudGF0aW9uIHNhbXBsZQ==',
      '019cad24-c0ec-7b7c-b06b-c8fb46460cb1',
      1772431393,
      '{"hello":"footman"}',
    )
    expect(made).toEqual({
      'webhook-id': '019cad24-c0ec-7b7c-b06b-c8fb46460cb1',
      'webhook-timestamp': '1772431393',
      'webhook-signature': 'v1,53EGeELSAYxaiWNRSms3KYUN5TJ4rxvV6SJBw4kNx/o=',
    })
  })

  test('sends what a template makes, signed, with own method, headers and content type', async () => {
    const sink = await sinkThat({ status: 200 })
    const signingSecret = 'whsec_Zm9vdG1hbiBkb2N1bWVudGF0aW9uIHNhbXBsZQ=='
    const settings = { url, method: 'PUT', headers: { 'X-Team': 'bi' }, body: '{"task":"{{taskName}}"}', signingSecret }
    const clock = { now: () => 1_772_431_393_999 }
    const { send } = namedDestination({ type: 'webhook', ...settings }, { sink, deps: { clock } })
    await send(inputFor(exampleEvent({ taskName: 'A "B" \\ C' })))
    const [request] = sink.requests
    expect(request).toMatchObject({ method: 'PUT', body: '{"task":"A \\"B\\" \\\\ C"}' })
    expect(request!.headers).toMatchObject({
      'x-team': 'bi',
      'content-type': 'application/json',
      ...signature(signingSecret, DELIVERY_ID, 1_772_431_393, request!.body),
    })
  })

  test('a summary is about none of the things that it sums up', async () => {
    const sink = await sinkThat()
    const summary = {
      title: 'Maintenance sunday-patching is over',
      lines: ['Sales ETL hourly: 3 failed', 'Report: 1 failed'],
    }
    const input = inputFor(exampleEvent(), { kind: 'summary', note: { summary }, severity: 'info' })
    await namedDestination({ type: 'webhook', url }, { sink }).send(input)
    expect(JSON.parse(sink.requests[0]!.body)).toMatchObject({
      version: 1,
      kind: 'summary',
      type: null,
      outcome: null,
      severity: 'info',
      key: 'footman:summary:finance-ops',
      title: summary.title,
      text: summary.lines.join('\n'),
      host: '',
      user: '',
      message: '',
      task: null,
      app: null,
      execution: null,
      consecutiveFailures: 0,
      missingParts: [],
      links: [],
    })
  })

  test('a fallback is about the event of the alert that did not get through', async () => {
    const sink = await sinkThat()
    const input = inputFor(exampleEvent(), { kind: 'fallback', note: { failedDestination: 'on-call' } })
    await namedDestination({ type: 'webhook', url }, { sink }).send(input)
    const sent = JSON.parse(sink.requests[0]!.body) as { readonly text: string }
    expect(sent).toMatchObject({ kind: 'fallback', outcome: 'failed', task: { name: 'Financial Dashboard Reload' } })
    expect(sent.text).toContain('on-call')
  })

  test('plain text needs no escaping', async () => {
    const sink = await sinkThat()
    const settings = { url, contentType: 'text/plain', body: '{{title}} <{{task.id}}>' }
    await namedDestination({ type: 'webhook', ...settings }, { sink }).send(
      inputFor(exampleEvent({ taskName: 'A "B"' })),
    )
    expect(sink.requests[0]!.body).toBe('Reload failed: A "B" <a8b4c123-def4-5678-9abc-def012345678>')
  })

  test.each([
    [
      'broken JSON',
      '{"task":{{taskName}} }',
      /\nTemplate error: body of destination place \(rendered\):1:9: the rendered text is not valid JSON$/,
    ],
    ['a template that throws', '<%= it.no.such %>', /\nTemplate error: body of destination place/],
  ])('%s: the whole event, which says so', async (_, body, problem) => {
    const sink = await sinkThat()
    const { send, log } = namedDestination({ type: 'webhook', url, body }, { sink })
    const { result } = await send(inputFor(exampleEvent()))
    expect(result.outcome).toBe('delivered')
    const sent = JSON.parse(sink.requests[0]!.body) as { readonly version: number; readonly text: string }
    expect(sent.version).toBe(1)
    expect(sent.text).toMatch(problem)
    expect(log.of('error')[0]).toMatch(/Template error/)
  })

  test('a template file', async () => {
    const directory = folder()
    writeFileSync(
      directory.join('ticket.eta'),
      '{"summary": "<%= it.title %>", "again": <%= it.consecutiveFailures %>}',
    )
    const sink = await sinkThat()
    const settings = { type: 'webhook', url, template: 'ticket.eta' } as const
    await namedDestination(settings, { sink, directories: [directory.path] }).send(inputFor(exampleEvent()))
    expect(JSON.parse(sink.requests[0]!.body)).toEqual({
      summary: 'Reload failed: Financial Dashboard Reload',
      again: 2,
    })
  })

  test('retry, chain and what is not of this kind of event', async () => {
    const sink = await sinkThat()
    const { send } = namedDestination({ type: 'webhook', url }, { sink })
    const retry = { attempt: 2, max: 3, nextAt: Date.parse('2026-03-02T06:08:11.520Z'), refused: null }
    const chain = {
      root: { id: '1', name: 'Root' },
      downstream: [{ id: '2', name: 'Next', usualStart: '2026-03-02T06:30:00.000Z' }],
    }
    const empty = { taskId: '', appId: '', executionId: '', task: null, app: null, execution: null }
    await send(inputFor(exampleEvent({ retry, ...empty }), { note: { chain }, suppressed: 4 }))
    expect(JSON.parse(sink.requests[0]!.body)).toMatchObject({
      task: null,
      app: null,
      execution: null,
      suppressedCount: 4,
      retry: { attempt: 2, max: 3, nextAt: '2026-03-02T06:08:11.520Z' },
      chain,
    })
  })
})
