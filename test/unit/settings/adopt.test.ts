/** Entries of the file that become stored ones: their values, and the lines to be deleted. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type LoadResult, loadConfig } from '../../../src/app/config/load.ts'
import { entryInFile, linesOf } from '../../../src/settings/adopt.ts'
import type { SettingKind } from '../../../src/settings/kinds.ts'
import { MASK, type OpenedSetting } from '../../../src/settings/store.ts'
import type { WholeConfiguration } from '../../../src/settings/views.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'footman-adopt-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

let files = 0
async function load(text: string, settings: readonly OpenedSetting[] = []): Promise<LoadResult & { file: string }> {
  files += 1
  const file = join(directory, `${files}.yaml`)
  writeFileSync(file, text)
  const env = { TOKEN: 'canary' }
  const result = await loadConfig({ file, env, cwd: directory, settings, overrides: { qlikConnection: false } })
  return { ...result, file }
}
const wholeOf = ({ nodeAt, placeOf, file }: LoadResult & { file: string }): WholeConfiguration => ({
  settings: [],
  nodeAt,
  placeOf,
  references: () => [],
  text: async () => readFileSync(file, 'utf8'),
})
const refused = (work: () => unknown): unknown => {
  try {
    work()
  } catch (error) {
    return (error as { body?: unknown }).body
  }
  return null
}

const BLOCK = `Butler:
  # All that a site has.
  scheduler:
    enable: true # on
  footman:
    destinations:
      ops: &ops # token: canary
        type: webhook
        url: "https://a.example/canary" # was https://b.example/canary
        headers:
          X-Token: >-
            canary
            canary
        # the end

      quiet:
        {type: webhook, Url: "https://a.example/\${env:TOKEN}", body: "\${env:TOKEN}"}
      last: {type: webhook, url: https://a.example/canary}
    alertRoutes:
      - name: first
        to: [ops]

      # The second one.
      - to:
          - quiet
        name: second
      -
        name: third
        to: [ops]
    calendars:
      days: {dates: [2030-12-25]}
    # Behind.
`

const ENTRIES: readonly (readonly [SettingKind, string, from: number, to: number, isAlone: boolean])[] = [
  ['switch', 'scheduler.enable', 4, 4, true],
  ['destination', 'ops', 7, 13, true],
  ['destination', 'quiet', 16, 17, true],
  ['destination', 'last', 18, 18, true],
  ['rule', 'first', 20, 21, true],
  ['rule', 'second', 24, 26, true],
  ['rule', 'third', 28, 29, false],
  ['calendar', 'days', 31, 31, true],
]

const rowOf = (kind: SettingKind, name: string, value: unknown): OpenedSetting => ({
  kind,
  name,
  position: 0,
  value,
  opened: value,
  lost: [],
  revision: 1,
  changedAt: 0,
  changedBy: 'anna',
})

describe('the lines of', () => {
  test.each(ENTRIES)('%s %s', async (kind, name, from, to, isAlone) => {
    const result = await load(BLOCK)
    const entry = entryInFile(wholeOf(result), kind, name)
    const lines = linesOf(BLOCK, entry)
    expect(lines).toMatchObject({ from, to, isAlone })
    expect(lines.text).not.toContain('canary')
    expect(lines.text).not.toContain('b.example')
    expect(lines.text).toContain(kind === 'destination' ? 'type: webhook' : (name.split('.').at(-1) as string))
    if (!isAlone) return
    // Without them, and with the stored value, the configuration is the same.
    const text = BLOCK.split('\n')
    const after = await load(text.filter((_, n) => n + 1 < from || n + 1 > to).join('\n'), [
      rowOf(kind, name, entry.value),
    ])
    expect(after.settings.map(({ state }) => state)).toEqual([{ state: 'used' }])
    const byName = <T extends { name: string }>(list: readonly T[]) =>
      [...list].sort((a, b) => (a.name < b.name ? -1 : 1))
    const comparable = ({ config }: LoadResult) => ({
      ...config,
      footman: { ...config!.footman, alertRoutes: byName(config!.footman.alertRoutes) },
    })
    expect(comparable(after)).toEqual(comparable(result))
  })

  test('entries of JSON, one a line and all on one', async () => {
    const butler = {
      Butler: {
        footman: {
          destinations: {
            a: { type: 'webhook', url: 'https://a.example/canary' },
            b: { type: 'ntfy', topic: 'canary' },
          },
          alertRoutes: [
            { name: 'x', to: ['a'] },
            { name: 'y', to: ['b'] },
          ],
        },
      },
    }
    const [pretty, tight] = [JSON.stringify(butler, null, 2), JSON.stringify(butler)]
    const at = async (text: string, kind: SettingKind, name: string) =>
      linesOf(text, entryInFile(wholeOf(await load(text)), kind, name))
    expect(await at(pretty, 'destination', 'a')).toMatchObject({ from: 5, to: 8, isAlone: true })
    expect(await at(pretty, 'rule', 'y')).toMatchObject({ from: 21, to: 26, isAlone: true })
    const b = await at(tight, 'destination', 'b')
    expect(b).toMatchObject({ from: 1, to: 1, isAlone: false })
    for (const text of [(await at(pretty, 'destination', 'a')).text, (await at(pretty, 'destination', 'b')).text])
      expect(text).toContain(MASK)
    expect(b.text).not.toContain('"topic":"canary"')
  })

  test('of an entry that has changed in the file are refused', async () => {
    const entry = entryInFile(wholeOf(await load(BLOCK)), 'destination', 'ops')
    for (const text of ['', `\n${BLOCK}`, BLOCK.replace('a.example/canary" #', 'c.example" #'), 'a: ['])
      expect(refused(() => linesOf(text, entry))).toMatchObject({ code: 'SETTING_CHANGED' })
  })
})

describe('an entry of the file', () => {
  test('keeps its placeholders, loses its name in a list, and names the rules behind it', async () => {
    const whole = wholeOf(await load(BLOCK))
    expect(entryInFile(whole, 'destination', 'quiet').value).toEqual({
      type: 'webhook',
      url: `https://a.example/\${env:TOKEN}`,
      body: `\${env:TOKEN}`,
    })
    expect(entryInFile(whole, 'rule', 'first')).toMatchObject({
      value: { to: ['ops'] },
      followers: ['second', 'third'],
    })
    expect(entryInFile(whole, 'switch', 'scheduler.enable').value).toBe(true)
    expect(refused(() => entryInFile(whole, 'rule', 'fourth'))).toMatchObject({ code: 'SETTING_NOT_FOUND' })
  })

  test('with a value of the environment stays there', async () => {
    writeFileSync(
      join(directory, 'custom-environment-variables.yaml'),
      stringify({ Butler: { footman: { destinations: { ops: { url: 'TOKEN' } } } } }),
    )
    const whole = wholeOf(await load(BLOCK.replace('canary" #', 'x" #')))
    rmSync(join(directory, 'custom-environment-variables.yaml'))
    expect(refused(() => entryInFile(whole, 'destination', 'ops'))).toMatchObject({
      issues: [{ path: 'value/url', message: expect.stringContaining('environment') }],
    })
  })
})
