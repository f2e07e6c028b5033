/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Decisions about an event that no rule is about: the panel says so, and names the next step. */
import { expect, test } from 'bun:test'
import { parse } from 'yaml'
import type { PageContext } from '../../../../src/console/page.ts'
import { appReloadRule, RULE, Why } from '../../../../src/console/pages/events/decisions.tsx'
import { loadText, summaryOf } from '../../../support/config.ts'

const context = {
  timezone: 'UTC',
  now: Date.parse('2026-11-23T07:00:00.000Z'),
  params: { id: 'e1' },
  here: () => '/console/events/e1',
  link: (path: string, query: Record<string, string> = {}) => {
    const search = new URLSearchParams(query).toString()
    return `/console${path}${search && `?${search}`}`
  },
} as unknown as PageContext

const NONE = {
  recorded: true,
  decidedAt: '2026-11-23T06:00:00.000Z',
  configurationFrom: '2026-11-22T06:00:00.000Z',
  stoppedBy: null,
  routes: [],
  notConcerned: 0,
  off: [],
}

const shown = async (decisions: object, offered?: string) =>
  String(
    await (
      <Why
        context={context}
        decisions={{ ok: true, status: 200, headers: new Headers(), data: decisions as never }}
        deliveries={[]}
        explanation={null}
        like={null}
        offered={offered}
      />
    ),
  )

test('without a rule it names the page to try it on, and the lines of a rule', async () => {
  const html = await shown(NONE)
  expect(html).toContain('No rule is about this event')
  expect(html).toContain('href="/console/system/routes?event=e1"')
  expect(html).toContain('alertRoutes:')
})

test('decisions that are not recorded ask for no rule', async () => {
  expect(await shown({ ...NONE, recorded: false })).not.toContain('No rule is about this event')
})

test('about a reload without a task the lines to copy switch such alerts on, to the destinations that are there', async () => {
  const lines = (to: readonly string[]) => parse(appReloadRule(to)).Butler.footman
  const rule = { name: 'app-reloads', match: { type: 'appReload' } }
  expect(lines(['teams', 'on "call"'])).toEqual({ alertRoutes: [{ ...rule, to: ['teams', 'on "call"'] }] })
  expect(lines([])).toEqual({
    destinations: { 'ops-mail': { type: 'email', recipients: ['ops@example.com'] } },
    alertRoutes: [{ ...rule, to: ['ops-mail'] }],
  })
  const html = await shown(NONE, appReloadRule(['teams']))
  expect(html).toContain('data-copy="Butler:')
  expect(html).toContain('match: { type: appReload }')
})

test('what it offers to copy is accepted by the check of the configuration', async () => {
  for (const lines of [RULE, appReloadRule([])]) {
    const problems = summaryOf(await loadText(lines))
    expect(problems.filter((problem) => /destinations|alertRoutes/.test(problem))).toEqual([])
  }
})
