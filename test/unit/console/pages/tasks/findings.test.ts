/** A task is failing, never started or late by the same items on every page. */
import { describe, expect, test } from 'bun:test'
import type { Page, PageContext } from '../../../../../src/console/page.ts'
import { nowPage } from '../../../../../src/console/pages/now/page.tsx'
import { taskList } from '../../../../../src/console/pages/tasks/list.tsx'
import { knownOf, mainItem, taskState } from '../../../../../src/console/pages/tasks/state.ts'
import type { AnyCall, AnyContract } from '../../../../../src/http/endpoint/contract.ts'
import type { AttentionItem, AttentionKind } from '../../../../../src/tasks/overview/contract.ts'
import { textOf } from '../../../../support/console.ts'

const NOW = Date.parse('2026-11-23T07:00:00.000Z')
const AT = new Date(NOW - 3_600_000).toISOString()

const item = (kind: AttentionKind, taskId: string): AttentionItem => ({
  key: `${kind}:${taskId}`,
  kind,
  severity: 'warning',
  since: AT,
  title: taskId,
  cause: null,
  task: { taskId, taskName: taskId },
  eventId: null,
  executionId: null,
  count: 1,
  outcome: null,
  dueAt: null,
  alerted: [],
  heldBack: [],
  quiet: null,
  behind: [],
  parent: null,
  runningAgain: null,
  usualMs: null,
  retry: null,
  taken: null,
  recovered: null,
})

/** A task is in one state, however many items are about it. */
const ITEMS: readonly AttentionItem[] = [
  item('late', 'waits'),
  item('stuck', 'hangs'),
  item('overUsual', 'slow'),
  item('overdue', 'due'),
  item('overUsual', 'due'),
  item('overdue', 'broken'),
  item('taskFailed', 'broken'),
  item('neverStarted', 'forgotten'),
]
const TASKS = [...new Set(ITEMS.flatMap(({ task }) => task?.taskId ?? []))]

const ANSWERS: Readonly<Record<string, unknown>> = {
  '/v4/attention': { items: ITEMS, hidden: [], count: ITEMS.length },
  '/v4/events': { events: [] },
  '/v4/udp': { sources: [] },
  '/v4/timeline': {
    from: AT,
    to: AT,
    now: AT,
    future: AT,
    summary: { runs: 1, success: 1, failed: 0, aborted: 0, recovered: 0, stillFailing: 0, neverStarted: 0 },
    groups: [],
    properties: [],
    maintenance: [],
    rowsLeftOut: 0,
    stale: false,
    partial: false,
  },
  '/v4/tasks': {
    tasks: TASKS.map((taskId) => ({
      taskId,
      taskName: taskId,
      taskType: 'reload',
      enabled: true,
      tags: [],
      customProperties: [],
      appName: null,
      stream: null,
      nextExecution: null,
      last: null,
    })),
    nextCursor: null,
  },
  '/v4/tasks/-/strips': { strips: {}, usual: {}, states: {} },
}

async function answerOf(path: string, isOver = false) {
  return { ok: true, status: 200, data: isOver ? { items: [] } : ANSWERS[path], headers: new Headers() }
}

async function shown(page: Page): Promise<string> {
  const context = {
    now: NOW,
    timezone: 'UTC',
    root: '/console',
    path: page.path,
    params: {},
    query: new URLSearchParams(),
    settings: { nightStart: '22:00', links: { qmc: '', hub: '' }, shadow: false, reports: true },
    actions: new Map(),
    visitor: { csrf: () => '' },
    may: () => true,
    link: (path: string) => `/console${path}`,
    here: () => '/console/',
    ask: ({ path }: AnyContract, { query = {} }: AnyCall = {}) => answerOf(path, query.state === 'recovered'),
  } as unknown as PageContext
  return textOf(String(await (await page.render(context)).body))
}

describe('failing, never started, late', () => {
  test('the first page counts the tasks that the list of tasks shows in these states', async () => {
    expect(await shown(nowPage)).toContain('1 task is still failing, 1 never started and 4 are late.')
    const list = await shown(taskList)
    const count = (word: string) => list.split(` ${word} since `).length - 1
    expect({ failed: count('failed'), missing: count('never started'), late: count('late') }).toEqual({
      failed: 1,
      missing: 1,
      late: 4,
    })
  })

  test('the item beside the state is the one that it comes from', () => {
    const known = knownOf([item('overUsual', 'one'), item('neverStarted', 'one')])
    expect(taskState({ taskId: 'one', state: 'running' }, known)).toBe('missing')
    expect(mainItem(known, 'one')?.kind).toBe('neverStarted')
    expect(mainItem(known, 'other')).toBeUndefined()
  })
})
