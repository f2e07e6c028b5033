/** Drafts of alert routes: where they may stand, what they replace, and errors with their lines. */
import { describe, expect, test } from 'bun:test'
import { withDraftRoutes } from '../../../../src/app/config/draft-routes.ts'
import { parseConfig } from '../../../../src/app/config/parse.ts'
import type { Config } from '../../../../src/app/schema.ts'
import { treeOf } from '../../../../src/settings/merge.ts'

const CONFIGURED = {
  footman: {
    destinations: { ops: { type: 'webhook', url: 'http://localhost/ops' } },
    windows: { nights: { from: '22:00', to: '06:00' } },
    alertRoutes: [
      { name: 'first', match: { outcome: 'failed' }, to: ['ops'] },
      { name: 'second', to: ['ops'] },
    ],
  },
}
const parsed = parseConfig(CONFIGURED)
const ROOT = treeOf({ Butler: CONFIGURED }, { file: 'butler.yaml', line: 1, column: 1 })
const config = 'config' in parsed ? parsed.config : ({} as Config)

const ROUTE = 'name: second\nenable: false\nto: [ops]'
const LIST = `- ${ROUTE.replaceAll('\n', '\n  ')}\n- name: third\n  match: { task: "ETL*", during: nights }\n  to: [ops]`
const below = (keys: readonly string[], text: string) =>
  keys.map((key, n) => `${'  '.repeat(n)}${key}:\n`).join('') + text.replaceAll(/^/gm, '  '.repeat(keys.length))

describe('a draft', () => {
  test('takes the place of routes with its names, the others come last', async () => {
    for (const text of [LIST, below(['alertRoutes'], LIST), below(['Butler', 'footman', 'alertRoutes'], LIST)]) {
      const { config: drafted, problems } = await withDraftRoutes(text, ROOT, config)
      expect(problems).toEqual([])
      expect(drafted?.footman.alertRoutes.map(({ name, enable }) => [name, enable])).toEqual([
        ['first', true],
        ['second', false],
        ['third', true],
      ])
    }
    expect(config.footman.alertRoutes.map(({ name }) => name)).toEqual(['first', 'second'])
  })

  test('may be a single route', async () => {
    const { config: drafted } = await withDraftRoutes(ROUTE, ROOT, config)
    expect(drafted?.footman.alertRoutes.map(({ enable }) => enable)).toEqual([true, false])
  })

  test.each([
    ['a: [', [[1, '', 'is not valid YAML']]],
    ['', [[1, '', 'has no rule']]],
    ['just words', [[1, 'alertRoutes', 'must be a list']]],
    ['- name: a\n  mtach: {}\n  to: [ops]', [[2, 'alertRoutes[0].mtach', 'unknown key']]],
    ['- name: a\n  match:\n    outcome: broken\n  to: [ops]', [[3, 'alertRoutes[0].match.outcome', 'broken']]],
    ['- name: a\n  to: [ops]\n  limit: often', [[3, 'alertRoutes[0].limit', 'like 1/5m']]],
    [
      '- name: a\n  match:\n    during: evenings\n  to: [oops]',
      [
        [3, 'alertRoutes[0].match.during', 'no window is called "evenings"'],
        [4, 'alertRoutes[0].to[0]', 'no destination is called "oops"'],
      ],
    ],
    ['- name: a\n  to: [ops]\n- name: a\n  to: [ops]', [[3, 'alertRoutes[1].name', 'is used twice']]],
    ['- name: a\n  to:\n    - destination: ops\n      uri: x', [[4, 'alertRoutes[0].to[0].uri', '']]],
  ] as [string, [number, string, string][]][])('with an error says where: %j', async (text, wanted) => {
    const { config: drafted, problems } = await withDraftRoutes(text, ROOT, config)
    expect(drafted).toBeNull()
    expect(problems.map(({ line, path }) => [line, path])).toEqual(wanted.map(([line, path]) => [line, path]))
    for (const [n, [, , part]] of wanted.entries()) expect(problems[n]?.message).toContain(part)
  })

  test('may bring what its rules name, in the place of what is in use', async () => {
    const text = `footman:
  destinations:
    ops: {type: slack, webhookURL: https://hooks.slack.com/services/T/B/x}
    page: {type: pagerduty, routingKey: ${'r'.repeat(32)}}
  calendars: {holidays: {dates: [2030-12-25]}}
  windows: {evenings: {from: '18:00', to: '22:00', notOn: [holidays]}}
  alertRoutes:
    - {name: third, match: {during: evenings}, to: [page, ops]}`
    const { config: drafted, problems } = await withDraftRoutes(text, ROOT, config)
    expect(problems).toEqual([])
    const { destinations, windows, calendars, alertRoutes } = drafted!.footman
    expect([destinations.ops!.type, destinations.page!.type]).toEqual(['slack', 'pagerduty'])
    expect([Object.keys(windows), Object.keys(calendars)]).toEqual([['nights', 'evenings'], ['holidays']])
    expect(alertRoutes.map(({ name }) => name)).toEqual(['first', 'second', 'third'])
    expect(config.footman.destinations.ops!.type).toBe('webhook')
    const wrong = await withDraftRoutes(text.replace('type: pagerduty', 'type: pager'), ROOT, config)
    expect(wrong.config).toBeNull()
    expect(wrong.problems.map(({ line, path }) => [line, path])).toEqual([
      [4, 'destinations.page.type'],
      [4, 'destinations.page.routingKey'],
    ])
  })

  test('keeps placeholders as they are', async () => {
    process.env.FOOTMAN_DRAFT_SECRET = 'canary'
    const text = `name: a\nto: [ops]\ntitle: "\${env:FOOTMAN_DRAFT_SECRET}"`
    const { config: drafted } = await withDraftRoutes(text, ROOT, config)
    expect(drafted?.footman.alertRoutes.at(-1)?.title).toBe(`\${env:FOOTMAN_DRAFT_SECRET}`)
    expect(JSON.stringify(drafted?.footman.alertRoutes)).not.toContain('canary')
  })
})
