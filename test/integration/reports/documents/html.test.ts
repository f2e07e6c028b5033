import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { createRenderer } from '../../../../src/reports/documents/render.ts'
import { startBrowser } from '../../../support/browser.ts'
import { HOSTILE, packBlocks, packData } from '../../../support/report-pack.ts'
import { RENDER_SETTINGS, renderRequest } from '../../../support/report-request.ts'
import { needs } from '../../../support/servers.ts'
import { tempDirectory } from '../../../support/temp.ts'

needs('chromium')

const directory = tempDirectory()
let browser: Browser
const page = { title: 'Sales pack', footer: 'Page {page} of {pages}', orientation: 'landscape' }
const hostile = [
  ...packBlocks,
  { key: 'h', type: 'text', title: HOSTILE, markdown: `${HOSTILE}\n\n[x](javascript:document.title='ran') {{=Evil}}` },
]

beforeAll(async () => {
  browser = await startBrowser()
  const renderer = createRenderer(RENDER_SETTINGS, async () => {
    throw new Error('no templates here')
  })
  for (const embed of [false, true]) {
    const { request } = renderRequest({
      blocks: hostile,
      page,
      use: { format: 'html', embed },
      data: packData,
      directory: directory.path,
      fileName: embed ? 'mail.html' : 'page.html',
    })
    await renderer.render(request)
  }
}, 60_000)
afterAll(async () => {
  await browser?.close()
  directory.remove()
})

async function open<T>(name: string, scheme: 'light' | 'dark', work: (page: Page, requests: string[]) => Promise<T>) {
  const opened = await browser.newPage({ colorScheme: scheme })
  try {
    const requests: string[] = []
    opened.on('request', (request) => requests.push(request.url()))
    await opened.goto(pathToFileURL(directory.join(name)).href)
    return await work(opened, requests)
  } finally {
    await opened.close()
  }
}

describe('the HTML of a report', () => {
  test.each(['page.html', 'mail.html'])(
    '%s: no script runs, no request leaves, data stays text',
    async (name) => {
      await open(name, 'light', async (opened, requests) => {
        expect(await opened.title()).toBe('Sales pack')
        expect(await opened.locator('script').count()).toBe(0)
        expect(await opened.getByText(HOSTILE).first().isVisible()).toBeTrue()
        expect(
          await opened.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('href'))),
        ).toEqual(['https://qlik.example.org/app'])
        const foreign = requests.filter((url) => !url.startsWith('file:') && !url.startsWith('cid:'))
        expect(foreign).toEqual([])
      })
    },
    60_000,
  )

  const axe = readFileSync(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
  test.each([
    ['page.html', 'light'],
    ['page.html', 'dark'],
    ['mail.html', 'light'],
  ] as const)(
    'axe finds nothing in %s, %s',
    async (name, scheme) => {
      const found = await open(name, scheme, async (opened) => {
        await opened.evaluate(axe)
        return opened.evaluate(async () => {
          type Found = { violations: { id: string; nodes: { html: string }[] }[] }
          const { axe: library } = globalThis as unknown as { axe: { run(context: object): Promise<Found> } }
          const { violations } = await library.run(document)
          return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
        })
      })
      expect(found).toEqual([])
    },
    60_000,
  )

  test('is dark on a dark screen and light on paper', async () => {
    await open('page.html', 'dark', async (opened) => {
      const background = () => opened.evaluate(() => getComputedStyle(document.body).backgroundColor)
      expect(await background()).toBe('rgb(24, 30, 37)')
      await opened.emulateMedia({ media: 'print', colorScheme: 'dark' })
      expect(await background()).toBe('rgb(255, 255, 255)')
    })
  }, 60_000)

  test('ids of its charts are unique', async () => {
    await open('page.html', 'light', async (opened) => {
      const ids = await opened.locator('[id]').evaluateAll((elements) => elements.map(({ id }) => id))
      expect(new Set(ids).size).toBe(ids.length)
    })
  }, 60_000)
})
