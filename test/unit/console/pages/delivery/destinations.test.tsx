/** The list of destinations with its settings, and the choice of a type. */
import { describe, expect, test } from 'bun:test'
import { destinationTypes } from '../../../../../src/alerts/config-destinations.ts'
import { DESTINATIONS, type ListedDestination } from '../../../../../src/alerts/rules/contract.ts'
import type { PageContext } from '../../../../../src/console/page.ts'
import { destinationList } from '../../../../../src/console/pages/delivery/destinations.tsx'
import { newDestination } from '../../../../../src/console/pages/delivery/types.tsx'
import { withQuery } from '../../../../../src/http/endpoint/contract.ts'
import { SETTINGS, SETTINGS_OF, type Setting } from '../../../../../src/settings/contract.ts'
import { tableOf } from '../../../../support/console-scene.ts'
import { read, select, treeOf } from '../../../../support/reader.ts'

const FINE = { up: true, state: 'up', pending: 0, dead: 0, lastDeliveredAt: null, lastError: null } as const
const LISTED: readonly ListedDestination[] = [
  { ...FINE, name: 'email', type: 'email' },
  { ...FINE, name: 'chat', type: 'webhook', state: 'refuses', dead: 3, lastError: 'HTTP 410' },
  { ...FINE, name: 'finance', type: 'slack' },
]

const setting = (name: string, changes: Partial<Setting>): Setting => ({
  kind: 'destination',
  name,
  source: 'console',
  state: 'used',
  value: { type: 'slack' },
  revision: 1,
  changedAt: null,
  changedBy: null,
  file: null,
  line: null,
  issues: [],
  usedBy: [],
  ...changes,
})
const IN_FILE = { source: 'file', revision: null, file: 'footman.yaml', line: 12 } as const
const STORED = [
  setting('chat', { ...IN_FILE, value: { type: 'webhook' } }),
  setting('finance', {}),
  setting('night', { value: { type: 'ntfy', enable: false } }),
  setting('chat', { state: 'hidden', file: 'footman.yaml', line: 12 }),
  setting('lost', { state: 'unusable', issues: [{ path: '/webhookURL', message: 'cannot be read' }] }),
]
const ALL = ['event:read', 'event:run', 'setting:read', 'setting:write']

interface Given {
  readonly scopes?: readonly string[]
  readonly editable?: boolean
  readonly listed?: readonly ListedDestination[]
  readonly settings?: readonly Setting[]
}

/** A page as a person with these scopes sees it. */
async function shown(
  { render, path }: typeof destinationList,
  { scopes = ALL, editable = true, listed = LISTED, settings = STORED }: Given = {},
) {
  const answers = new Map<unknown, unknown>([
    [DESTINATIONS, { destinations: listed }],
    [SETTINGS, { editable, locked: editable ? null : 'Settings are those of the file.', kinds: [] }],
    [SETTINGS_OF, { settings }],
  ])
  const link = (to: string, query = {}) => withQuery(`/console${to}`, query)
  const context = {
    path,
    root: '/console',
    query: new URLSearchParams(),
    timezone: 'UTC',
    settings: { shadow: false },
    may: (scope: string) => scopes.includes(scope),
    link,
    here: (changes: object) => link(path, changes),
    ask: async (contract: unknown) => ({ ok: true, status: 200, data: answers.get(contract) }),
  } as unknown as PageContext
  const html = String(await (await render(context)).body)
  const all = (selector: string) => select(treeOf(html), selector)
  return {
    html,
    all,
    rows: tableOf(html, 'Destinations').map((row) => [row.Destination, row.From, row.State, row['Last error']]),
    links: (start: string) =>
      all('a').flatMap((one) => {
        const href = one.attributes.get('href') ?? ''
        return href.startsWith(start) ? [[read(one), href.replaceAll('&amp;', '&')]] : []
      }),
  }
}

const EDIT = '/console/system/settings/edit'

describe('the list', () => {
  test('has those in use and those that are not, with their origin and state', async () => {
    const { rows } = await shown(destinationList)
    expect(rows).toEqual([
      ['chat Webhook', 'file', 'refuses', 'HTTP 410'],
      ['email E-mail', 'file', 'up', ''],
      ['finance Slack', 'console', 'up', ''],
      ['night ntfy', 'console', 'switched off', ''],
      ['chat Slack', 'console', 'hidden by the file', ''],
      ['lost Slack', 'console', 'cannot be used', '/webhookURL cannot be read'],
    ])
  })

  test('leads to the form of each setting, and to that of a new one', async () => {
    const { links } = await shown(destinationList)
    expect(links(EDIT)).toEqual([
      ['Settings', `${EDIT}?kind=destination&name=chat`],
      ['Edit', `${EDIT}?kind=destination&name=finance`],
      ['Edit', `${EDIT}?kind=destination&name=night`],
      ['Edit', `${EDIT}?kind=destination&name=chat`],
      ['Edit', `${EDIT}?kind=destination&name=lost`],
    ])
    expect(links('/console/delivery')).toEqual([['Add destination', '/console/delivery/destinations/new']])
  })

  test.each<[string, Given, number]>([
    ['settings are locked', { editable: false }, 5],
    ['the person may only read settings', { scopes: ['event:read', 'setting:read'] }, 5],
    ['the person sees no settings', { scopes: ['event:read'] }, 0],
  ])('changes nothing where %s', async (_, given, forms) => {
    const { links, rows } = await shown(destinationList, given)
    expect(links('/console/delivery/destinations')).toEqual([])
    expect(links(EDIT).map(([text]) => text)).toEqual(Array.from({ length: forms }, () => 'Settings'))
    expect(rows.map(([name]) => name?.split(' ')[0])).toEqual(
      ['chat', 'email', 'finance', 'night', 'chat', 'lost'].slice(0, forms === 0 ? 3 : 6),
    )
    // The origin is a part of the settings.
    expect(rows.every(([, origin]) => (origin === undefined) === (forms === 0))).toBe(true)
  })

  test('without any destination offers the first one, or the lines of the file', async () => {
    const none = { listed: [], settings: [] }
    const { links, html } = await shown(destinationList, none)
    expect(links('/console/delivery').map(([text]) => text)).toEqual(['Add destination', 'Add the first one'])
    expect(html).not.toContain('type: email')
    expect((await shown(destinationList, { ...none, scopes: ['event:read'] })).html).toContain('type: email')
  })
})

describe('the choice of a type', () => {
  test('has each type once, with its name and sentence, and leads to its form', async () => {
    const { links } = await shown(newDestination)
    const sorted = (rows: (string | undefined)[][]) => rows.map((row) => row.join(' | ')).sort()
    expect(sorted(links(EDIT).map(([text, href]) => [text?.replace(/^(?:[A-Z][A-Za-z] )/, ''), href]))).toEqual(
      sorted(
        destinationTypes.map(({ name, title, about }) => [
          `${title} ${about}`,
          `${EDIT}?kind=destination&type=${name}`,
        ]),
      ),
    )
  })

  test('has drawings that exist', async () => {
    const { all } = await shown(newDestination)
    const icons = await Bun.file(new URL('../../../../../src/console/assets/icons.svg', import.meta.url)).text()
    const used = all('.typemark use').map(({ attributes }) => attributes.get('href')!.replace('#', ''))
    expect(used).toHaveLength(destinationTypes.length)
    for (const name of used) expect(icons).toContain(`<symbol id="${name}"`)
  })

  test('says why nothing may be added', async () => {
    const { links, html } = await shown(newDestination, { editable: false })
    expect(links(EDIT)).toEqual([])
    expect(html).toContain('Settings are those of the file.')
  })
})
