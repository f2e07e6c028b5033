import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { type SlackSettings, slackMessage } from '../../../../src/alerts/destinations/slack.ts'
import { sampleEvent } from '../../../../src/alerts/sample-event.ts'
import { type ContextDelivery, templateContext } from '../../../../src/alerts/template-context.ts'
import type { EventOutcome, EventType, TaskEvent } from '../../../../src/events/types.ts'
import { CONTEXT, fullEvent, NASTY_NAME, nastyEvent, scriptLog, templateEngine } from '../../../support/alerts.ts'
import { taskEvent } from '../../../support/events.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { slackFaults } from '../../../support/slack-blocks.ts'
import { repositoryRoot } from '../../../support/source.ts'
import { tempDirectory } from '../../../support/temp.ts'

const SETTINGS: SlackSettings = {
  name: 'Butler.slackNotification.reloadTaskFailure',
  messageType: 'formatted',
  basicMsgTemplate: 'Qlik Sense reload failed: "{{taskName}}"',
  templateFile: '',
  channel: 'sense-task-failure',
  fromUser: 'Qlik Sense',
  iconEmoji: ':ghost:',
}
const USER_TEMPLATE = `${repositoryRoot}/test/fixtures/templates/slack-user.handlebars`

interface Options {
  readonly settings?: Partial<SlackSettings>
  readonly lines?: number
  readonly delivery?: ContextDelivery
  readonly more?: object
}

async function made(event: TaskEvent, { settings = {}, lines = 3, delivery = {}, more = {} }: Options = {}) {
  const log = recordingLog()
  const record = templateContext(event, CONTEXT, { headLines: 0, tailLines: lines }, 'slash', delivery)
  const deps = { engine: templateEngine(['/']), log }
  const message = await slackMessage(deps, { ...SETTINGS, ...settings }, { ...record, ...more })
  return { ...message, log, json: JSON.stringify(message.body) }
}

interface Block {
  readonly type: string
  readonly text?: { readonly text: string }
  readonly fields?: readonly { readonly text: string }[]
  readonly elements?: readonly { readonly text: { readonly text: string } | string; readonly url?: string }[]
}
const blocksOf = (body: unknown) => (body as { blocks: readonly Block[] }).blocks

describe('a formatted message', () => {
  test('of a failed reload', async () => {
    const event = fullEvent({
      scriptLog: scriptLog([
        '2025-10-14 09:24:31      Execution started.',
        '2025-10-14 09:28:42  0042 LOAD * FROM [lib://Src/orders.qvd] (qvd)',
        "2025-10-14 09:28:43  Error: Field 'Amount' not found <orders>",
        '2025-10-14 09:28:43  Execution Failed',
      ]),
    })
    const { body } = await made(event)
    expect(body).toEqual({
      username: 'Qlik Sense',
      channel: 'sense-task-failure',
      icon_emoji: ':ghost:',
      text: 'Reload failed: Sales DW - hourly',
      blocks: [
        { type: 'header', text: { type: 'plain_text', text: 'Reload failed: Sales DW - hourly' } },
        {
          type: 'section',
          fields: [
            {
              type: 'mrkdwn',
              text: '*App*\n<https://qs.acme.example/sense/app/a1000000-0000-4000-8000-000000000002|Sales DW>',
            },
            { type: 'mrkdwn', text: '*Owner*\nAnna Larsson (ACME/anna)' },
            { type: 'mrkdwn', text: '*Node*\nqs-sched-2' },
            { type: 'mrkdwn', text: '*Result*\nFinishedFail (8)' },
            { type: 'mrkdwn', text: '*Started*\n2025-10-14 09:24:31 Europe/Stockholm' },
            { type: 'mrkdwn', text: '*Duration*\n0h 4m 12s' },
          ],
        },
        {
          type: 'section',
          text: {
            type: 'mrkdwn',
            text: "Last 3 of 4 log rows:\n```2025-10-14 09:28:42  0042 LOAD * FROM [lib://Src/orders.qvd] (qvd)\n2025-10-14 09:28:43  Error: Field 'Amount' not found &lt;orders&gt;\n2025-10-14 09:28:43  Execution Failed```",
          },
        },
        {
          type: 'actions',
          elements: [
            {
              type: 'button',
              text: { type: 'plain_text', emoji: true, text: 'Open QMC' },
              style: 'primary',
              url: 'https://qs.acme.example/qmc',
            },
            {
              type: 'button',
              text: { type: 'plain_text', emoji: true, text: 'Runbook' },
              url: 'https://wiki.acme.example/reloads?a=1&b=2',
            },
          ],
        },
      ],
    })
    expect(slackFaults(body)).toEqual([])
  })

  const KINDS: readonly (readonly [EventType, EventOutcome])[] = [
    ...(['reload', 'externalProgram', 'userSync', 'distribute', 'preload'] as const).flatMap((type) =>
      (['failed', 'aborted', 'success', 'late', 'stuck', 'neverStarted'] as const).map(
        (outcome) => [type, outcome] as const,
      ),
    ),
    ['cloudReload', 'failed'],
    ['service', 'stopped'],
    ['service', 'started'],
    ['service', 'unreachable'],
    ['license', 'expiring'],
    ['license', 'expired'],
    ['self', 'raised'],
    ['self', 'cleared'],
  ]
  test.each(KINDS)('of %s %s obeys the rules of Slack', async (type, outcome) => {
    const { body, plain, log } = await made(sampleEvent('x', outcome, 0, type))
    expect(slackFaults(body)).toEqual([])
    expect(slackFaults(plain)).toEqual([])
    expect(log.of('error')).toEqual([])
    expect(JSON.stringify(body)).toContain('[TEST] ')
  })

  test('says what is special about this one', async () => {
    const chain = {
      root: { id: 't', name: 'Load' },
      downstream: [{ id: 'd', name: 'Publish <x>', usualStart: null }],
    }
    const event = fullEvent({
      history: { consecutiveFailures: 3, lastSuccessAt: Date.parse('2025-10-13T07:00:00.000Z') },
      retry: { attempt: 1, max: 3, nextAt: null, refused: null },
      missingParts: ['owner'],
    })
    const { body } = await made(event, { delivery: { suppressed: 9, note: { chain } } })
    const context = blocksOf(body).find(({ type }) => type === 'context')!
    expect(context.elements![0]!.text).toBe(
      [
        'Try 1 of 3',
        'Failures in a row: 3',
        'Last success: 2025-10-13 09:00:00 Europe/Stockholm',
        'Will not run: Publish &lt;x&gt;',
        'Alerts held back since the last message: 9',
        'Not available when this was sent: app owner',
      ].join(' · '),
    )
    expect(slackFaults(body)).toEqual([])
  })

  test('with a text of its own has that instead of facts and script log', async () => {
    const { body } = await made(fullEvent(), { more: { customText: 'Look at <this> & that' } })
    expect(blocksOf(body).map(({ type }) => type)).toEqual(['header', 'section', 'actions'])
    expect(blocksOf(body)[1]!.text!.text).toBe('Look at &lt;this&gt; &amp; that')
  })

  test('of which only the datagram is known', async () => {
    const event = taskEvent({ missingParts: ['task', 'app', 'owner', 'execution', 'scriptLog'] })
    const { body, json } = await made(event)
    expect(slackFaults(body)).toEqual([])
    expect(json).toContain('Max retries reached')
    expect(json).toContain('Not available when this was sent: task details, app details')
  })
})

describe('data that are hard to write', () => {
  test('names, paths and quotes arrive as they are', async () => {
    const { body, log } = await made(nastyEvent(), { lines: 5 })
    expect(slackFaults(body)).toEqual([])
    expect(log.of('error')).toEqual([])
    expect(blocksOf(body)[0]!.text!.text).toBe('Reload failed: A "B" &amp; &lt;C&gt; \\D')
    const text = blocksOf(body).find(({ text }) => text?.text.includes('log rows'))!.text!.text
    expect(text).toContain('\t4999 LOAD "x" &amp; \'y\' &lt;z&gt; FROM C:\\new\\temp\\4999.qvd;')
    expect(text.split('\n')).toHaveLength(6)
  })

  test('a script log that is too long is cut at whole lines and says so', async () => {
    const { body } = await made(nastyEvent(), { lines: 5000 })
    expect(slackFaults(body)).toEqual([])
    const { text } = blocksOf(body).find((block) => block.text?.text.includes('log rows'))!.text!
    expect(text.length).toBeGreaterThan(2500)
    expect(text.length).toBeLessThanOrEqual(3000)
    expect(text).toStartWith('Last 5000 of 5000 log rows:\n```----Script log truncated by Butler----\n2025-10-14')
    expect(text).toContain('4999.qvd')
  })

  test('a single line that is too long is cut as well', async () => {
    const { body } = await made(fullEvent({ scriptLog: scriptLog([`${'<&>'.repeat(3000)}end`]) }))
    expect(slackFaults(body)).toEqual([])
  })

  test('names of any length', async () => {
    const long = '<&"\\🤪'.repeat(400)
    const { body } = await made(fullEvent({ taskName: long, appName: long, logMessage: long, scriptLog: null }))
    expect(slackFaults(body)).toEqual([])
  })
})

describe("a user's template", () => {
  const settings = { templateFile: USER_TEMPLATE }

  test('works unchanged, with real line breaks and mentions of its own', async () => {
    const { body, log } = await made(fullEvent(), { settings })
    expect(slackFaults(body)).toEqual([])
    expect(log.of('error')).toEqual([])
    const blocks = blocksOf(body)
    expect(blocks[0]!.text!.text).toBe('Reload failed: Sales DW - hourly')
    expect(blocks[1]!.fields![1]!.text).toBe(
      '*App*\n<https://qs.acme.example/sense/app/a1000000-0000-4000-8000-000000000002|Sales DW>',
    )
    expect(blocks[2]!.text!.text).toStartWith('<!here> ```2025-10-14T07:24:31.120Z\tChanging task state to Triggered\n')
    expect(blocks.at(-1)!.elements!.map(({ url }) => url)).toEqual([
      'https://qs.acme.example/qmc',
      'https://wiki.acme.example/reloads?a=1&b=2',
    ])
  })

  test('survives backslashes and quotes in names, messages and execution details', async () => {
    const { body, log } = await made(nastyEvent(), { settings, lines: 5000 })
    expect(log.of('error')).toEqual([])
    expect(blocksOf(body)[0]!.text!.text).toBe('Reload failed: A "B" &amp; &lt;C&gt; \\D')
    const details = blocksOf(body)[2]!.text!.text
    expect(details).toContain('Start by "ACME\\user" &lt;x&gt; &amp; more')
    for (const { text } of blocksOf(body)) expect(text?.text.length ?? 0).toBeLessThanOrEqual(3000)
  })

  test('is told what it does not say', async () => {
    const { body } = await made(fullEvent({ missingParts: ['owner'] }), { settings, delivery: { suppressed: 9 } })
    expect(blocksOf(body).at(-1)).toEqual({
      type: 'context',
      elements: [
        {
          type: 'mrkdwn',
          text: 'Alerts held back since the last message: 9 · Not available when this was sent: app owner',
        } as never,
      ],
    })
  })

  const BROKEN: readonly (readonly [string, string, string])[] = [
    ['is not closed', 'bad.handlebars', '{ "text": "{{#if taskName}}x" }'],
    ['uses an unknown helper', 'bad.handlebars', '{ "text": "{{shout taskName}}" }'],
    ['throws', 'bad.eta', '{ "text": "<%= it.nothing.there %>" }'],
    ['makes no JSON', 'bad.handlebars', '{\n  "text": "{{taskName}}" "x"\n}'],
    ['makes a list', 'bad.handlebars', '[1]'],
  ]
  test.each(BROKEN)('that %s makes a basic message with the reason', async (_what, name, text) => {
    const directory = tempDirectory()
    const file = directory.join(name)
    writeFileSync(file, text)
    const { body, log } = await made(fullEvent(), { settings: { templateFile: file } })
    directory.remove()
    expect(slackFaults(body)).toEqual([])
    expect(blocksOf(body)[0]!.text!.text).toBe('Qlik Sense reload failed: "Sales DW - hourly"')
    expect(JSON.stringify(body)).toContain('Template error: ')
    expect(log.of('error')).toContainEqual(expect.stringContaining(name))
  })

  test('that makes no JSON is told with line and column', async () => {
    const directory = tempDirectory()
    const file = directory.join('bad.handlebars')
    writeFileSync(file, '{\n  "text": "{{taskName}}" "x"\n}')
    const { log } = await made(fullEvent(), { settings: { templateFile: file } })
    directory.remove()
    expect(log.of('error')).toContainEqual(expect.stringContaining('bad.handlebars (rendered):2:31'))
  })

  test('that is gone makes the built-in message and a warning', async () => {
    const { body, log } = await made(fullEvent(), { settings: { templateFile: '/nowhere/x.handlebars' } })
    expect(blocksOf(body)[0]!.text!.text).toBe('Reload failed: Sales DW - hourly')
    expect(log.of('warn')).toContainEqual(expect.stringContaining('there is no template "/nowhere/x.handlebars"'))
  })

  test('may set sender and text itself', async () => {
    const directory = tempDirectory()
    const file = directory.join('own.handlebars')
    writeFileSync(file, '{"channel": "#other", "text": "{{{user}}} & <@U123> {{appName}}"}')
    const { body } = await made(fullEvent({ appName: '<x>' }), { settings: { templateFile: file } })
    directory.remove()
    expect(body).toEqual({
      username: 'Qlik Sense',
      channel: '#other',
      icon_emoji: ':ghost:',
      text: 'ACME/svc-qlik & <@U123> &lt;x&gt;',
    })
  })
})

describe('a basic message', () => {
  const settings = { messageType: 'basic' } as const
  const button = (text: string, url: string) => ({
    type: 'button',
    text: { type: 'plain_text', emoji: true, text },
    style: 'primary',
    url,
  })

  test('is the line of the configuration and two buttons', async () => {
    const { body } = await made(fullEvent(), { settings })
    expect(body).toEqual({
      username: 'Qlik Sense',
      channel: 'sense-task-failure',
      icon_emoji: ':ghost:',
      text: 'Qlik Sense reload failed: "Sales DW - hourly"',
      blocks: [
        { type: 'header', text: { type: 'plain_text', text: 'Qlik Sense reload failed: "Sales DW - hourly"' } },
        { type: 'divider' },
        {
          type: 'actions',
          elements: [
            button('Open QMC', 'https://qs.acme.example/qmc'),
            button('Open Hub', 'https://qs.acme.example/hub'),
          ],
        },
      ],
    })
    expect(slackFaults(body)).toEqual([])
  })

  test('has no entities and is cut to 150 characters', async () => {
    const { body } = await made(fullEvent({ taskName: NASTY_NAME }), { settings })
    expect(blocksOf(body)[0]!.text!.text).toBe(`Qlik Sense reload failed: "${NASTY_NAME}"`)
    const long = await made(fullEvent({ taskName: 'x'.repeat(500) }), { settings })
    expect(blocksOf(long.body)[0]!.text!.text).toHaveLength(150)
    expect(slackFaults(long.body)).toEqual([])
  })

  test('without addresses has no buttons', async () => {
    const { body } = await made(fullEvent(), { settings, more: { qlikSenseQMC: '', qlikSenseHub: 'nonsense' } })
    expect(blocksOf(body).map(({ type }) => type)).toEqual(['header', 'divider'])
  })

  test('with a broken line has the title of the event', async () => {
    const { body } = await made(fullEvent(), { settings: { ...settings, basicMsgTemplate: '{{#if' } })
    expect(blocksOf(body)[0]!.text!.text).toBe('Reload failed: Sales DW - hourly')
  })
})
