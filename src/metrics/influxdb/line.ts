/** From a point to a line of the line protocol. */
import { Point } from '@influxdata/influxdb-client'
import type { InfluxDbConfig } from '../config.ts'
import type { FieldValue, InfluxPoint } from './types.ts'

export interface NameValue {
  readonly name: string
  readonly value: string
}

/** The time in nanoseconds since 1970 as it stands; null when the point has no field. */
export function lineOf(point: InfluxPoint, staticTags: readonly NameValue[], nanoseconds: bigint): string | null {
  const made = new Point(point.measurement)
  for (const { name, value } of staticTags) addTag(made, name, value)
  for (const [name, value] of Object.entries(point.tags)) addTag(made, name, value)
  for (const [name, value] of Object.entries(point.fields)) addField(made, name, value)
  return made.timestamp(String(nanoseconds)).toLineProtocol() ?? null
}

function addTag(point: Point, name: string, value: InfluxPoint['tags'][string]): void {
  if (value === null || value === undefined) return
  const [key, text] = [protectedEnd(name), protectedEnd(String(value))]
  if (key !== '' && text !== '') point.tag(key, text)
}

/** Nothing can escape a backslash at the end: it would take the separator behind it with it. */
function protectedEnd(text: string): string {
  return text.toWellFormed().replace(/(?<!\\)\\+$/, '')
}

function addField(point: Point, name: string, value: FieldValue | null | undefined): void {
  const key = protectedEnd(name)
  if (key === '' || value === null || value === undefined) return
  if (typeof value === 'string') point.stringField(key, value.toWellFormed())
  else if (typeof value === 'boolean') point.booleanField(key, value)
  else if (typeof value === 'number') {
    if (Number.isFinite(value)) point.floatField(key, value)
  } else if (Number.isSafeInteger(value.integer)) point.intField(key, value.integer)
}

/** The fields of the points about tasks and report tasks, and of the monitors. */
const FIELDS = new Set([
  'log_timestamp',
  'execution_id',
  'log_message',
  'scriptLog',
  'reload_log',
  'task_scriptLogSize',
  'task_scriptLogHeadCount',
  'task_scriptLogTailCount',
  ...['StartTime', 'StopTime', 'Duration'].map((time) => `task_execution${time}_json`),
  ...['sec', 'min', 'h'].map((unit) => `task_executionDuration_${unit}`),
  'state_num',
  'state_text',
  'startup_mode_num',
  'startup_mode_text',
  'heap_used',
  'heap_total',
  'external',
  'process_memory',
  'content_hash',
  'sense_id',
  'version',
  'deployment_type',
  'release_label',
  'deprecated_product_version',
  'product_name',
  'copyright_year_range',
  'license_expired',
  'expiry_date',
  'days_until_expiry',
  'duration_ms',
  'documents',
  'mails_sent',
  'mails_failed',
  'warnings',
  'errors',
  'days_since_last_use',
  'allocated',
  'available',
  'excess',
  'quarantined',
  'total',
  'used',
])

type Tags = { readonly tag: { readonly static: readonly { readonly name: string }[] } }

/**
 * One sentence per static tag that is named like a field: InfluxDB 3 refuses such points, the older ones confuse the two in
 * queries.
 */
export function sharedNames(influxDb: InfluxDbConfig): readonly string[] {
  const places: readonly (readonly [string, unknown])[] = [['', influxDb], ...Object.entries(influxDb)]
  return places.flatMap(([section, settings]) =>
    (hasTags(settings) ? settings.tag.static : [])
      .filter(({ name }) => FIELDS.has(name))
      .map(({ name }) => {
        const place = ['Butler.influxDb', section, 'tag.static'].filter((part) => part !== '').join('.')
        return `INFLUXDB: The tag "${name}" of ${place} is named like a field of the points; InfluxDB 3 refuses points with both. Give it another name`
      }),
  )
}

function hasTags(value: unknown): value is Tags {
  return typeof value === 'object' && value !== null && 'tag' in value && Array.isArray((value as Tags).tag?.static)
}
