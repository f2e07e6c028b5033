/** Tags with the name of a field: InfluxDB 3 refuses such points, the older ones confuse the two in queries. */
import type { InfluxDbConfig } from '../config.ts'

/** The fields of the points about tasks and of the monitors. */
const FIELDS = new Set([
  ...['log_timestamp', 'execution_id', 'log_message', 'scriptLog', 'reload_log'],
  ...['task_scriptLogSize', 'task_scriptLogHeadCount', 'task_scriptLogTailCount'],
  ...['StartTime', 'StopTime', 'Duration'].map((time) => `task_execution${time}_json`),
  ...['sec', 'min', 'h'].map((unit) => `task_executionDuration_${unit}`),
  ...['state_num', 'state_text', 'startup_mode_num', 'startup_mode_text'],
  ...['heap_used', 'heap_total', 'external', 'process_memory'],
  ...['content_hash', 'sense_id', 'version', 'deployment_type', 'release_label', 'deprecated_product_version'],
  ...['product_name', 'copyright_year_range', 'license_expired', 'expiry_date', 'days_until_expiry'],
  ...['days_since_last_use', 'allocated', 'available', 'excess', 'quarantined', 'total', 'used'],
])

type Tags = { readonly tag: { readonly static: readonly { readonly name: string }[] } }

/** One sentence per static tag that is named like a field. */
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
