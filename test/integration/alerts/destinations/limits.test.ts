/** Odd names and huge logs: every request is valid and within what its receiver takes. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { RenderInput } from '../../../../src/alerts/types.ts'
import type { TaskEvent } from '../../../../src/events/types.ts'
import { scriptLog } from '../../../support/alerts.ts'
import { DESTINATION_EXAMPLES } from '../../../support/destination-types.ts'
import { type HttpSink, startHttpSink } from '../../../support/http-sink.ts'
import { exampleEvent, inputFor, namedDestination, routeOf } from '../../../support/named.ts'

const NASTY = 'A "B" <C> & \\D {{x}} <%= 1 %> 👩‍👩‍👧‍👦 ```*_~ @everyone </pre> \u2028'
const LONG = `${'Zażółć gęślą jaźń & <b> "q" \\ 👍 '.repeat(400)}`

function hugeEvent(): TaskEvent {
  const lines = Array.from(
    { length: 5000 },
    (_, n) => `20260302T070310.804+0100 ${n} LOAD "x" & <y> \\ \t👍 Error line ${n}`,
  )
  const event = exampleEvent()
  const note = { tags: Array.from({ length: 60 }, (_, n) => ({ id: `${n}`, name: `tag ${n} ${LONG}` })) }
  return {
    ...event,
    taskName: LONG,
    appName: LONG,
    host: LONG.slice(0, 3000),
    user: LONG,
    logMessage: LONG,
    task: { ...event.task!, ...note },
    app: { ...event.app!, name: LONG, stream: { id: 's', name: LONG } },
    scriptLog: scriptLog([...lines, `20260302T070310.804+0100 Error: ${LONG}`]),
    missingParts: ['task', 'app', 'owner', 'execution', 'scriptLog'],
  }
}

function nastyEvent(): TaskEvent {
  const event = exampleEvent({ taskName: NASTY, appName: NASTY, host: NASTY, user: NASTY, logMessage: NASTY })
  return { ...event, scriptLog: scriptLog([`20260302T070310.804+0100 Error: ${NASTY}`]) }
}

const CHAIN = {
  chain: {
    root: { id: '0', name: LONG },
    downstream: Array.from({ length: 200 }, (_, n) => ({ id: `${n}`, name: `Task ${n} ${NASTY}`, usualStart: null })),
  },
}

/** The members that one or the other has. */
type Json = Readonly<Record<string, string>> & { readonly embeds: Embed[]; readonly payload: Payload }

let sink: HttpSink
beforeAll(async () => {
  sink = await startHttpSink()
})
afterAll(() => sink.stop())

async function requestOf(type: string, event: TaskEvent, changes: Partial<RenderInput> = {}, settings: object = {}) {
  const { settings: own, success } = DESTINATION_EXAMPLES[type]!
  sink.answer(success)
  const { send, destination } = namedDestination({ ...own, ...settings }, { sink })
  const { result } = await send(inputFor(event, changes))
  await destination.close?.()
  expect(result.outcome).toBe('delivered')
  const { body } = sink.requests.at(-1)!
  expect(body.isWellFormed()).toBe(true)
  return { body, json: JSON.parse(body) as Json }
}

interface Embed {
  readonly title: string
  readonly description: string
  readonly fields: readonly { readonly name: string; readonly value: string }[]
  readonly footer: { readonly text: string }
}
interface Payload {
  readonly summary: string
  readonly custom_details: { readonly text: string; readonly scriptLogTail: string }
}

const MANY_LINES = { headScriptLogLines: 5000, tailScriptLogLines: 5000 }

describe.each([
  ['huge', hugeEvent(), CHAIN],
  ['nasty', nastyEvent(), null],
] as const)('%s texts', (_, event, note) => {
  const changes = { note, suppressed: 3 }

  test('webhook: everything, unchanged', async () => {
    const { json } = await requestOf('webhook', event, changes)
    expect(json.title).toBe(`Reload failed: ${event.taskName.trim().replace(/\s+/g, ' ')}`)
    expect(json.message).toBe(event.logMessage)
  })

  test('ntfy: 250 characters of title, 4,000 bytes of text, 3 actions', async () => {
    const { json } = await requestOf('ntfy', event, changes)
    expect(json.title!.length).toBeLessThanOrEqual(250)
    expect(Buffer.byteLength(json.message!)).toBeLessThanOrEqual(4000)
    expect((json.actions as unknown as unknown[]).length).toBeLessThanOrEqual(3)
  })

  test('PagerDuty: 1,024 of summary, 255 of key, 512 KB in all', async () => {
    const { json, body } = await requestOf('pagerduty', event, changes, MANY_LINES)
    expect(json.payload.summary.length).toBeLessThanOrEqual(1024)
    expect(json.dedup_key!.length).toBeLessThanOrEqual(255)
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(512 * 1024)
    const { scriptLogTail } = json.payload.custom_details
    expect(scriptLogTail).toEndWith(event.scriptLog!.lines.at(-1)!.replace('\u2028', '\n'))
  })

  test('Opsgenie: message 130, alias 512, description 15,000, entity 512, 20 tags of 50', async () => {
    const tags = Array.from({ length: 40 }, (_, n) => `${n} ${LONG}`)
    const { json } = await requestOf('opsgenie', event, changes, { tags })
    expect(json.message!.length).toBeLessThanOrEqual(130)
    expect(json.alias!.length).toBeLessThanOrEqual(512)
    expect(json.description!.length).toBeLessThanOrEqual(15_000)
    expect(json.entity!.length).toBeLessThanOrEqual(512)
    const sent = json.tags as unknown as string[]
    expect(sent).toHaveLength(20)
    expect(Math.max(...sent.map((tag) => tag.length))).toBeLessThanOrEqual(50)
  })

  test('Discord: title 256, description 4,096, fields of 1,024, 6,000 in all', async () => {
    const { json } = await requestOf('discord', event, changes)
    const { title, description, fields, footer } = json.embeds[0]!
    expect(title.length).toBeLessThanOrEqual(256)
    expect(description.length).toBeLessThanOrEqual(4096)
    for (const field of fields) expect(field.value.length).toBeLessThanOrEqual(1024)
    const all = [title, description, footer.text, ...fields.flatMap(({ name, value }) => [name, value])].join('')
    expect(all.length).toBeLessThanOrEqual(6000)
    expect(fields.length).toBeLessThanOrEqual(25)
  })

  test('Telegram: 4,096 of text, nothing but its own tags', async () => {
    const { json } = await requestOf('telegram', event, changes)
    expect(json.text!.length).toBeLessThanOrEqual(4096)
    const tags = json.text!.match(/<[^>]*>/g)
    expect(tags).toEqual(['<b>', '</b>', '<pre>', '</pre>'])
    expect(json.text!.replace(/&(?:amp|lt|gt);/g, '')).not.toContain('&')
  })

  test('Telegram: the same for a text of the route', async () => {
    const rule = routeOf({ texts: { body: '{{logMessage}}{{logMessage}}{{logMessage}}' } })
    const { json } = await requestOf('telegram', event, { ...changes, rule })
    expect(json.text!.length).toBeLessThanOrEqual(4096)
    expect(json.text!.match(/<[^>]*>/g)).toEqual(['<b>', '</b>'])
  })

  test('Mattermost: no more than the server takes in one post', async () => {
    const { json } = await requestOf('mattermost', event, changes)
    const { text, attachments } = json as unknown as { text: string; attachments: { text: string }[] }
    expect(text.length).toBeLessThanOrEqual(16_383)
    expect(attachments[0]!.text.length).toBeLessThanOrEqual(16_383)
    expect(JSON.stringify(json)).not.toMatch(/<[!@#]|(?<![a-z0-9])@[a-z]/i)
  })

  test('Google Chat: 4,096 of text, nothing but its own links', async () => {
    const { json } = await requestOf('googlechat', event, changes)
    expect(json.text!.length).toBeLessThanOrEqual(4096)
    expect(json.text!.match(/<[a-z]+[:/][^>|]*\|/g)).toEqual([
      expect.stringMatching(/^<https:\/\/qs\.acme\.example\/sense\/app\//),
      '<https://qs.acme.example/qmc|',
    ])
  })

  test('OTLP: valid JSON', async () => {
    expect((await requestOf('otlp', event, changes)).json).toHaveProperty('resourceLogs')
  })
})

test('nasty names are shown as they are', async () => {
  const { json } = await requestOf('discord', nastyEvent())
  expect(json.embeds[0]!.fields[0]).toMatchObject({ name: 'App', value: NASTY.replace(/\s+/g, ' ').trim() })
  expect(json.allowed_mentions as unknown).toEqual({ parse: [] })
})
