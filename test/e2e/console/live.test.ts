/** Changes on their way to open pages of the compiled executable: who gets them, how long, and what a broken network loses. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createSocket } from 'node:dgram'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { startBrowser } from '../../support/browser.ts'
import { type Key, newKey, type Visitor, visitorOf } from '../../support/console.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { needs } from '../../support/servers.ts'
import { until, within } from '../../support/wait.ts'

needs('chromium')

const TIMEOUT_MS = 120_000
const SESSION_END_MS = 10_000
const STREAM = '/console/api/v4/stream'

type Butler = Record<string, unknown> & { footman: { access: { keys: { id: string }[] } } }

const sender = createSocket('udp4')
afterAll(() => sender.close())

let executions = 0
/** Sends the message of the scheduler about a failed reload. */
async function fail({ udpPort }: Footman): Promise<void> {
  executions += 1
  const fields = [
    '/scheduler-task-failed/',
    'qs-central',
    `Load ${executions}`,
    'Sales Dashboard',
    'INTERNAL\\sa_scheduler',
    numbered('a8b4c123'),
    'a1000000-0000-4000-8000-000000000002',
    '2026-03-02 07:00:00,000',
    'ERROR',
    numbered('e9000000'),
    'Max retries reached',
  ]
  await new Promise<void>((done, failed) => {
    sender.send(fields.join(';'), udpPort, '127.0.0.1', (error) => (error ? failed(error) : done()))
  })
}
const numbered = (start: string) => `${start}-0000-4000-8000-${String(executions).padStart(12, '0')}`

const eventIds = (running: Footman) =>
  running.rows<{ id: string }>('SELECT id FROM event ORDER BY seq DESC').map(({ id }) => id)

/** Fails `count` reloads and waits until all of them are events. */
async function failMany(running: Footman, count: number): Promise<void> {
  const wanted = eventIds(running).length + count
  for (let n = 0; n < count; n += 1) await fail(running)
  await until(() => eventIds(running).length === wanted, { what: `${wanted} events` })
}

describe('the stream of a session', () => {
  let running: Footman
  const keys = [newKey('ops', 'admin'), newKey('erp', 'admin')] as const

  beforeAll(async () => {
    running = await footman({
      simulator: null,
      args: ['--no-qs-connection'],
      config: {
        restServerEndpointsEnable: { butlerping: false },
        footman: {
          watchConfig: false,
          access: { enable: true, keys: keys.map(({ entry }) => entry) },
          api: { rateLimitPerMinute: 0, cors: { origins: ['https://portal.acme.example'] } },
        },
      },
    })
    await running.start()
  }, TIMEOUT_MS)
  afterAll(async () => running?.[Symbol.asyncDispose]())

  async function signedIn({ key }: Key): Promise<Visitor> {
    const who = visitorOf(running)
    expect((await who.signIn(key)).status).toBe(303)
    return who
  }

  /** Resolves when the first bytes are here; `ended` resolves at the end of the stream. */
  async function openStream(who: Visitor): Promise<{ readonly ended: Promise<void> }> {
    const answer = await who.get(`${STREAM}?after=0`)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toStartWith('text/event-stream')
    const reader = answer.body!.getReader()
    expect((await reader.read()).done).toBe(false)
    const ended = (async () => {
      while (!(await reader.read()).done);
    })()
    return { ended }
  }

  test('ends with the session, at sign-out, and the next call is refused', async () => {
    const who = await signedIn(keys[0])
    const csrf = await who.csrf('/console/events')
    const { ended } = await openStream(who)
    expect((await who.post('/console/logout', { csrf })).status).toBe(303)
    await within(ended, SESSION_END_MS, 'the end of the stream')
    expect((await who.get(STREAM)).status).toBe(401)
  })

  test('ends when another session of the owner ends it, and that one stays open', async () => {
    const [stolen, own] = [await signedIn(keys[0]), await signedIn(keys[1])]
    const [closed, open] = [await openStream(stolen), await openStream(own)]
    const bearer = { authorization: `Bearer ${keys[1].key}` }
    const { sessions } = (await (await running.call('GET', '/v4/sessions', undefined, bearer)).json()) as {
      sessions: { id: string; actor: string }[]
    }
    const { id } = sessions.find(({ actor }) => actor === 'key:ops')!
    expect((await running.call('DELETE', `/v4/sessions/${id}`, undefined, bearer)).status).toBe(204)
    await within(closed.ended, SESSION_END_MS, 'the end of the stream')
    expect(await Promise.race([open.ended.then(() => 'ended'), Promise.resolve('open')])).toBe('open')
  })

  test('ends when the key is taken out of the configuration', async () => {
    const who = await signedIn(keys[0])
    const { ended } = await openStream(who)
    const whole = JSON.parse(readFileSync(running.configFile, 'utf8')) as { Butler: Butler }
    const { access } = whole.Butler.footman
    access.keys = access.keys.filter(({ id }) => id !== 'ops')
    writeFileSync(`${running.configFile}.new`, JSON.stringify(whole))
    renameSync(`${running.configFile}.new`, running.configFile)
    const bearer = { authorization: `Bearer ${keys[1].key}` }
    const reloaded = await running.call('POST', '/v4/config/reload', {}, bearer)
    expect(await reloaded.json()).toMatchObject({ needsRestart: [] })
    await within(ended, SESSION_END_MS, 'the end of the stream')
    expect((await who.get(STREAM)).status).toBe(401)
  })

  test('styles and scripts come packed to browsers that take it', async () => {
    const login = await (await running.call('GET', '/console/login')).text()
    const files = login.match(/\/console\/assets\/[^"#]+/g) ?? []
    expect(files.length).toBeGreaterThan(0)
    for (const path of files) {
      const answer = await running.call('GET', path, undefined, { 'accept-encoding': 'gzip' })
      expect([path, answer.status, answer.headers.get('content-encoding')]).toEqual([path, 200, 'gzip'])
    }
  })

  test('the API of the pages has the switches of the API, headers of its own, and no door for other origins', async () => {
    const { cookies } = await signedIn(keys[1])
    const headers = {
      cookie: [...cookies].map((pair) => pair.join('=')).join('; '),
      origin: 'https://portal.acme.example',
    }
    const listed = await running.call('GET', '/v4/stream/position', undefined, {
      authorization: `Bearer ${keys[1].key}`,
      origin: headers.origin,
    })
    expect(listed.headers.get('access-control-allow-origin')).toBe(headers.origin)
    const own = await running.call('GET', '/console/api/v4/stream/position', undefined, headers)
    expect([own.status, own.headers.get('x-content-type-options'), own.headers.get('cache-control')]).toEqual([
      200,
      'nosniff',
      'no-store',
    ])
    expect((await running.call('GET', '/console/api/v4/butlerping', undefined, headers)).status).toBe(404)
    const preflight = { ...headers, 'access-control-request-method': 'POST' }
    const paths = ['/console/', '/console/events', '/console/api/v4/events', '/console/login']
    for (const path of paths) {
      for (const [method, sent] of [
        ['GET', headers],
        ['OPTIONS', preflight],
      ] as const) {
        const answer = await running.call(method, path, undefined, sent)
        const cors = [...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))
        expect([method, path, cors]).toEqual([method, path, []])
      }
    }
  })

  test(
    'from the sign-in to an event, a dialog, the palette and a list by the keyboard alone',
    async () => {
      await failMany(running, 3)
      await using browser = await startBrowser()
      const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
      const { keyboard } = page
      const focus = (selector: string) => page.evaluate((wanted) => !!document.activeElement?.matches(wanted), selector)
      const focused = () => page.evaluate(() => document.activeElement?.outerHTML.slice(0, 200) ?? '')
      async function tabTo(selector: string): Promise<void> {
        for (let n = 0; n < 60 && !(await focus(selector)); n += 1) await keyboard.press('Tab')
        expect([selector, await focus(selector), await focused()]).toEqual([selector, true, expect.any(String)])
      }
      const arrives = (path: RegExp) => page.waitForURL(path, { waitUntil: 'load' })
      const dialog = page.locator('dialog[open]')
      const closed = () => dialog.waitFor({ state: 'detached' })

      await page.goto(`http://127.0.0.1:${running.restPort}/console/`)
      await tabTo('[name=credential]')
      await keyboard.type(keys[1].key)
      await keyboard.press('Enter')
      await arrives(/\/console\/$/)
      await keyboard.press('Tab')
      expect(await focus('.skip')).toBe(true)
      await keyboard.press('Enter')
      await tabTo('.items > .item h3 a')
      await keyboard.press('Enter')
      await arrives(/\/console\/(events|tasks|executions)\//)

      await keyboard.press('g')
      await keyboard.press('e')
      await arrives(/\/console\/events$/)
      const [first, second] = eventIds(running)
      const at = () =>
        page.evaluate(() => document.activeElement?.closest('[data-rows] > [data-key]')?.getAttribute('data-key'))
      await keyboard.press('j')
      expect(await at()).toBe(first!)
      await keyboard.press('j')
      await keyboard.press('j')
      await keyboard.press('k')
      expect(await at()).toBe(second!)
      await keyboard.press('f')
      expect(await focus('.filters input, .filters select')).toBe(true)
      await tabTo(`[data-key="${second}"] a`)
      await keyboard.press('Enter')
      await arrives(new RegExp(`/console/events/${second}`))

      await keyboard.press('.')
      await tabTo('main a[data-dialog]')
      const opener = await focused()
      await keyboard.press('Enter')
      await dialog.waitFor()
      for (let n = 0; n < 30; n += 1) {
        await keyboard.press('Tab')
        expect((await focus('main *, header *, footer *')) && !(await focus('dialog *'))).toBe(false)
      }
      await keyboard.press('Escape')
      await closed()
      expect(await focused()).toBe(opener)

      await keyboard.press('?')
      await dialog.getByText('next and previous row').waitFor()
      await keyboard.press('Escape')
      await closed()
      expect(await focused()).toBe(opener)

      await keyboard.press('Control+k')
      await dialog.locator('input:focus').waitFor()
      await keyboard.type('> go del')
      await dialog.locator('[role=option][aria-selected=true]').getByText('go delivery').waitFor()
      await keyboard.press('Enter')
      await arrives(/\/console\/deliveries/)
    },
    TIMEOUT_MS,
  )
})

/** A network between browser and product, which can be cut. */
async function startNetwork(port: number) {
  const sockets = new Set<Socket>()
  let isCut = false
  const server = createServer((from) => {
    if (isCut) return void from.destroy()
    const to = connect(port, '127.0.0.1')
    for (const one of [from, to]) {
      sockets.add(one)
      one.on('error', () => {})
    }
    from.on('close', () => to.destroy()).on('close', () => sockets.delete(from))
    to.on('close', () => from.destroy()).on('close', () => sockets.delete(to))
    from.pipe(to).pipe(from)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const cut = () => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    /** As a network does that loses everything and closes nothing: what is sent from now on never arrives. */
    silence() {
      isCut = true
      for (const socket of sockets) socket.unpipe().resume()
    },
    mend: () => {
      isCut = false
    },
    stop() {
      cut()
      server.close()
    },
  }
}

describe('in Chromium', () => {
  let running: Footman
  let browser: Browser
  let network: Awaited<ReturnType<typeof startNetwork>>

  beforeAll(async () => {
    running = await footman({
      simulator: null,
      args: ['--no-qs-connection'],
      config: { footman: { watchConfig: false } },
    })
    await running.start()
    network = await startNetwork(running.restPort)
    browser = await startBrowser()
    await failMany(running, 2)
  }, TIMEOUT_MS)
  afterAll(async () => {
    await browser?.close()
    network?.stop()
    await running?.[Symbol.asyncDispose]()
  })

  const status = (page: Page, name: string) => page.waitForSelector(`[data-status="${name}"]`, { state: 'attached' })
  const shownIds = (page: Page) =>
    page.$$eval('[data-rows] > [data-key]', (rows) => rows.map((row) => row.getAttribute('data-key')))
  const openStreams = async () => {
    const text = await (await running.call('GET', '/metrics')).text()
    return Number(/^footman_\w*streams\w*(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? Number.NaN)
  }

  test(
    'twelve tabs of one browser have one connection, and the last one loads and follows',
    async () => {
      const context = await browser.newContext()
      const tabs: Page[] = []
      for (let n = 0; n < 12; n += 1) {
        const tab = await context.newPage()
        await tab.goto(`${network.url}/console/events`)
        tabs.push(tab)
      }
      for (const tab of tabs) await status(tab, 'live')
      await until(async () => (await openStreams()) === 1, { what: 'one open stream', state: openStreams })
      await failMany(running, 1)
      for (const tab of [tabs[0]!, tabs[11]!]) {
        await tab.bringToFront()
        await tab.waitForSelector('#new-bar a')
      }
      await context.close()
      await until(async () => (await openStreams()) === 0, { what: 'no open stream' })
    },
    TIMEOUT_MS,
  )

  // What a page has to catch up with depends on the changes that it missed, not on the length of the cut: the test ends the
  // silent connections itself, where an operating system gives them up after a minute.
  test.each(['closes', 'silences'] as const)(
    'after a cut that %s the connections nothing is missing and nothing stands twice',
    async (kind) => {
      const context = await browser.newContext()
      const page = await context.newPage()
      await page.goto(`${network.url}/console/events`)
      await status(page, 'live')
      const before = await shownIds(page)
      if (kind === 'closes') network.cut()
      else network.silence()
      if (kind === 'closes') await status(page, 'reconnecting')
      await failMany(running, 20)
      network.cut()
      await status(page, 'reconnecting')
      network.mend()
      await status(page, 'live')
      await page.waitForSelector('#new-bar a')
      await page.waitForFunction(() => document.querySelector('#new-bar a')?.textContent?.startsWith('20 '))
      expect(await shownIds(page)).toEqual(before)
      await page.click('#new-bar a')
      await page.waitForFunction(
        (wanted) => document.querySelectorAll('[data-rows] > [data-key]').length === wanted,
        before.length + 20,
      )
      expect(await shownIds(page)).toEqual(eventIds(running))
      await context.close()
    },
    TIMEOUT_MS,
  )

  test('a stream that goes on after the last number has every change once', async () => {
    const seen: number[] = []
    /** Reads until the change `last`, then cuts the connection. */
    async function readUpTo(after: number, last: number): Promise<void> {
      const cut = new AbortController()
      const answer = await fetch(`${network.url}/v4/stream?after=${after}`, { signal: cut.signal })
      let text = ''
      for await (const piece of answer.body!) {
        text += Buffer.from(piece).toString()
        if (text.includes(`id: ${last}\n`)) break
      }
      cut.abort()
      const whole = text.slice(0, text.indexOf('\n\n', text.indexOf(`id: ${last}\n`)))
      for (const [, id] of whole.matchAll(/^id: (\d+)$/gm)) if (Number(id) <= last) seen.push(Number(id))
    }
    const changes = () => running.rows<{ seq: number }>('SELECT seq FROM change_log ORDER BY seq').map(({ seq }) => seq)
    const [middle] = changes().slice(-5)
    await readUpTo(0, middle!)
    await failMany(running, 10)
    await readUpTo(middle!, changes().at(-1)!)
    expect(seen).toEqual(changes().filter((seq) => seq <= seen.at(-1)!))
    expect(seen.at(-1)!).toBeGreaterThan(middle!)
  })
})
