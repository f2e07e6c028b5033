/** Older layouts of InfluxDB. */
import { emptyMap, listOf, type MapNode, scalar, type TreeNode } from '../tree.ts'
import type { LegacyContext } from './context.ts'

const CONNECTION = ['hostIP', 'hostPort', 'auth', 'dbName', 'retentionPolicy']
const STORE = 'uptimeMonitor.storeInInfluxdb'

/** Before Butler 9 the uptime monitor held the connection. */
export function uptimeConnection(legacy: LegacyContext): void {
  const old = CONNECTION.filter((key) => legacy.has(`${STORE}.${key}`))
  const enable = legacy.value(`${STORE}.enable`)
  if (old.length > 0 && !legacy.has('influxDb') && typeof enable === 'boolean') {
    legacy.setValue('influxDb.enable', enable, legacy.place(`${STORE}.enable`))
  }
  for (const key of old) legacy.move(`${STORE}.${key}`, `influxDb.${key}`, '4.0–8.6')
  legacy.move(`${STORE}.instanceTag`, 'influxDb.instanceTag', '4.0–8.6')
}

/** `instanceTag: DEV` was the tag `butler_instance`. */
export function instanceTag(legacy: LegacyContext): void {
  const tag = legacy.get('influxDb.instanceTag')
  if (!tag) return
  const at = legacy.place('influxDb.instanceTag')
  legacy.deprecated('influxDb.instanceTag', '9.0–12.4', 'influxDb.tag.static')
  legacy.drop('influxDb.instanceTag')
  const value = tag.kind === 'scalar' ? tag.value : null
  if (value === null || value === '') return
  const existing = legacy.get('influxDb.tag.static')
  const items = existing?.kind === 'list' ? existing.items : []
  if (items.some((item) => nameOf(item) === 'butler_instance')) return
  const added = nameValue('butler_instance', scalar(String(value), at))
  legacy.set('influxDb.tag.static', listOf([...items, added], existing?.at ?? at), at)
}

/** The layout of the product documents is as good as the newer one; it is only mentioned. */
export function flatSettings(legacy: LegacyContext): void {
  const flat = ['auth', 'dbName', 'retentionPolicy'].find((key) => legacy.has(`influxDb.${key}`))
  if (!flat || legacy.has('influxDb.v1Config')) return
  const version = legacy.value('influxDb.version')
  if (version === 2 || version === 3) return
  legacy.note('info', `influxDb.${flat}`, 'CONFIG: using the flat InfluxDB v1 settings')
}

/** `{name, value}` as the lists of tags, headers and attributes have them. */
export function nameValue(name: string, value: TreeNode): MapNode {
  const map = emptyMap(value.at)
  map.entries.set('name', { at: value.at, node: scalar(name, value.at) })
  map.entries.set('value', { at: value.at, node: value })
  return map
}

function nameOf(node: TreeNode): unknown {
  const name = node.kind === 'map' ? node.entries.get('name')?.node : undefined
  return name?.kind === 'scalar' ? name.value : undefined
}
