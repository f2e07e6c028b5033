/** Measurements of the monitors, with lines written by hand: `test/fixtures/influxdb/lines.json`. */
import { memoryPoint } from '../../src/metrics/influxdb/own-points.ts'
import type { InfluxPoint } from '../../src/metrics/influxdb/types.ts'

const NOON = 1772532000000
const MB = 1024 * 1024
const foo = { foo: 'bar' }

const license = (license_type: string, fields: InfluxPoint['fields']): InfluxPoint => ({
  measurement: 'qlik_sense_license',
  tags: { ...foo, license_type },
  fields,
  time: NOON,
})

export const MONITOR_POINTS: Readonly<Record<string, InfluxPoint>> = {
  'service state': {
    measurement: 'win_service_state',
    tags: {
      host: 'pro2-win1',
      service_name: 'QlikSenseSchedulerService',
      display_name: 'Qlik Sense Scheduler Service',
      friendly_name: 'Scheduler',
    },
    fields: { state_num: 4, state_text: 'RUNNING', startup_mode_num: 0, startup_mode_text: 'Automatic' },
    time: 1772530890426,
  },
  memory: memoryPoint(
    { heapUsed: 61.4213 * MB, heapTotal: 78.5 * MB, external: 21.0699 * MB, rss: 142.3301 * MB },
    '16.0.4',
    NOON,
  ),
  version: {
    measurement: 'qlik_sense_version',
    tags: foo,
    fields: {
      content_hash: 'f2a5b7c0d1e94d2e8a3b6c7d8e9f0a1b',
      sense_id: 'qliksenseserver:14.173.4',
      version: '14.173.4',
      deployment_type: 'QlikSenseServer',
      release_label: 'February 2024 Patch 1',
      deprecated_product_version: '4.0.X',
      product_name: 'Qlik Sense',
      copyright_year_range: '1993-2024',
    },
    time: NOON,
  },
  'server licence': {
    measurement: 'qlik_sense_server_license',
    tags: foo,
    fields: { license_expired: false, expiry_date: '2026-12-31', days_until_expiry: 303 },
    time: NOON,
  },
  'licence analyzer': license('analyzer', {
    allocated: 40,
    available: 60,
    excess: 0,
    quarantined: 2,
    total: 100,
    used: 31,
  }),
  'licence analyzer_capacity': license('analyzer_capacity', {
    allocated_minutes: 15000,
    unavailable_minutes: 0,
    used_minutes: 4210,
  }),
  'licence professional': license('professional', {
    allocated: 5,
    available: 20,
    excess: 0,
    quarantined: 0,
    total: 25,
    used: 3,
  }),
  'licence token_login': license('token_login', {
    allocated_tokens: 2,
    token_cost: 0.1,
    unavailable_tokens: 0,
    used_tokens: 1,
  }),
  'licence token_user': license('token_user', {
    allocated_tokens: 10,
    quarantined_tokens: 0,
    token_cost: 1,
    used_tokens: 7,
  }),
  'licence tokens_available': license('tokens_available', { available_tokens: 8, total_tokens: 20 }),
  'licence release': {
    measurement: 'qlik_sense_license_release',
    tags: { license_type: 'professional', user: 'LAB\\anna', ...foo },
    fields: { days_since_last_use: 47 },
    time: NOON,
  },
}
