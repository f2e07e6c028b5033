/** Every query that the published dashboards put to InfluxDB 1, with the first row that they get of the points in `influx-events.ts` and `influx-monitors.ts`. */
import { expect } from 'bun:test'

export interface DashboardScope {
  /** InfluxQL: the time that the dashboard looks at. */
  readonly during: string
}

export interface DashboardQuery {
  readonly name: string
  readonly query: string
  /** The columns that a dashboard shows, with the values of the points that were written by hand. */
  readonly row: Readonly<Record<string, unknown>>
}

/** `qs_env` is the tag by which sites distinguish their environments. */
export function dashboardQueries({ during }: DashboardScope): readonly DashboardQuery[] {
  const prod = `"qs_env" = 'prod' AND ${during}`
  const series = (field: string) =>
    `SELECT mean("${field}") FROM "butler_memory_usage" WHERE ${during} GROUP BY time(30m) fill(none)`
  const license = (field: string, type: string) =>
    `SELECT "${field}" FROM "qlik_sense_license" WHERE "license_type" = '${type}' AND ${prod}`
  const queries: [name: string, query: string, row: Record<string, unknown>][] = [
    ['process memory', series('process_memory'), { mean: 142.33 }],
    ['heap total', series('heap_total'), { mean: 78.5 }],
    ['heap used', series('heap_used'), { mean: 61.42 }],
    ['external memory', series('external'), { mean: 21.07 }],
    ['professional licences', license('available', 'professional'), { available: 20 }],
    ['analyzer licences', license('available', 'analyzer'), { available: 60 }],
    [
      'used licences',
      `SELECT "allocated" FROM "qlik_sense_license" WHERE ${prod} GROUP BY "license_type"`,
      { license_type: 'analyzer', allocated: 40 },
    ],
    ['analyzer capacity', license('allocated_minutes', 'analyzer_capacity'), { allocated_minutes: 15000 }],
    ['used analyzer capacity', `SELECT "used_minutes" FROM "qlik_sense_license" WHERE ${prod}`, { used_minutes: 4210 }],
    [
      'released licences, series',
      `SELECT count("days_since_last_use") FROM "qlik_sense_license_release" WHERE ${prod} GROUP BY time(1h), "license_type" fill(none)`,
      { license_type: 'professional', count: 1 },
    ],
    [
      'released licences, table',
      `SELECT "days_since_last_use" FROM "qlik_sense_license_release" WHERE ${prod} GROUP BY "license_type", "user" ORDER BY time DESC`,
      { days_since_last_use: 47, user: 'LAB\\anna' },
    ],
    [
      'version of Qlik Sense',
      `SELECT "release_label", "product_name", "version" FROM "qlik_sense_version" WHERE ${prod} ORDER BY time DESC LIMIT 1`,
      { release_label: 'February 2024 Patch 1', product_name: 'Qlik Sense', version: '14.173.4' },
    ],
    [
      'end of the licence',
      `SELECT last("expiry_date"), "days_until_expiry", "license_expired" FROM "qlik_sense_server_license" WHERE ${prod}`,
      { last: '2026-12-31', days_until_expiry: 303, license_expired: false },
    ],
    [
      'failed reloads',
      `SELECT "reload_log" FROM "reload_task_failed" WHERE ${prod} GROUP BY "app_name", "task_name", "task_executingNodeName", "task_id", "user" ORDER BY time DESC`,
      {
        reload_log: expect.stringContaining('(404) Not Found.'),
        task_executingNodeName: 'pro2-win2.lab.company.net',
        user: 'LAB/goran',
      },
    ],
    [
      'successful reloads',
      `SELECT "task_executionDuration_json" FROM "reload_task_success" WHERE ${prod} GROUP BY "app_name", "task_name", "task_executingNodeName", "task_id"`,
      { task_executionDuration_json: '{"hours":0,"minutes":0,"seconds":13}', app_name: 'Performance review' },
    ],
    [
      'successful reloads, further fields',
      `SELECT "task_executionDuration_sec", "task_executionDuration_min", "execution_id", "log_timestamp" FROM "reload_task_success" WHERE ${prod}`,
      {
        task_executionDuration_sec: 13,
        execution_id: '23461d23-840b-422b-a0a6-ea847693224e',
        log_timestamp: '2023-12-16 06:05:15,019',
      },
    ],
    [
      'reload times',
      `SELECT "task_executionDuration_sec" FROM "reload_task_success" WHERE ${prod}`,
      { task_executionDuration_sec: 13 },
    ],
    [
      'reloads per server',
      `SELECT count(distinct("execution_id")) FROM "reload_task_success" WHERE ${prod} GROUP BY "task_executingNodeName"`,
      { count: 1, task_executingNodeName: 'pro2-win1.lab.company.net' },
    ],
    [
      'reloads per app, by the misspelled tag',
      `SELECT count("log_message") FROM "reload_task_success" WHERE "task_exeuctionStatusText" = 'FinishedSuccess' AND ${prod} GROUP BY "app_name"`,
      { count: 1, app_name: 'Performance review' },
    ],
    [
      'reloads per app, by the right tag',
      `SELECT count("log_message") FROM "reload_task_success" WHERE "task_executionStatusText" = 'FinishedSuccess' AND ${prod} GROUP BY "app_name"`,
      { count: 1 },
    ],
    [
      'instances',
      `SELECT last("process_memory") FROM "butler_memory_usage" WHERE ${during} GROUP BY "version", "qs_env"`,
      { last: 142.33, version: '16.0.4', qs_env: 'prod' },
    ],
    [
      'Windows services',
      `SELECT last("state_num") FROM "win_service_state" WHERE ${during} GROUP BY "friendly_name"`,
      { last: 4, friendly_name: 'Scheduler' },
    ],
  ]
  return queries.map(([name, query, row]) => ({ name, query, row }))
}

const TEXT_FIELDS =
  /_json$|^(log_|execution_id|scriptLog$|reload_log|state_text|startup_mode_text|expiry_date)|version|hash|sense_id|label|product|copyright|deployment/

/** The type that dashboards count on; the numbers of the UDP queue are no part of them. */
export function fieldTypeOf(field: string): 'string' | 'float' | 'boolean' {
  if (field === 'license_expired') return 'boolean'
  return TEXT_FIELDS.test(field) ? 'string' : 'float'
}
