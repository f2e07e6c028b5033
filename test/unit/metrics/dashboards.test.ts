/** The dashboards that are shipped: they can be imported, and ask for what there is. */
import { describe, expect, test } from 'bun:test'
import { METRIC_FAMILIES } from '../../../scripts/lib/metric-list.ts'
import { DASHBOARDS, dashboard, dashboardText, PROMETHEUS_VALUES, queriesOf } from '../../support/dashboards.ts'
import { expressionFaults } from '../../support/promtool.ts'
import { needs } from '../../support/servers.ts'

needs('promtool')

describe.each(DASHBOARDS)('the dashboard for %s', (kind) => {
  const board = dashboard(kind)
  const panels = board.panels.filter(({ type }) => type !== 'row')

  test('names no data source of its own, so that it can be imported anywhere', () => {
    expect(board.templating.list[0]).toMatchObject({ name: 'datasource', type: 'datasource', query: kind })
    for (const { datasource } of panels.flatMap(({ targets = [] }) => targets)) {
      expect(datasource).toEqual({ type: kind, uid: `\${datasource}` })
    }
    expect(board).toMatchObject({ uid: `footman-${kind}`, title: expect.stringContaining('Footman') })
    expect(board).not.toHaveProperty('id')
  })

  test('has panels with titles, units and queries that do not lie on one another', () => {
    expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length)
    const taken = new Map<string, string>()
    for (const { title, type, gridPos, targets = [], fieldConfig } of board.panels) {
      expect(title).not.toBe('')
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, taken.get(`${x} ${y}`)]).toEqual([title, undefined])
          taken.set(`${x} ${y}`, title)
        }
      }
      if (type === 'row') continue
      expect([title, fieldConfig?.defaults.unit]).toEqual([title, expect.any(String)])
      expect([title, targets.map(({ refId }) => refId)]).toEqual([title, ['A', 'B', 'C', 'D'].slice(0, targets.length)])
      expect(targets.length).toBeGreaterThan(0)
    }
  })

  test('uses the variables it has', () => {
    const known = new Set(board.templating.list.map(({ name }) => name))
    const used = [...dashboardText(kind).matchAll(/\$\{?(\w+)/g)].map(([, name]) => name!)
    const own = used.filter((name) => !/^(__|tag_|m$|timeFilter$)/.test(name))
    expect(new Set(own)).toEqual(known)
  })
})

describe('the expressions for Prometheus', () => {
  const queries = queriesOf(dashboard('prometheus'), PROMETHEUS_VALUES)
  const texts = queries.map(({ text }) => text)
  const variables = dashboard('prometheus').templating.list.flatMap(({ query }) =>
    typeof query === 'object' ? [query.query] : [],
  )
  const families = new Map(METRIC_FAMILIES.map((family) => [family.name, family]))
  const familyOf = (name: string) => families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''))

  test('can be read by promtool', () => {
    expect(expressionFaults(texts)).toEqual([])
    expect(expressionFaults(['sum(footman_qrs_up'])).not.toEqual([])
  })

  test('name metrics that there are, with labels that they have', () => {
    for (const text of [...texts, ...variables]) {
      const names = [...text.matchAll(/\b(?:footman|process)_\w+/g)].map(([name]) => name)
      expect([text, names.length > 0 || text.startsWith('vector')]).toEqual([text, true])
      for (const name of names) expect([text, name, familyOf(name) !== undefined]).toEqual([text, name, true])
      const labels = new Set(names.flatMap((name) => familyOf(name)?.labels ?? []))
      for (const label of labelsIn(text)) {
        expect([text, label, labels.has(label) || ['instance', 'le'].includes(label)]).toEqual([text, label, true])
      }
    }
  })

  test('use buckets for quantiles, and rates for counters', () => {
    for (const text of texts) {
      for (const [, name] of text.matchAll(/\b((?:footman|process)_\w+)/g)) {
        const type = familyOf(name!)?.type
        const isRated = new RegExp(`(rate|increase)\\(${name}\\b`).test(text)
        expect([text, isRated]).toEqual([text, type !== 'gauge'])
        if (type === 'histogram') expect(name).toEndWith('_bucket')
      }
    }
  })

  test('show every metric', () => {
    const shown = new Set(
      texts.flatMap((text) => [...text.matchAll(/\b(?:footman|process)_\w+/g)].map(([name]) => familyOf(name))),
    )
    const hidden = METRIC_FAMILIES.filter((family) => !shown.has(family)).map(({ name }) => name)
    expect(hidden).toEqual([])
  })
})

/** Labels in matchers and groupings. */
function labelsIn(text: string): string[] {
  const matchers = [...text.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label]) => label!)
  const groups = [...text.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, list]) =>
    list!.split(','),
  )
  const values = [...text.matchAll(/label_values\(\w+, (\w+)\)/g)].map(([, label]) => label!)
  return [...matchers, ...groups.map((label) => label.trim()), ...values]
}
