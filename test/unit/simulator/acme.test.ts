import { describe, expect, test } from 'bun:test'
import { loadAcme } from '../../../simulator/acme/load.ts'
import { createSimClock } from '../../../simulator/clock.ts'
import { NEVER_MS } from '../../../simulator/entities.ts'
import { createSite } from '../../../simulator/site.ts'

const now = Date.parse('2026-03-02T06:00:00.000Z')
const DAY_MS = 86_400_000

function acme() {
  const site = createSite({ clock: createSimClock({ now, speed: 0 }) }, { timeZone: 'Europe/Stockholm' })
  loadAcme(site)
  return site
}
const site = acme()
const tasks = [...site.tasks.values()]
const withTag = (name: string) => tasks.filter((task) => task.tags.some((tag) => tag.name === name))
const withProperty = (name: string, value: string) =>
  tasks.filter((task) => task.customProperties.some((one) => one.definition.name === name && one.value === value))

describe('the data set', () => {
  test('has the tasks of each type', () => {
    const count = (type: number) => tasks.filter((task) => task.taskType === type).length
    expect([0, 1, 2, 3, 4].map(count)).toEqual([16, 2, 2, 2, 2])
    expect(site.tasks.get('a8b4c123-def4-5678-9abc-def012345678')?.name).toBe('Financial Dashboard Reload')
    expect(site.tasks.get('70000000-0000-4000-8000-000000000012')?.name).toBe('Task with 3 values of one property')
    expect(site.tasks.get('74000000-0000-4000-8000-000000000002')?.name).toBe('Preload HR')
  })

  test.each([
    ['Butler 5.0 demo', 4],
    ['startTask1', 3],
    ['hourly-reload', 6],
    ['financial-reports', 2],
    ['daily-refresh', 2],
    ['urgent', 2],
    ['Urgent', 1],
    ['data-refresh', 2],
    ['daily-reports', 2],
    ['R&D', 1],
    ["Q1'25", 1],
    ['Sprint #4', 1],
    ['100%', 1],
    ['a+b', 1],
    ['Finance/HR', 1],
    ['åäö', 1],
  ])('tag %s is on %i tasks', (name, count) => {
    expect(withTag(name)).toHaveLength(count)
  })

  test('has one task with taskGroup=operational-dashboards and priority=high', () => {
    const high = withProperty('priority', 'high')
    expect(withProperty('taskGroup', 'operational-dashboards').filter((task) => high.includes(task))).toHaveLength(1)
  })

  test('has nodes, streams, apps and users', () => {
    expect([...site.nodes.values()].map((node) => [node.name, node.maxConcurrentEngines])).toEqual([
      ['qs-central', 4],
      ['qs-reload1', 2],
    ])
    expect([...site.streams.values()].map((stream) => stream.name)).toEqual(['Finance', 'Everyone', 'Monitoring apps'])
    expect(site.apps.size).toBe(10)
    expect(site.apps.get('a1000000-0000-4000-8000-000000000010')?.name).toBe('Big Numbers')
    expect(site.users.size).toBe(14)
    const emails = [...site.users.values()].map(
      (user) => user.attributes.filter((one) => one.attributeType.toLowerCase() === 'email').length,
    )
    expect(new Set(emails)).toEqual(new Set([0, 1, 2]))
  })

  test('has the licences', () => {
    const professional = [...site.licences.professional.values()]
    expect(professional).toHaveLength(9)
    expect(site.licences.analyzer.size).toBe(30)
    expect(site.licences.totals).toMatchObject({ professional: 25, analyzer: 100 })
    expect(professional.map((one) => (one.lastUsed === NEVER_MS ? null : (now - one.lastUsed) / DAY_MS))).toEqual([
      0,
      null,
      20,
      45,
      100,
      400,
      60,
      70,
      200,
    ])
    const gone = [...site.licences.analyzer.values()].filter((one) => one.user && !site.users.has(one.user.id))
    expect(gone).toHaveLength(1)
    expect(site.licences.server.keyDetails).toContain('Valid To: 2027-01-31\n')
  })

  test('is the same each time', () => {
    const ids = (one: typeof site) => [...one.executions.values()].map((execution) => execution.id)
    expect(ids(acme())).toEqual(ids(site))
  })
})
