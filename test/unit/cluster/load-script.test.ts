/** The views as an interface: the SQL that makes them, and the load script that reads them. */
import { describe, expect, test } from 'bun:test'
import { VIEWS, viewSql } from '../../../src/cluster/views.ts'
import { readRepositoryFile } from '../../support/source.ts'

const script = readRepositoryFile('config/qlik/footman_history.qvs')
const columnsOf = (view: string) => VIEWS.find(({ name }) => name === view)?.columns.map(([name]) => name)

describe('the load script of the history', () => {
  test('loads every view', () => {
    const called = [...script.matchAll(/CALL Footman_Load\('(\w+)'/g)].map(([, view]) => view!)
    const whole = [...script.matchAll(/FROM footman_qlik\.(\w+)/g)].map(([, view]) => view!)
    expect([...called, ...whole].toSorted()).toEqual(VIEWS.map(({ name }) => name).toSorted())
  })

  test('names keys and times that the views have', () => {
    const calls = [...script.matchAll(/CALL Footman_Load\('(\w+)', '(\w+)', '(\w+)'\)/g)]
    expect(calls).toHaveLength(5)
    for (const [, view, key, time] of calls)
      expect([view, columnsOf(view!)]).toEqual([view, expect.arrayContaining([key, time])])
    for (const [, view, time] of script.matchAll(/FROM footman_qlik\.(\w+) WHERE (\w+)/g)) {
      expect([view, columnsOf(view!)]).toEqual([view, expect.arrayContaining([time])])
    }
  })

  test('joins its tables by ids alone', () => {
    const keys = script.match(/UNQUALIFY (\w+_id[^;]*);/)?.[1]?.split(', ') ?? []
    const all = new Set(VIEWS.flatMap(({ name }) => columnsOf(name) ?? []))
    expect(keys.length).toBeGreaterThan(4)
    for (const key of keys) expect([key, all.has(key)]).toEqual([key, true])
  })
})

describe('the SQL of the views', () => {
  test('has no column with bodies, addresses of recipients, values of pairs or script logs', () => {
    const sql = viewSql({ schema: 'footman', views: 'footman_qlik', reader: '' })
    for (const secret of ['target', 'payload', 'recipient', 'script_log', "'value'", "'blob'", 'raw', 'sender']) {
      const isAuditTarget = secret === 'target'
      const found = sql
        .split('\n')
        .filter((line) => line.includes(secret) && !(isAuditTarget && line.includes('.audit')))
      expect([secret, found]).toEqual([secret, []])
    }
  })

  test('refuses names that are more than a name', () => {
    for (const reader of ['x; DROP TABLE replica', 'Reader', '"quoted"', '1st']) {
      expect(() => viewSql({ schema: 'footman', views: 'footman_qlik', reader })).toThrow('is no name')
    }
  })
})
