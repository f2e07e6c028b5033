/** The dashboard for InfluxDB against a real InfluxDB 1 that holds one point of each kind. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dashboard, queriesOf } from '../../support/dashboards.ts'
import { type Influxd, startInfluxd } from '../../support/influxd.ts'
import { needs } from '../../support/servers.ts'
import { repositoryRoot } from '../../support/source.ts'

needs('influxd')

const LINES: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(repositoryRoot, 'test/fixtures/influxdb/lines.json'), 'utf8'),
)
const STOPPED =
  'win_service_state,display_name=Engine,friendly_name=Engine,host=pro2-win1,qs_env=prod,service_name=Engine startup_mode_num=0,startup_mode_text="Automatic",state_num=1,state_text="STOPPED" 1772530890426000000'
const TIME = `time >= '2023-12-01T00:00:00Z' AND time < '2026-12-01T00:00:00Z'`
const queriesFor = (environment: string, task = '.*') =>
  queriesOf(dashboard('influxdb'), {
    $timeFilter: TIME,
    $__interval: '1d',
    $qs_env: environment,
    $task: task,
  })

describe('the queries of the dashboard', () => {
  let influxd: Influxd
  beforeAll(async () => {
    influxd = await startInfluxd()
    const lines = [...Object.values(LINES), STOPPED]
    await write('tagged', lines)
    await write(
      'plain',
      lines.map((line) => line.replace(',qs_env=prod', '')),
    )
  }, 60_000)
  afterAll(() => influxd.stop())

  async function write(database: string, lines: readonly string[]): Promise<void> {
    await influxd.query(`CREATE DATABASE "${database}"`)
    const answer = await fetch(`http://127.0.0.1:${influxd.port}/write?db=${database}`, {
      method: 'POST',
      body: lines.join('\n'),
    })
    expect([answer.status, await answer.text()]).toEqual([204, ''])
  }

  const empty = async (database: string, environment: string, task?: string): Promise<string[]> => {
    const found: string[] = []
    for (const { where, text } of queriesFor(environment, task)) {
      const { results } = await influxd.query(text, database)
      expect([where, results[0]?.error]).toEqual([where, undefined])
      const values = results[0]?.series?.flatMap(({ values }) => values.flatMap((row) => row.slice(1))) ?? []
      if (values.every((value) => value === null)) found.push(where)
    }
    return found
  }

  test('all find their points', async () => {
    expect(await empty('tagged', '.*')).toEqual([])
  }, 90_000)

  test('find those of the chosen environment and task, and no others', async () => {
    expect(
      await empty('tagged', '(test|prod)', '(Reload of Performance review|Reload of Test failing reloads 1)'),
    ).toEqual([])
    expect(await empty('tagged', 'test')).toEqual(queriesFor('test').map(({ where }) => where))
  }, 90_000)

  test('find points without an environment, too', async () => {
    expect(await empty('plain', '.*')).toEqual([])
  }, 90_000)

  test('fill the lists to choose from', async () => {
    const lists = await Promise.all(
      ['qs_env', 'task'].map(async (name) => {
        const { query } = dashboard('influxdb').templating.list.find((variable) => variable.name === name)!
        const rows = await influxd.rows(query as string, 'tagged')
        return [...new Set(rows.map(({ value }) => value))]
      }),
    )
    expect(lists).toEqual([['prod'], ['Reload of Test failing reloads 1', 'Reload of Performance review']])
  })
})
