import { describe, expect, test } from 'bun:test'
import { strictQuery } from '../../../../src/http/endpoint/list-query.ts'
import { createZoneTimes } from '../../../../src/platform/zone-times.ts'
import { tasksQuery } from '../../../../src/tasks/executions/contract.ts'
import { readTaskFilter } from '../../../../src/tasks/executions/http.ts'
import { matcherOf, taskInfo } from '../../../../src/tasks/executions/tasks.ts'
import { executionResult, qrsTask } from '../../../support/fake-qrs.ts'

const TASK = taskInfo(
  qrsTask({
    customProperties: [{ value: 'a:b', definition: { id: 'd', name: 'taskGroup' } }],
    app: { id: 'a1', name: 'Sales Dashboard', stream: { id: 's1', name: 'Finance' } },
    operational: { nextExecution: '1753-01-01T00:00:00.000Z', lastExecutionResult: executionResult() },
  }),
)

const filterOf = (query: Record<string, string | string[]>) =>
  readTaskFilter(strictQuery(tasksQuery(), query, createZoneTimes('UTC')))

describe('filters of the list of tasks', () => {
  test.each<[Record<string, string | string[]>, boolean]>([
    [{}, true],
    [{ name: 'financial*' }, true],
    [{ name: 'Financial' }, false],
    [{ name: ['x', '*reload'] }, true],
    [{ tag: 'hourly-reload' }, true],
    [{ tag: 'Hourly-Reload' }, false],
    [{ customProperty: 'taskGroup:a:b' }, true],
    [{ customProperty: 'taskGroup:a' }, false],
    [{ type: 'reload' }, true],
    [{ type: 'distribute' }, false],
    [{ outcome: ['aborted', 'failed'] }, true],
    [{ outcome: 'success' }, false],
    [{ state: 'finished' }, true],
    [{ state: 'running' }, false],
    [{ app: 'sales*' }, true],
    [{ stream: 'fin?nce' }, true],
    [{ stream: 'HR' }, false],
    [{ enabled: 'true' }, true],
    [{ enabled: 'false' }, false],
    [{ enabled: ['true', 'false'] }, true],
    [{ name: '*', tag: 'other' }, false],
  ])('%p', (query, expected) => {
    expect(matcherOf(filterOf(query))(TASK)).toBe(expected)
  })

  test('a task without app, stream or last run matches no filter about them', () => {
    const bare = taskInfo(qrsTask({ app: null, operational: null }))
    expect(bare).toMatchObject({ appId: null, stream: null, nextExecution: null, last: null })
    for (const [name, value] of Object.entries({ app: '*', stream: '*', outcome: 'failed', state: 'finished' })) {
      expect(matcherOf(filterOf({ [name]: value }))(bare)).toBe(false)
    }
  })

  test('a task that never ran has no last run', () => {
    const result = executionResult({ status: 0 })
    expect(taskInfo(qrsTask({ operational: { lastExecutionResult: result } })).last).toBeNull()
  })

  test.each([
    ['type', 'reloads'],
    ['outcome', 'ok'],
    ['state', 'x'],
    ['enabled', 'yes'],
    ['customProperty', 'x'],
  ])('%s=%s is refused', (name, value) => {
    expect(() => filterOf({ [name]: value })).toThrow(/Invalid query/)
  })
})
