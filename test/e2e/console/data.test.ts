/** The pages of key-value pairs, file jobs and MQTT messages, with the rights of two keys. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { violations } from '../../support/accessibility.ts'
import { startBrowser } from '../../support/browser.ts'
import { newKey, textOf, type Visitor, visitor } from '../../support/console.ts'
import { openConsole } from '../../support/console-browser.ts'
import { ENCODINGS, encoded } from '../../support/encodings.ts'
import { type Everything, everything } from '../../support/everything.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('mosquitto', 'chromium')

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
const asSales = () => ({ authorization: `Bearer ${SALES.key}` })
const get = async (namespace: string, key: string) => {
  const answer = await call('GET', `/v4/keyvalues/${encodeURIComponent(namespace)}?${new URLSearchParams({ key })}`)
  return answer.ok ? ((await answer.json()) as { value: string }).value : null
}

describe('stored data', () => {
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
    expect(text).toContain('never')
    const filtered = await owner.page(`${PAGE}/Sales%20ETL?prefix=last`)
    expect(filtered.text).not.toContain('api_token')
    expect((await owner.page(`${PAGE}/nope`)).status).toBe(404)
  })

  test('keys that are dots can be read, changed and deleted', async () => {
    expect((await owner.page(`${PAGE}/Finance?key=..`)).text).toContain('two dots')
    const fields = { namespace: 'Finance', key: '..', confirmed: '1', sent: '1', value: 'three', ttl: '' }
    expect((await owner.act('kv.set', fields, PAGE)).status).toBe(303)
    expect(await get('Finance', '..')).toBe('three')
    expect((await owner.act('kv.delete', { namespace: 'Finance', key: '..', confirmed: '1' }, PAGE)).status).toBe(303)
    expect(await get('Finance', '..')).toBeNull()
    expect(await get('Finance', '.')).toBe('dot')
  })

  test('a new pair never replaces one, and a change meanwhile shows both values', async () => {
    const fields = { namespace: 'Sales ETL', key: 'shared', confirmed: '1', sent: '1', ttl: '' }
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

  test('a form that is sent twice is carried out once; one that was changed meanwhile is another', async () => {
    const fields = {
      namespace: 'Sales ETL',
      key: 'twice',
      confirmed: '1',
      sent: '1',
      ttl: '',
      revision: '0',
      once: 'a',
    }
    const sent = async (value: string) => (await owner.act('kv.set', { ...fields, value }, PAGE)).status
    expect([await sent('first'), await sent('first'), await sent('second')]).toEqual([303, 303, 412])
    expect(await get('Sales ETL', 'twice')).toBe('first')
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
    expect([wrong.status, wrong.text.includes('its first line is: no JSON')]).toEqual([400, true])
  })

  /** Posts a file to an operation, as the form of a page without JavaScript. */
  async function sendFile(operation: string, bytes: Uint8Array<ArrayBuffer>, fields: Record<string, string>) {
    const form = new FormData()
    for (const [name, value] of Object.entries({ csrf: await owner.csrf(`/console${PAGE}`), ...fields })) {
      form.append(name, value)
    }
    form.append('file', new Blob([bytes]), 'pairs.csv')
    const cookie = [...owner.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { cookie, accept: 'text/html', 'sec-fetch-site': 'same-origin' }
    const answer = await fetch(`${base}/console/form/${operation}`, {
      method: 'POST',
      body: form,
      headers,
      redirect: 'manual',
    })
    const html = await answer.text()
    for (const one of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = one.split(';', 1)[0]!.split('=')
      owner.cookies.set(name, value)
    }
    return { status: answer.status, html, text: textOf(html) }
  }
  const TABLE = 'namespace;key;value\nFiles;place;Köln'

  test.each(ENCODINGS)('pairs of a file in %s are shown before they are imported', async (encoding) => {
    const { status, html, text } = await sendFile('kv.import', encoded(TABLE, encoding), { confirmed: '1' })
    expect([status, text]).toEqual([200, expect.stringContaining('The text holds 1 pair in 1 namespace: Files')])
    expect(html).toContain('Files;place;Köln')
    expect(text.includes('The file is not UTF-8; it is read as Windows-1252.')).toBe(encoding === 'windows-1252')
    expect(await get('Files', 'place')).toBeNull()
  })

  test('the import of a file says at its end which encoding was assumed', async () => {
    const bytes = encoded(TABLE, 'windows-1252')
    const { status } = await sendFile('kv.import', bytes, { confirmed: '1', typed: 'Files' })
    expect(status).toBe(303)
    expect((await owner.page(PAGE)).text).toContain(
      '1 pair imported. The file is not UTF-8; it is read as Windows-1252.',
    )
    expect(await get('Files', 'place')).toBe('Köln')
    await call('DELETE', '/v4/keyvalues/Files')
  })

  test('a damaged file is refused with the place, and keeps what was typed', async () => {
    const bytes = Uint8Array.from([...encoded(TABLE, 'utf-8'), 0x0a, 0x46, 0xff, 0x46])
    const { status, html, text } = await sendFile('kv.import', bytes, { content: 'typed before', confirmed: '1' })
    expect([status, text]).toEqual([400, expect.stringContaining('cannot be read from pairs.csv: line 3, column 2')])
    expect(html).toContain('data-wrong="content"')
    expect(html).toContain('typed before')
    expect(html).not.toContain('\ufffd')
  })

  test('the stream has the changes of pairs that its reader may see', async () => {
    const cut = new AbortController()
    const url = `http://127.0.0.1:${all.product.restPort}/v4/stream?topic=keyValue`
    const answer = await fetch(url, { headers: asSales(), signal: cut.signal })
    expect(answer.status).toBe(200)
    let text = ''
    void (async () => {
      for await (const chunk of answer.body!) text += new TextDecoder().decode(chunk)
    })().catch(() => undefined)
    await until(() => text.includes('retry'))
    await set('Finance', 'hidden', 'x')
    await set('Sales ETL', 'shown', 'x')
    await until(() => text.includes('"key":"shown"'))
    cut.abort()
    expect(text).not.toContain('Finance')
    expect((await call('DELETE', '/v4/keyvalues/Finance/hidden')).status).toBe(204)
    const refused = await fetch(url.replace('keyValue', 'event'), { headers: asSales() })
    expect(refused.status).toBe(403)
  })

  test('a key that reads Sales* sees no other namespace, and its buttons name the scope that is missing', async () => {
    const list = await sales.page(PAGE)
    expect(list.text).toContain('Sales ETL')
    expect(list.text).not.toContain('Finance')
    expect(list.html).toMatch(/<button[^>]*disabled[^>]*title="This needs the scope kv:write"/)
    const own = await sales.page(`${PAGE}/Sales%20ETL`)
    expect(own.html).toMatch(/<button[^>]*disabled[^>]*title="This needs the scope kv:write"[^>]*>Edit/)
    const [there, nowhere] = [await sales.page(`${PAGE}/Finance`), await sales.page(`${PAGE}/Nowhere`)]
    expect([there.status, nowhere.status]).toEqual([403, 403])
    expect(there.text.replaceAll('Finance', 'Nowhere').replace(/request \S+/, '')).toBe(
      nowhere.text.replace(/request \S+/, ''),
    )
    const fields = { namespace: 'Sales ETL', key: 'x', value: 'y', confirmed: '1', sent: '1' }
    expect((await sales.act('kv.set', fields, '/schedules')).status).toBe(403)
    expect(await get('Sales ETL', 'x')).toBeNull()
    const found = await sales.page('/search?q=finance')
    expect(found.text).toContain('Nothing found')
    expect((await sales.page('/search?q=sales')).html).toContain(`/console${PAGE}/Sales%20ETL`)
    expect((await owner.page('/search?q=finance')).html).toContain(`/console${PAGE}/Finance`)
    const exported = await all.product.call('GET', '/v4/keyvaluesexport', undefined, asSales())
    expect(Object.keys(((await exported.json()) as { namespaces: object }).namespaces)).toEqual(['Sales ETL'])
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

  describe('in Chromium', () => {
    let browser: Browser
    beforeAll(async () => {
      browser = await startBrowser()
    }, 90_000)
    afterAll(() => browser?.close())

    test('a pair is edited in a dialog', async () => {
      await using opened = await openConsole(browser, `${base}/console${PAGE}/Sales%20ETL`, { as: owner, width: 360 })
      await opened.page.click('text=Edit >> nth=0')
      await opened.page.locator('dialog textarea').waitFor()
      expect(await violations(opened.page)).toEqual([])
    }, 60_000)

    async function signedIn({ key }: { readonly key: string }): Promise<Page> {
      const page = await (await browser.newContext()).newPage()
      await signIn(page, { key })
      return page
    }
    async function signIn(page: Page, { key }: { readonly key: string }): Promise<void> {
      await page.goto(`${base}/console/login`)
      await page.fill('[name=credential]', key)
      await page.click('text=Sign in >> nth=-1')
      await page.locator('header.top').waitFor()
    }

    test('changes of pairs appear in the open page, and the time that is left counts down', async () => {
      await set('Sales live', 'a', 'one')
      await set('Sales live', 'b', 'two')
      const page = await signedIn(SALES)
      await page.goto(`${base}/console${PAGE}/Sales%20live`)
      await page.locator('[data-status=live]').waitFor()
      const row = (key: string) => page.locator(`tr[data-key="${key}"]`)
      await set('Sales live', 'a', 'changed')
      await row('a').getByText('changed').waitFor()
      await call('POST', '/v4/keyvalues/Sales%20live', { key: 'b', value: 'two', ttl: 100_000 })
      const left = row('b').locator('[data-left]')
      const first = await left.textContent()
      expect(first).toMatch(/^1 min( \d+ s)?$/)
      await until(async () => (await left.textContent()) !== first, { timeout: 15_000 })
      await set('Sales live', 'c', 'three')
      await page.getByText('1 new – show').waitFor()
      await call('DELETE', '/v4/keyvalues/Sales%20live/a')
      await page.locator('tr.gone[data-key="a"]').waitFor()
      await page.context().close()
    }, 60_000)

    test('the palette and what it remembers show nothing of other namespaces', async () => {
      await set('Payroll', 'last run', 'x')
      const page = await signedIn(OWNER)
      const options = page.locator('dialog.palette [role=option]')
      const typed = async (text: string) => {
        await page.keyboard.press('Control+k')
        await page.locator('dialog.palette input').fill(text)
      }
      await typed('payroll')
      await options.filter({ hasText: 'Payroll' }).waitFor()
      await page.keyboard.press('Enter')
      await page.waitForURL(/keyvalues\/Payroll$/)
      await page.keyboard.press('Control+k')
      await options.filter({ hasText: 'Payroll' }).waitFor()
      await page.keyboard.press('Escape')
      await page.locator('.who summary').click()
      await page.getByRole('button', { name: 'Sign out' }).click()

      await signIn(page, SALES)
      await typed('')
      expect(await options.count()).toBe(0)
      await page.locator('dialog.palette input').fill('payroll')
      await page.getByText('Nothing found').waitFor()
      await page.locator('dialog.palette input').fill('sales')
      await options.filter({ hasText: 'Sales ETL' }).waitFor()
      expect(await options.allInnerTexts()).not.toContain('Payroll')
      await page.locator('dialog.palette input').fill('>')
      await options.filter({ hasText: 'copy link' }).waitFor()
      const commands = (await options.allInnerTexts()).join('\n')
      expect(commands).toContain('go schedules')
      for (const word of ['start', 'snooze', 'go events']) expect(commands).not.toContain(word)
      expect(await violations(page)).toEqual([])
      await page.locator('dialog.palette input').fill('> theme dark')
      await options.filter({ hasText: 'theme dark' }).click()
      await page.locator('html[data-theme=dark]').waitFor()
      await page.context().close()
    }, 60_000)

    test('an import takes the text of a file', async () => {
      const page = await signedIn(OWNER)
      await page.goto(`${base}/console${PAGE}`)
      await page.getByText('Import…').click()
      const exported = await (await call('GET', '/v4/keyvaluesexport?namespace=Sales%20live')).text()
      await page
        .locator('dialog input[type=file]')
        .setInputFiles({ name: 'pairs.json', mimeType: 'application/json', buffer: Buffer.from(exported) })
      await page.locator('dialog button.primary').click()
      await page.getByText('in 1 namespace: Sales live').waitFor()
      await page.goto(`${base}/console${PAGE}`)
      await page.getByText('Import…').click()
      const table = 'namespace;key;value\r\nSales table;größe;5\r\n'
      await page.locator('dialog input[type=file]').setInputFiles({
        name: 'pairs.csv',
        mimeType: 'text/csv',
        buffer: Buffer.from(table, 'latin1'),
      })
      await page.locator('dialog button.primary').click()
      await page.getByText('1 pair in 1 namespace: Sales table').waitFor()
      await page.context().close()
    }, 60_000)
  })
})
