/** Discord, Telegram, Slack, Teams, Mattermost and Google Chat beyond the examples. */
import { afterEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { DESTINATION_EXAMPLES } from '../../../support/destination-types.ts'
import type { HttpSink } from '../../../support/http-sink.ts'
import { exampleEvent, inputFor, namedDestination, routeOf } from '../../../support/named.ts'
import { closeSinks, folder, recovered, sinkThat } from '../../../support/named-sinks.ts'

afterEach(closeSinks)

describe('Discord', () => {
  const { settings, success } = DESTINATION_EXAMPLES.discord!

  test('colours', async () => {
    const sink = await sinkThat(success)
    const { send } = namedDestination(settings, { sink })
    for (const severity of ['critical', 'error', 'warning', 'info'] as const) {
      await send(inputFor(exampleEvent(), { severity }))
    }
    await send(recovered())
    const colours = sink.requests.map(
      ({ body }) => (JSON.parse(body) as { embeds: { color: number }[] }).embeds[0]!.color,
    )
    expect(colours).toEqual([10038562, 15158332, 15844367, 3447003, 3066993])
  })

  test('a text of the route stands alone, with the mark of its template when that fails', async () => {
    const sink = await sinkThat(success)
    const { send } = namedDestination(settings, { sink })
    await send(inputFor(exampleEvent(), { rule: routeOf({ texts: { body: 'Own words' } }) }))
    await send(inputFor(exampleEvent(), { rule: routeOf({ texts: { body: '{{#if}}' } }) }))
    const [own, failed] = sink.requests.map(
      ({ body }) => (JSON.parse(body) as { embeds: { description: string; fields: object[] }[] }).embeds[0]!,
    )
    expect(own).toMatchObject({ description: 'Own words', fields: [] })
    expect(failed!.fields).toHaveLength(5)
    expect(failed!.description).toMatch(/^Error: Cannot open[^\n]*\nTemplate error: body of rule finance-ops/)
  })

  test('no more than 25 messages a minute to one address, whichever destination sends them', async () => {
    let now = 1_000_000
    const sink = await sinkThat(success)
    const first = namedDestination(settings, { sink, deps: { clock: { now: () => now } } })
    const second = namedDestination(settings, { sink, deps: { clock: { now: () => now }, pacing: first.deps.pacing } })
    for (let n = 0; n < 25; n += 1) {
      const { result } = await (n % 2 ? first : second).send(inputFor(exampleEvent()))
      expect(result.outcome).toBe('delivered')
      now += 1000
    }
    expect([first.destination.ready?.(), second.destination.ready?.()]).toEqual([false, false])
    expect((await second.send(inputFor(exampleEvent()))).result).toEqual({
      outcome: 'retry',
      detail: 'at most 25 a minute',
      retryAfterMs: 35_000,
    })
    expect(sink.requests).toHaveLength(25)
    now += 35_000
    expect(first.destination.ready?.()).toBe(true)
    expect((await first.send(inputFor(exampleEvent()))).result.outcome).toBe('delivered')
  })

  test('after a 429 nothing is sent before its time, and the outbox is told when that has come', async () => {
    const sink = await sinkThat({ status: 429, body: '{"retry_after":0.05}' })
    const { destination, send } = namedDestination(settings, { sink })
    const told = new Promise<void>((resolve) => destination.onReady?.(resolve))
    await send(inputFor(exampleEvent()))
    expect(destination.ready?.()).toBe(false)
    await told
    expect(destination.ready?.()).toBe(true)
  })
})

describe('Telegram', () => {
  const { success } = DESTINATION_EXAMPLES.telegram!
  const settings = { type: 'telegram', botToken: '123:telegram-secret-1', chatId: -100 } as const
  const refusal = (description: string, parameters?: object) => ({
    status: 400,
    body: JSON.stringify({ ok: false, error_code: 400, description: `Bad Request: ${description}`, parameters }),
  })
  const bodies = (sink: HttpSink) => sink.requests.map(({ body }) => JSON.parse(body) as Record<string, unknown>)

  test('broken entities: the same words once more, as plain text', async () => {
    const sink = await sinkThat(success)
    sink.answerOnce(refusal("can't parse entities: unsupported start tag"))
    const { send } = namedDestination(settings, { sink })
    const { result } = await send(inputFor(exampleEvent({ taskName: 'A <b> & C' })))
    expect(result.outcome).toBe('delivered')
    const [first, second] = bodies(sink)
    expect(first).toMatchObject({
      parse_mode: 'HTML',
      text: expect.stringContaining('<b>Reload failed: A &lt;b&gt; &amp; C</b>'),
    })
    expect(second).not.toHaveProperty('parse_mode')
    expect(second!.text).toMatch(/^Reload failed: A <b> & C\nApp: Sales Dashboard\n/)
  })

  test('buttons that Telegram does not take: once more without them', async () => {
    const sink = await sinkThat(success)
    sink.answerOnce(refusal("inline keyboard button URL 'https://qs/qmc' is invalid: Wrong HTTP URL"))
    expect((await namedDestination(settings, { sink }).send(inputFor(exampleEvent()))).result.outcome).toBe('delivered')
    const [first, second] = bodies(sink)
    expect(first).toHaveProperty('reply_markup')
    expect(second).not.toHaveProperty('reply_markup')
  })

  test('a group that has moved: sent there, from then on at once, with one warning', async () => {
    const sink = await sinkThat(success)
    sink.answerOnce(refusal('group chat was upgraded', { migrate_to_chat_id: -100555 }))
    const { send, log } = namedDestination(settings, { sink })
    expect((await send(inputFor(exampleEvent()))).result.outcome).toBe('delivered')
    expect((await send(inputFor(exampleEvent()))).result.outcome).toBe('delivered')
    expect(bodies(sink).map(({ chat_id }) => chat_id)).toEqual([-100, -100555, -100555])
    expect(log.of('warn')).toEqual([
      'NOTIFY Telegram chat -100 is now -100555: set chatId of Butler.footman.destinations.place to it',
    ])
  })

  test('any other refusal is final, with its reason', async () => {
    const sink = await sinkThat(refusal('chat not found'))
    expect((await namedDestination(settings, { sink }).send(inputFor(exampleEvent()))).result).toEqual({
      outcome: 'rejected',
      detail: 'HTTP 400: Bad Request: chat not found',
    })
    expect(sink.requests).toHaveLength(1)
  })

  test('good news makes no sound; without a thread there is no thread', async () => {
    const sink = await sinkThat(success)
    await namedDestination(settings, { sink }).send(recovered())
    const [body] = bodies(sink)
    expect(body).toMatchObject({ disable_notification: true })
    expect(body).not.toHaveProperty('message_thread_id')
  })

  test('at most 20 messages a minute to one chat', async () => {
    const sink = await sinkThat(success)
    const { send } = namedDestination(settings, { sink, deps: { clock: { now: () => 1_000_000 } } })
    for (let n = 0; n < 20; n += 1) await send(inputFor(exampleEvent()))
    expect((await send(inputFor(exampleEvent()))).result).toMatchObject({ outcome: 'retry', retryAfterMs: 60_000 })
    expect(sink.requests).toHaveLength(20)
  })
})

describe('Slack', () => {
  const { settings, success } = DESTINATION_EXAMPLES.slack!

  test('blocks with sender, title and channel', async () => {
    const sink = await sinkThat(success)
    const { send, destination } = namedDestination({ ...settings, channel: '#qlik-dev' }, { sink })
    await send(inputFor(exampleEvent()))
    const sent = JSON.parse(sink.requests[0]!.body) as { blocks: object[] }
    expect(sent).toMatchObject({
      username: 'Qlik Sense',
      channel: '#qlik-dev',
      icon_emoji: ':ghost:',
      text: 'Reload failed: Financial Dashboard Reload',
    })
    const title = { type: 'plain_text', text: 'Reload failed: Financial Dashboard Reload' }
    expect(sent.blocks[0]).toMatchObject({ type: 'header', text: title })
    expect(destination.targets(exampleEvent())[0]!.target).toBe('#qlik-dev')
  })

  test('the words of the route, and the plain text that replaces refused blocks', async () => {
    const sink = await sinkThat(success)
    sink.answerOnce({ status: 400, body: 'invalid_blocks' })
    const { send } = namedDestination(settings, { sink })
    const texts = { title: '{{taskName}} is down', body: 'Look at <it>' }
    expect((await send(inputFor(exampleEvent(), { rule: routeOf({ texts }) }))).result.outcome).toBe('delivered')
    const [blocks, plain] = sink.requests.map(({ body }) => JSON.parse(body) as { blocks?: object[]; text: string })
    expect(JSON.stringify(blocks)).toContain('Look at &lt;it&gt;')
    expect(blocks!.text).toBe('Financial Dashboard Reload is down')
    expect(plain!.blocks).toBeUndefined()
    expect(plain!.text).toContain('Look at &lt;it&gt;')
  })

  test('a template file of the route that spells a whole message', async () => {
    const directory = folder()
    writeFileSync(
      directory.join('own.hbs'),
      '{{! mine }}\n{"blocks":[{"type":"section","text":{"type":"mrkdwn","text":"*{{taskName}}*"}}]}',
    )
    const sink = await sinkThat(success)
    const { send } = namedDestination(settings, { sink, directories: [directory.path] })
    await send(inputFor(exampleEvent(), { rule: routeOf({ texts: { template: 'own.hbs' } }) }))
    expect(JSON.parse(sink.requests[0]!.body)).toMatchObject({
      blocks: [{ type: 'section', text: { type: 'mrkdwn', text: '*Financial Dashboard Reload*' } }],
    })
  })

  test('one line when messageType is basic', async () => {
    const sink = await sinkThat(success)
    await namedDestination({ ...settings, messageType: 'basic' }, { sink }).send(inputFor(exampleEvent()))
    const { blocks } = JSON.parse(sink.requests[0]!.body) as { blocks: { type: string }[] }
    expect(blocks.map(({ type }) => type)).toEqual(['header', 'divider', 'actions'])
  })
})

test.each([
  ['discord', (sent: { embeds: { title: string; description: string }[] }) => Object.values(sent.embeds[0]!)],
  [
    'teams',
    (sent: { attachments: { content: { body: { text: string }[] } }[] }) =>
      sent.attachments[0]!.content.body.map(({ text }) => text),
  ],
] as const)('%s: links of the route stay, those of the event are torn apart', async (type, textsIn) => {
  const { settings, success } = DESTINATION_EXAMPLES[type]!
  const sink = await sinkThat(success)
  const { send } = namedDestination(settings, { sink })
  const texts = { title: 'Look: {{taskName}}', body: '[Runbook](https://wiki.acme.example) for {{logMessage}}' }
  const event = exampleEvent({ taskName: '[T](https://evil.example)', logMessage: '[M](https://evil.example) <@123>' })
  await send(inputFor(event, { rule: routeOf({ texts }) }))
  const shown = textsIn(JSON.parse(sink.requests[0]!.body))
  expect(shown).toContain('Look: [T] (https://evil.example)')
  expect(shown).toContain('[Runbook](https://wiki.acme.example) for [M] (https://evil.example) < @123>')
})

test('Teams: an Adaptive Card with the words of the route', async () => {
  const { settings, success } = DESTINATION_EXAMPLES.teams!
  const sink = await sinkThat(success)
  const { send } = namedDestination(settings, { sink })
  await send(inputFor(exampleEvent(), { rule: routeOf({ texts: { title: 'Mine', body: 'Own words' } }) }))
  const sent = JSON.parse(sink.requests[0]!.body) as { attachments: { contentType: string; content: object }[] }
  expect(sent.attachments[0]!.contentType).toBe('application/vnd.microsoft.card.adaptive')
  expect(JSON.stringify(sent.attachments[0]!.content)).toContain('"Mine"')
  expect(JSON.stringify(sent.attachments[0]!.content)).toContain('"Own words"')
})

describe('Mattermost', () => {
  const { settings, success } = DESTINATION_EXAMPLES.mattermost!
  const sentBy = async (input: Parameters<ReturnType<typeof namedDestination>['send']>[0], changes: object = {}) => {
    const sink = await sinkThat(success)
    await namedDestination({ ...settings, ...changes }, { sink }).send(input)
    return JSON.parse(sink.requests[0]!.body) as MattermostBody
  }
  interface MattermostBody {
    readonly text: string
    readonly attachments: readonly { readonly color: string; readonly text: string }[]
  }

  test('another channel and sender; colours', async () => {
    const sender = { channel: '@anna', username: 'Qlik' }
    expect(await sentBy(recovered(), sender)).toMatchObject({ ...sender, attachments: [{ color: '#2ecc71' }] })
    for (const [severity, color] of Object.entries({ critical: '#992d22', warning: '#f1c40f', info: '#3498db' })) {
      const input = inputFor(exampleEvent(), { severity: severity as 'critical' })
      expect((await sentBy(input)).attachments[0]!.color).toBe(color)
    }
  })

  test.each([
    ['@channel @all (@here) x_@anna.b', '@ channel @ all (@ here) x\\_@ anna.b'],
    ['anna@acme.example', 'anna@acme.example'],
    [
      '[Reset](http://evil.example) <http://evil.example|x>',
      '\\[Reset\\](http://evil.example) &lt;http://evil.example\\|x&gt;',
    ],
    ['<!channel> <@U1> &lt;', '&lt;!channel&gt; &lt;@ U1&gt; &amp;lt;'],
    ['*a* _b_ c_d ~~e~~ `f` # | C:\\x', '\\*a\\* \\_b\\_ c_d \\~\\~e\\~\\~ \\`f\\` \\# \\| C:\\\\x'],
  ])('outside text: %j becomes %j', async (name, shown) => {
    const { text, attachments } = await sentBy(inputFor(exampleEvent({ taskName: name, appName: name })))
    expect(text).toBe(`**Reload failed: ${shown}**`)
    expect(attachments[0]!.text).toStartWith(`**App:** ${shown}\n`)
  })

  test('what a route says itself may format and mention', async () => {
    const texts = { title: 'Look: {{taskName}}', body: '@channel **{{appName}}**' }
    const event = exampleEvent({ taskName: '@all', appName: '*x*' })
    const { text, attachments } = await sentBy(inputFor(event, { rule: routeOf({ texts }) }))
    expect(text).toBe('**Look: @ all**')
    expect(attachments[0]!.text).toStartWith('@channel **\\*x\\***\n\n[Open app](')
  })
})

describe('Google Chat', () => {
  const { settings, success } = DESTINATION_EXAMPLES.googlechat!

  test.each([
    ['<users/all> < users/1> <USERS/all>', '< users/all> < users/1> < USERS/all>'],
    ['<https://evil.example|x> <mailto:a@b.c|x>', '< https://evil.example|x> < mailto:a@b.c|x>'],
    ['1 < 2 <b> a_b *c* @all', '1 < 2 <b> a_b *c* @all'],
  ])('outside text: %j becomes %j', async (name, shown) => {
    const sink = await sinkThat(success)
    await namedDestination(settings, { sink }).send(inputFor(exampleEvent({ taskName: name, appName: name })))
    const { text } = JSON.parse(sink.requests[0]!.body) as { text: string }
    expect(text).toStartWith(`*Reload failed: ${shown}*\nApp: ${shown}\n`)
  })

  test('without threads, and the thread of a summary', async () => {
    const sink = await sinkThat(success)
    const alone = namedDestination({ ...settings, threads: false }, { sink })
    await alone.send(inputFor(exampleEvent()))
    expect(alone.urls).toEqual([settings.webhookURL as string])
    expect(JSON.parse(sink.requests[0]!.body)).not.toHaveProperty('thread')
    const note = { summary: { title: 'Maintenance over', lines: ['a'] } }
    await namedDestination(settings, { sink }).send(inputFor(exampleEvent(), { kind: 'summary', note }))
    expect(JSON.parse(sink.requests[1]!.body)).toMatchObject({ thread: { threadKey: 'footman:summary:finance-ops' } })
  })

  test('at most 50 messages a minute to one space, whatever the key of its webhooks', async () => {
    const sink = await sinkThat(success)
    const deps = { clock: { now: () => 1_000_000 } }
    const first = namedDestination(settings, { sink, deps })
    const other = { ...settings, webhookURL: `${settings.webhookURL}2` }
    const second = namedDestination(other, { sink, deps: { ...deps, pacing: first.deps.pacing } })
    for (let n = 0; n < 50; n += 1) await (n % 2 ? first : second).send(inputFor(exampleEvent()))
    expect(second.destination.ready?.()).toBe(false)
    expect((await first.send(inputFor(exampleEvent()))).result).toMatchObject({ retryAfterMs: 60_000 })
    expect(sink.requests).toHaveLength(50)
  })
})
