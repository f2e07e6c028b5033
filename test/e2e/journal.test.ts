/** Looking into events and deliveries, sending again, calling off, following: REST and commands of the executable. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createSocket } from 'node:dgram'
import { runBinary, runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { startSmtpSink } from '../support/smtp-sink.ts'
import { until } from '../support/wait.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const FAILING = '70000000-0000-4000-8000-000000000006'
const UNKNOWN = '019cad24-bb20-78e1-b80b-d70ae0784c78'

interface EventView {
  readonly id: string
  readonly state: string
  readonly title: string
  readonly taskId: string
  readonly consecutiveFailures: number | null
  readonly deliveryCounts: Record<string, number>
}
interface Detail extends EventView {
  readonly raw: string
  readonly from: string
  readonly record: object
  readonly deliveries: object[]
}
interface DeliveryView {
  readonly id: string
  readonly eventId: string
  readonly state: string
  readonly reason: string | null
}

let site: TestSite
let hook: HttpSink
let product: Footman

beforeAll(async () => {
  ;[site, hook] = await Promise.all([startSite(), startHttpSink()])
  product = await footman({
    simulator: site.simulator,
    webhookUrl: `${hook.url}/hook?token=very-secret`,
    config: {
      footman: {
        delivery: { retryFirst: '1s', retryMax: '1s' },
        destinations: {
          pager: { type: 'webhook', url: `${hook.url}/pager` },
          spare: { type: 'webhook', url: `${hook.url}/spare` },
        },
        alertRoutes: [{ name: 'stuck', match: { outcome: 'stuck' }, to: ['pager'] }],
      },
    },
  })
  await product.start()
}, 90_000)

afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await Promise.all([site?.[Symbol.asyncDispose](), hook?.stop()])
})

async function get<T = Record<string, unknown>>(path: string): Promise<{ status: number; body: T }> {
  const answer = await product.call('GET', path)
  return { status: answer.status, body: (await answer.json()) as T }
}
async function post(path: string, body: unknown = {}) {
  const answer = await product.call('POST', path, body)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
const events = async (query: string) => (await get<{ events: EventView[] }>(`/v4/events?${query}`)).body.events
const deliveries = async (query: string) =>
  (await get<{ deliveries: DeliveryView[] }>(`/v4/deliveries?${query}`)).body.deliveries

/** Makes a task fail; resolves with its newest event once it is routed and its delivery has this state. */
async function failedEvent(task: string, state: string): Promise<EventView> {
  const known = new Set((await events(`taskId=${task}`)).map(({ id }) => id))
  site.simulator.setTask(task, { outcome: 'fail', durationMs: 50 })
  site.simulator.runTask(task)
  let found: EventView | undefined
  await until(async () => {
    found = (await events(`taskId=${task}`)).find(({ id, deliveryCounts }) => !known.has(id) && deliveryCounts[state])
    return found !== undefined
  })
  return found!
}

function datagram(text: string): Promise<void> {
  const socket = createSocket('udp4')
  return new Promise((resolve, reject) =>
    socket.send(text, product.udpPort, '127.0.0.1', (error) => {
      socket.close()
      if (error) reject(error)
      else resolve()
    }),
  )
}

describe('events', () => {
  test('an event in the list and in full', async () => {
    hook.answer({ status: 200 })
    const event = await failedEvent(TASK, 'delivered')
    const { consecutiveFailures, ...shown } = event
    expect(consecutiveFailures ?? 1).toBeGreaterThanOrEqual(1)
    expect(shown).toEqual({
      id: event.id,
      receivedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      source: 'udp',
      type: 'reload',
      outcome: 'failed',
      severity: 'error',
      state: 'routed',
      reason: null,
      title: 'Reload failed: Financial Dashboard Reload',
      host: 'QS-CENTRAL',
      user: 'INTERNAL/sa_scheduler',
      taskId: TASK,
      taskName: 'Financial Dashboard Reload',
      appId: 'a1000000-0000-4000-8000-000000000002',
      appName: 'Sales Dashboard',
      executionId: expect.stringMatching(/^e5[0-9a-f]{6}-/),
      missingParts: [],
      test: false,
      deliveryCounts: { pending: 0, sending: 0, delivered: 1, suppressed: 0, dead: 0 },
    } as never)

    const { status, body } = await get<Detail>(`/v4/events/${event.id}`)
    expect(status).toBe(200)
    expect(body).toMatchObject({ id: event.id, from: '127.0.0.1', title: event.title })
    expect(body.raw).toStartWith('/scheduler-task-failed/;QS-CENTRAL;Financial Dashboard Reload;')
    expect(body.record).toMatchObject({ taskName: 'Financial Dashboard Reload', outcome: 'failed' })
    expect(body.deliveries).toMatchObject([{ eventId: event.id, destination: 'webhook', state: 'delivered' }])
    expect(JSON.stringify(body)).not.toContain('very-secret')
  }, 90_000)

  test('filters and pages', async () => {
    await failedEvent(FAILING, 'delivered')
    await failedEvent(TASK, 'delivered')
    const all = await events('limit=500')
    expect(all.length).toBeGreaterThanOrEqual(3)
    expect(await events('outcome=success')).toEqual([])
    expect(await events('type=preload&type=userSync')).toEqual([])
    expect((await events('q=dashboard')).every(({ taskId }) => taskId === TASK)).toBe(true)
    expect((await events(`taskId=${FAILING}&outcome=failed&from=1h`)).length).toBe(1)
    expect(await events('from=2020-01-01&to=2021-01-01')).toEqual([])

    const paged: string[] = []
    let cursor = ''
    do {
      const { body } = await get<{ events: EventView[]; nextCursor: string | null }>(`/v4/events?limit=1${cursor}`)
      paged.push(...body.events.map(({ id }) => id))
      cursor = body.nextCursor ? `&cursor=${body.nextCursor}` : ''
    } while (cursor)
    expect(paged).toEqual(all.map(({ id }) => id))
  }, 90_000)

  test.each([
    ['/v4/events?outcome=bad', 400, 'VALIDATION'],
    ['/v4/events?colour=red', 400, 'VALIDATION'],
    ['/v4/events?cursor=x', 400, 'INVALID_CURSOR'],
    ['/v4/events/7', 400, 'INVALID_ID'],
    [`/v4/events/${UNKNOWN}`, 404, 'EVENT_NOT_FOUND'],
    [`/v4/deliveries/${UNKNOWN}`, 404, 'DELIVERY_NOT_FOUND'],
    ['/v4/stream?topic=weather', 400, 'VALIDATION'],
  ])('%s is refused', async (path, status, code) => {
    expect(await get(path)).toMatchObject({ status, body: { code, statusCode: status } })
  })

  test('a datagram that is no event is kept with its reason', async () => {
    await datagram('/scheduler-nonsense/;a;b')
    const dropped = async () =>
      (await get<{ dropped: { reason: string; raw: string }[] }>('/v4/events/dropped')).body.dropped
    await until(async () => (await dropped()).length > 0)
    expect(await dropped()).toMatchObject([
      { reason: 'UNKNOWN_TYPE', from: '127.0.0.1', raw: '/scheduler-nonsense/;a;b' },
    ] as never)
  })
})

describe('dead letters', () => {
  test('what was refused is dead; sent again it arrives with the same id', async () => {
    hook.answer({ status: 422, body: 'no' })
    const event = await failedEvent(TASK, 'dead')
    const [dead] = await deliveries(`eventId=${event.id}`)
    expect(dead).toMatchObject({ state: 'dead', reason: 'REJECTED', destinationType: 'webhook' } as never)
    const { body } = await get<{ attempts: unknown[]; message: { body: string } }>(`/v4/deliveries/${dead!.id}`)
    expect(body.attempts).toEqual([
      {
        n: 1,
        at: expect.any(String),
        durationMs: expect.any(Number),
        result: 'permanent',
        detail: expect.stringContaining('422'),
      },
    ])
    expect(JSON.parse(body.message.body)).toMatchObject({ taskId: TASK })

    hook.answer({ status: 200 })
    const before = hook.requests.length
    expect(await post(`/v4/deliveries/${dead!.id}/resend`)).toEqual({
      status: 202,
      body: { id: dead!.id, state: 'pending' },
    })
    const calls = await hook.received(before + 1)
    expect(calls.at(-1)?.headers['idempotency-key']).toBe(dead!.id)
    await until(async () => (await deliveries(`eventId=${event.id}`))[0]?.state === 'delivered')

    const again = await post(`/v4/deliveries/${dead!.id}/resend`)
    expect(again).toMatchObject({ status: 202, body: { state: 'pending', replayOf: dead!.id } })
    await until(async () => (await deliveries(`eventId=${event.id}&state=delivered`)).length === 2)
    await post(`/v4/deliveries/${dead!.id}/resend`)
    await until(async () => (await deliveries(`eventId=${event.id}&state=delivered`)).length === 3)
  }, 90_000)

  test('all dead letters of a destination', async () => {
    hook.answer({ status: 422 })
    await failedEvent(TASK, 'dead')
    await failedEvent(FAILING, 'dead')
    hook.answer({ status: 200 })
    expect(await post('/v4/deliveries/-/resend')).toMatchObject({ status: 400, body: { code: 'NOTHING_SELECTED' } })
    expect(await post('/v4/deliveries/-/resend', { destination: ['other'] })).toMatchObject({ body: { resent: 0 } })
    expect(await post('/v4/deliveries/-/resend', { destination: ['webhook'], from: '1h' })).toMatchObject({
      status: 202,
      body: { resent: 2 },
    })
    await until(async () => (await deliveries('state=dead')).length === 0)
  }, 90_000)

  test('what is pending can be called off, nothing else', async () => {
    hook.answer({ status: 503 })
    const event = await failedEvent(TASK, 'pending')
    const [pending] = await deliveries(`eventId=${event.id}`)
    expect(await post(`/v4/deliveries/${pending!.id}/resend`)).toMatchObject({
      status: 409,
      body: { code: 'NOT_RESENDABLE' },
    })
    await until(async () => (await post(`/v4/deliveries/${pending!.id}/cancel`)).status === 200)
    expect((await deliveries(`eventId=${event.id}`))[0]).toMatchObject({ state: 'dead', reason: 'CANCELLED' })
    expect(await post(`/v4/deliveries/${pending!.id}/cancel`)).toMatchObject({
      status: 409,
      body: { code: 'NOT_CANCELLABLE' },
    })
    hook.answer({ status: 200 })
    const calls = hook.requests.length
    await failedEvent(FAILING, 'delivered')
    expect(hook.requests.slice(calls).some(({ headers }) => headers['idempotency-key'] === pending!.id)).toBe(false)
  }, 90_000)
})

test('a mail that expired while its server was down is delivered when it is sent again, with the same Message-ID', async () => {
  await using mailbox = await startSmtpSink()
  await using second = await footman({
    simulator: site.simulator,
    smtpPort: mailbox.port,
    config: { footman: { delivery: { maxAge: '2s', retryFirst: '1s', retryMax: '1s' } } },
  })
  try {
    await second.start()
    await mailbox.down()
    site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 50 })
    site.simulator.runTask(TASK)
    const list = async () =>
      (await (await second.call('GET', '/v4/deliveries?destination=email')).json()) as { deliveries: DeliveryView[] }
    await until(async () => (await list()).deliveries.some(({ state }) => state === 'dead'), { timeout: 20_000 })
    const dead = (await list()).deliveries.find(({ state }) => state === 'dead')
    expect(dead).toMatchObject({ state: 'dead', reason: 'EXPIRED' })
    await mailbox.up()
    expect((await second.call('POST', `/v4/deliveries/${dead!.id}/resend`, {})).status).toBe(202)
    const [mail] = await mailbox.received(1, { match: ({ parsed }) => parsed.messageId?.includes(dead!.id) ?? false })
    expect(mail).toBeDefined()
    await until(async () => (await list()).deliveries.some(({ id, state }) => id === dead!.id && state === 'delivered'))
  } finally {
    site.simulator.setUdpTarget({ host: '127.0.0.1', port: product.udpPort })
  }
}, 60_000)

describe('replay and test', () => {
  const callsTo = (path: string) => hook.requests.filter(({ url }) => url === path)

  test('a replay goes to the named destination only, or through every route again', async () => {
    hook.answer({ status: 200 })
    const event = await failedEvent(TASK, 'delivered')
    const before = hook.requests.length
    const direct = await post(`/v4/events/${event.id}/replay`, { to: ['spare'] })
    expect(direct).toEqual({
      status: 202,
      body: {
        eventId: event.id,
        deliveries: [
          {
            id: expect.any(String),
            route: null,
            destination: 'spare',
            target: expect.stringMatching(/^127\.0\.0\.1/),
            state: 'pending',
            reason: null,
          },
        ],
      },
    } as never)
    await hook.received(before + 1)
    expect(hook.requests.slice(before).map(({ url }) => url)).toEqual(['/spare'])
    expect(JSON.parse(hook.requests[before]!.body)).toMatchObject({ eventId: event.id, title: event.title })

    const again = await post(`/v4/events/${event.id}/replay`, {})
    expect(again.body.deliveries).toMatchObject([
      { route: 'butler.webhookNotification.reloadTaskFailure', state: 'pending' },
    ])
    await hook.received(before + 2)
    expect(hook.requests.at(-1)?.url).toStartWith('/hook')
    const [original] = (await deliveries(`eventId=${event.id}&destination=webhook`)).toReversed()
    expect((await deliveries(`eventId=${event.id}&destination=webhook`))[0]).toMatchObject({
      replayOf: original!.id,
    } as never)
  }, 90_000)

  test('a test is marked, counts nowhere and skips conditions when its route is named', async () => {
    hook.answer({ status: 200 })
    const before = callsTo('/pager').length
    const { status, body } = await post('/v4/events/fire', { routes: ['stuck'], values: { taskName: 'My "test"' } })
    expect(status).toBe(202)
    await until(() => callsTo('/pager').length === before + 1)
    expect(JSON.parse(callsTo('/pager').at(-1)!.body)).toMatchObject({
      title: '[TEST] Reload failed: My "test"',
      kind: 'test',
    })
    const event = await get<EventView>(`/v4/events/${body.eventId}`)
    expect(event.body).toMatchObject({ test: true, source: 'test', state: 'routed' } as never)
  }, 90_000)

  test('a dry run renders and calls nobody', async () => {
    const before = hook.requests.length
    const { status, body } = await post('/v4/events/fire', { taskId: TASK, to: ['pager', 'spare'], dryRun: true })
    expect(status).toBe(200)
    expect(body.messages).toMatchObject([{ destination: 'pager' }, { destination: 'spare' }])
    expect(JSON.stringify(body.messages)).toContain('[TEST] Reload failed: Financial Dashboard Reload')
    expect(hook.requests.length).toBe(before)
  })

  test('asked for twice with one key, it happens once', async () => {
    hook.answer({ status: 200 })
    const before = callsTo('/pager').length
    const fire = () => product.call('POST', '/v4/events/fire', { to: ['pager'] }, { 'idempotency-key': 'once-only' })
    const [first, second] = [await (await fire()).text(), await fire()]
    expect(second.headers.get('idempotent-replay')).toBe('true')
    expect(await second.text()).toBe(first)
    await until(() => callsTo('/pager').length > before)
    expect(callsTo('/pager').length).toBe(before + 1)
  })

  test.each([
    [{ to: ['nobody'] }, 404, 'DESTINATION_NOT_FOUND'],
    [{ routes: ['none'] }, 404, 'ROUTE_NOT_FOUND'],
    [{ eventId: UNKNOWN }, 404, 'EVENT_NOT_FOUND'],
    [{ eventId: '7' }, 400, 'INVALID_ID'],
    [{ taskId: UNKNOWN }, 400, 'VALIDATION'],
    [{ values: { colour: 'red' } }, 400, 'VALIDATION'],
    [{ type: 'party' }, 400, 'VALIDATION'],
    [{ sendIt: true }, 400, 'VALIDATION'],
  ])('%j is refused', async (body, status, code) => {
    expect(await post('/v4/events/fire', body)).toMatchObject({ status, body: { code } })
  })
})

describe('the stream', () => {
  interface Message {
    readonly id: number
    readonly event: string
    readonly data: { readonly id: string; readonly state: string }
  }

  /** Follows until it is cut. */
  async function follow(query: string, lastId?: number) {
    const cut = new AbortController()
    const messages: Message[] = []
    const answer = await fetch(`http://127.0.0.1:${product.restPort}/v4/stream?${query}`, {
      signal: cut.signal,
      headers: lastId === undefined ? {} : { 'last-event-id': String(lastId) },
    })
    const ended = (async () => {
      let rest = ''
      for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) {
        const blocks = (rest + piece).split('\n\n')
        rest = blocks.pop()!
        for (const block of blocks) {
          const line = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
          const data = line('data')
          if (data) messages.push({ id: Number(line('id')), event: line('event')!, data: JSON.parse(data) })
        }
      }
    })().catch(() => undefined)
    return {
      messages,
      async cut() {
        cut.abort()
        await ended
      },
    }
  }

  test('shows every change of state exactly once, over a cut too', async () => {
    hook.answer({ status: 200 })
    const first = await follow('topic=event&topic=delivery')
    const one = await failedEvent(TASK, 'delivered')
    await until(() => first.messages.some(({ data }) => data.state === 'delivered'))
    await first.cut()
    const seen = first.messages.at(-1)!.id
    const two = await failedEvent(FAILING, 'delivered')
    const second = await follow('topic=event&topic=delivery', seen)
    const three = await failedEvent(TASK, 'delivered')
    await until(() => second.messages.filter(({ data }) => data.state === 'delivered').length >= 2)
    await second.cut()

    const all = [...first.messages, ...second.messages]
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).toSorted((a, b) => a - b))
    for (const event of [one, two, three]) {
      const own = all.filter(({ data }) => data.id === event.id).map(({ data }) => data.state)
      expect(own).toEqual(['pending', 'routed'])
      const [delivery] = await deliveries(`eventId=${event.id}`)
      const states = all.filter(({ data }) => data.id === delivery!.id).map(({ data }) => data.state)
      expect(states).toEqual(['pending', 'sending', 'delivered'])
    }
  }, 90_000)
})

describe('pages about an event', () => {
  test('its decisions, its script log, its counts, and the position of the stream', async () => {
    hook.answer({ status: 200 })
    const before = (await get<{ seq: number }>('/v4/stream/position')).body.seq
    const event = await failedEvent(TASK, 'delivered')
    const decisions = (
      await get<{ routes: { name: string; deliveries: string[] }[] }>(`/v4/events/${event.id}/decisions`)
    ).body
    expect(decisions).toMatchObject({ recorded: true, stoppedBy: null, configuration: expect.any(String) })
    const [delivery] = await deliveries(`eventId=${event.id}&state=delivered`)
    const made = decisions.routes.filter((one) => one.deliveries.length > 0)
    expect(made.map((one) => one.deliveries)).toEqual([[delivery!.id]])
    expect(made[0]!.name).toStartWith('butler.webhookNotification.')
    expect(await events(`id=${event.id}&id=${UNKNOWN}&alerted=some`)).toMatchObject([{ id: event.id }])
    expect(await events(`id=${event.id}&alerted=none`)).toEqual([])
    const counts = await get<{ buckets: { failed: number }[] }>(`/v4/events/summary?taskId=${TASK}&outcome=failed`)
    expect(counts.body.buckets.reduce((sum, { failed }) => sum + failed, 0)).toBeGreaterThan(0)
    expect((await get<{ seq: number }>('/v4/stream/position')).body.seq).toBeGreaterThan(before)
  }, 90_000)

  test('a destination with its settings, and its test', async () => {
    hook.answer({ status: 200 })
    const before = hook.requests.length
    const test = await post('/v4/destinations/spare/test', { outcome: 'aborted' })
    expect(test).toMatchObject({ status: 202, body: { deliveries: [{ route: null, destination: 'spare' }] } })
    await until(() => hook.requests.slice(before).some(({ url }) => url === '/spare'))
    const one = await until(async () => {
      const { body } = await get<{ hours: { delivered: number }[] }>('/v4/destinations/spare')
      return body.hours.some(({ delivered }) => delivered > 0) && body
    })
    expect(one).toMatchObject({ name: 'spare', type: 'webhook', up: true, routes: [], settings: { type: 'webhook' } })
  }, 90_000)
})

describe('commands', () => {
  const run = (...args: string[]) =>
    runToEnd([...args, '--url', `http://127.0.0.1:${product.restPort}`], { cwd: product.directory.path })

  test('events and deliveries are listed and shown', async () => {
    hook.answer({ status: 200 })
    const event = await failedEvent(TASK, 'delivered')
    const list = await run('events', 'list', '--outcome', 'failed', '--limit', '1')
    expect(list).toMatchObject({ code: 0 })
    const short = event.id.slice(0, 13)
    expect(list.stdout.trimEnd()).toEndWith(
      `Reload failed: Financial Dashboard Reload  routed  1 delivered  ${short}\n\nTimes are in the zone UTC.`,
    )
    expect((await run('events', 'list', '--outcome', 'failed', '--limit', '1', '--wide')).stdout).toContain(event.id)
    const shown = await run('events', 'show', event.id)
    expect(shown.stdout).toContain('webhook')
    expect(JSON.parse((await run('events', 'show', event.id, '--json')).stdout)).toMatchObject({ id: event.id })
    const [delivery] = await deliveries(`eventId=${event.id}`)
    expect((await run('deliveries', 'list', '--event', event.id)).stdout).toContain(delivery!.id.slice(0, 13))
    expect((await run('deliveries', 'list', '--event', short, '--wide')).stdout).toContain(delivery!.id)
    expect((await run('events', 'show', short, '--wide')).stdout).toContain(delivery!.id)
    expect((await run('deliveries', 'show', delivery!.id)).stdout).toMatch(/1 +\S+ \S+ +\d+ ms +ok/)
    expect((await run('events', 'dropped')).stdout).toContain('/scheduler-nonsense/;a;b')
    expect(await run('deliveries', 'resend', delivery!.id)).toMatchObject({ code: 0 })
  }, 60_000)

  test.each([
    [1, ['events', 'show', '7']],
    [3, ['events', 'show', UNKNOWN]],
    [3, ['deliveries', 'show', UNKNOWN]],
    [3, ['deliveries', 'resend', UNKNOWN]],
    [1, ['deliveries', 'resend']],
    [0, ['deliveries', 'resend', '--dead', '--destination', 'spare']],
    [3, ['deliveries', 'resend', '--dead', '--destination', 'other']],
    [3, ['deliveries', 'cancel', UNKNOWN]],
    [1, ['events', 'list', '--outcome', 'bad']],
  ])(
    'exit code %d',
    async (code, args) => {
      expect((await run(...args)).code).toBe(code)
    },
    20_000,
  )

  test('fire, replay and tail', async () => {
    hook.answer({ status: 200 })
    const tail = runBinary(['events', 'tail', '--topic', 'delivery', '--url', `http://127.0.0.1:${product.restPort}`], {
      cwd: product.directory.path,
    })
    const { code, stdout } = await run('fire', '--to', 'pager', '--value', 'taskName=From a script', '--wait')
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('delivered') } as never)
    expect((await run('fire', '--to', 'pager', '--dry-run')).stdout).toContain('[TEST] Reload failed')
    expect((await run('fire', '--to', 'nobody')).code).toBe(3)
    expect((await run('fire', '--value', 'x')).code).toBe(1)
    const [event] = await events('source=test')
    expect((await run('events', 'replay', event!.id, '--to', 'spare')).stdout).toContain('pending')
    expect((await run('events', 'replay', UNKNOWN)).code).toBe(3)
    await tail.waitForLine(/^\S+ \S+ {2}delivery {2}delivered {3}spare +\S{13}$/, 15_000)
    await tail.kill9()
    hook.answer({ status: 422 })
    expect((await run('fire', '--to', 'pager', '--wait')).code).toBe(4)
    hook.answer({ status: 200 })
  }, 60_000)

  test('who did what', async () => {
    await post('/v4/deliveries/-/resend', { destination: ['other'] })
    const { code, stdout } = await run('audit', '--action', 'delivery.*', '--from', '1h')
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/anonymous +127\.0\.0\.1 +delivery\.resend +ok \(202\)/),
    } as never)
    expect((await run('audit', '--outcome', 'bad')).code).toBe(1)
  })

  test('nobody listens', async () => {
    const { code } = await runToEnd(['events', 'list', '--url', 'http://127.0.0.1:1'], {
      cwd: product.directory.path,
    })
    expect(code).toBe(2)
  })
})
