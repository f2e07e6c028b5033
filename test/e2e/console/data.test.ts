/** The pages of key-value pairs, file jobs and MQTT messages, with the rights of two keys. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { violations } from '../../support/accessibility.ts'
import { startBrowser } from '../../support/browser.ts'
import { newKey, type Visitor, visitor } from '../../support/console.ts'
import { looksWell, openConsole } from '../../support/console-browser.ts'
import { type Everything, everything } from '../../support/everything.ts'
import { findExecutable } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

const OWNER = newKey('owner', 'admin', 'kv:*', 'schedule:read', 'file:*', 'message:*')
/** Reads some namespaces, writes none. */
const SALES = newKey('sales', 'kv:read', 'schedule:read')
const PAGE = '/system/keyvalues'
const HOSTILE = '"><script>alert(1)</script>'

let all: Everything
let base: string
let owner: Visitor
let sales: Visitor

const call = (method: string, path: string, body?: unknown) =>
  all.product.call(method, path, body, { authorization: `Bearer ${OWNER.key}` })

async function set(namespace: string, key: string, value: string): Promise<void> {
  const { status } = await call('POST', `/v4/keyvalues/${encodeURIComponent(namespace)}`, { key, value })
  expect(status).toBe(201)
}
const get = async (namespace: string, key: string) => {
  const answer = await call('GET', `/v4/keyvalues/${encodeURIComponent(namespace)}?${new URLSearchParams({ key })}`)
  return answer.ok ? ((await answer.json()) as { value: string }).value : null
}

describe.skipIf(!findExecutable('mosquitto'))('stored data', () => {
  beforeAll(async () => {
    const access = { enable: true, keys: [OWNER.entry, { ...SALES.entry, keyValueNamespaces: ['Sales*'] }] }
    const api = { rateLimitPerMinute: 0 }
    const footman = { dataDirectory: 'data', access, api, mqtt: { receivedTopics: ['plant/#'] } }
    all = await everything({ footman })
    await all.product.start()
    base = `http://127.0.0.1:${all.product.restPort}`
    owner = visitor(base)
    sales = visitor(base)
    await owner.signIn(OWNER.key)
    await sales.signIn(SALES.key)
    await set('Sales ETL', 'last run', '{"at":"2026-11-22","rows":[1,2]}')
    await set('Sales ETL', 'api_token', 'not-a-real-token')
    await set('Finance', '.', 'dot')
    await set('Finance', '..', 'two dots')
    await set(HOSTILE, HOSTILE, HOSTILE)
  }, 60_000)
  afterAll(() => all?.[Symbol.asyncDispose]())

  test('namespaces have their number of keys and size, and every text is text', async () => {
    const { status, text, html } = await owner.page(PAGE)
    expect(status).toBe(200)
    expect(text).toMatch(/Sales ETL 2 65 B/)
    expect(text).toMatch(/Finance 2 14 B/)
    expect(text).toContain(HOSTILE)
    expect(html).not.toContain('<script>alert')
    const page = await owner.page(`${PAGE}/${encodeURIComponent(HOSTILE)}`)
    expect(page.text).toContain(HOSTILE)
    expect(page.html).not.toContain('<script>alert')
  })

  test('pairs have JSON set out, and secrets are covered', async () => {
    const { html, text } = await owner.page(`${PAGE}/Sales%20ETL`)
    expect(html).toContain('&quot;rows&quot;: [\n    1,\n    2\n  ]')
    expect(html).toMatch(/<details><summary>covered – show<\/summary><pre[^>]*>not-a-real-token/)
    expect(text).toContain('no limit')
    const filtered = await owner.page(`${PAGE}/Sales%20ETL?prefix=last`)
    expect(filtered.text).not.toContain('api_token')
    expect((await owner.page(`${PAGE}/nope`)).status).toBe(404)
  })

  test('keys that are dots can be read, changed and deleted', async () => {
    expect((await owner.page(`${PAGE}/Finance?key=..`)).text).toContain('two dots')
    const fields = { namespace: 'Finance', key: '..', confirmed: '1', sent: '1', value: 'three', minutes: '' }
    expect((await owner.act('kv.set', fields, PAGE)).status).toBe(303)
    expect(await get('Finance', '..')).toBe('three')
    expect((await owner.act('kv.delete', { namespace: 'Finance', key: '..', confirmed: '1' }, PAGE)).status).toBe(303)
    expect(await get('Finance', '..')).toBeNull()
    expect(await get('Finance', '.')).toBe('dot')
  })

  test('a new pair never replaces one, and a change meanwhile shows both values', async () => {
    const fields = { namespace: 'Sales ETL', key: 'shared', confirmed: '1', sent: '1', minutes: '' }
    expect((await owner.act('kv.set', { ...fields, value: 'first', revision: '0' }, PAGE)).status).toBe(303)
    const taken = await owner.act('kv.set', { ...fields, value: 'mine', revision: '0' }, PAGE)
    expect(taken.status).toBe(412)
    expect(taken.text).toContain('Its value now: first')
    expect(taken.html).toContain('mine')
    expect(await get('Sales ETL', 'shared')).toBe('first')
    const [, revision = ''] = /name="revision" value="([^"]+)"/.exec(taken.html) ?? []
    expect((await owner.act('kv.set', { ...fields, value: 'mine', revision }, PAGE)).status).toBe(303)
    expect(await get('Sales ETL', 'shared')).toBe('mine')
  })

  test('a namespace is deleted, and an export imported, only with the name typed', async () => {
    const exported = await (await call('GET', '/v4/keyvaluesexport?namespace=Finance')).text()
    const fields = { namespace: 'Finance', confirmed: '1' }
    const asked = await owner.act('kv.deleteNamespace', fields, PAGE)
    expect([asked.status, asked.text.includes('Type Finance to go on')]).toEqual([200, true])
    expect(await get('Finance', '.')).toBe('dot')
    await owner.act('kv.deleteNamespace', { ...fields, typed: 'Finance' }, PAGE)
    expect(await get('Finance', '.')).toBeNull()

    const content = { content: exported, mode: 'replace', confirmed: '1' }
    const counted = await owner.act('kv.import', content, PAGE)
    expect(counted.text).toContain('The text holds 1 pair in 1 namespace: Finance')
    expect(await get('Finance', '.')).toBeNull()
    expect((await owner.act('kv.import', { ...content, typed: 'Finance' }, PAGE)).status).toBe(303)
    expect(await get('Finance', '.')).toBe('dot')
    const wrong = await owner.act('kv.import', { content: 'no JSON', confirmed: '1' }, PAGE)
    expect([wrong.status, wrong.text.includes('This is no JSON')]).toEqual([400, true])
  })

  test('a key that reads Sales* sees no other namespace, and its buttons name the scope that is missing', async () => {
    const list = await sales.page(PAGE)
    expect(list.text).toContain('Sales ETL')
    expect(list.text).not.toContain('Finance')
    expect(list.html).toMatch(/<button[^>]*disabled[^>]*title="This needs the scope kv:write"/)
    const own = await sales.page(`${PAGE}/Sales%20ETL`)
    expect(own.html).toMatch(/<button[^>]*disabled[^>]*title="This needs the scope kv:write"[^>]*>Edit/)
    expect((await sales.page(`${PAGE}/Finance`)).status).toBe(403)
    const fields = { namespace: 'Sales ETL', key: 'x', value: 'y', confirmed: '1', sent: '1' }
    expect((await sales.act('kv.set', fields, '/schedules')).status).toBe(403)
    expect(await get('Sales ETL', 'x')).toBeNull()
    for (const path of ['/system/files', '/system/mqtt']) expect((await sales.page(path)).status).toBe(403)
  })

  test('file jobs show their state, and the empty page the call', async () => {
    const empty = await owner.page('/system/files')
    expect(empty.text).toContain('/v4/filecopy?async=true')
    const files = { fromFile: 'qvd/sales.qvd', toFile: 'archive/sales.qvd', overwrite: true }
    const { jobId } = (await (await call('PUT', '/v4/filecopy?async=true', files)).json()) as { jobId: string }
    const text = await until(async () => {
      const page = await owner.page(`/system/files/${jobId}`)
      return page.text.includes('succeeded') ? page.text : null
    })
    expect(text).toContain('100 %, 5 B of 5 B, 1 of 1 files')
    expect((await owner.page('/system/files')).text).toContain('sales.qvd')
    const late = await owner.act('filejob.cancel', { jobId, confirmed: '1' }, PAGE)
    expect([late.status, late.text.includes('has ended already')]).toEqual([409, true])
    expect((await owner.page('/system/files/nope')).status).toBe(404)
  })

  test('received messages have their payload set out, and a topic filter', async () => {
    expect((await owner.page('/system/mqtt')).text).toContain('receivedTopics')
    await call('PUT', '/v4/mqttpublishmessage', { topic: 'plant/line1/state', message: '{"state":"running"}' })
    const html = await until(async () => {
      const page = await owner.page('/system/mqtt')
      return page.text.includes('plant/line1/state') ? page.html : null
    })
    expect(html).toContain('&quot;state&quot;: &quot;running&quot;')
    expect((await owner.page('/system/mqtt?topic=plant/line2/%23')).text).toContain('Nothing matches')
  })

  describe.skipIf(!findExecutable('chromium'))('in Chromium', () => {
    let browser: Browser
    beforeAll(async () => {
      browser = await startBrowser()
    }, 30_000)
    afterAll(() => browser?.close())

    test('the pages look well', async () => {
      const paths = [PAGE, `${PAGE}/Sales%20ETL`, '/system/files', '/system/mqtt']
      await looksWell(browser, `${base}/console`, paths, { as: owner })
    }, 60_000)

    test('a pair is edited in a dialog', async () => {
      await using opened = await openConsole(browser, `${base}/console${PAGE}/Sales%20ETL`, { as: owner, width: 360 })
      await opened.page.click('text=Edit >> nth=0')
      await opened.page.locator('dialog textarea').waitFor()
      expect(await violations(opened.page)).toEqual([])
    }, 60_000)
  })
})
