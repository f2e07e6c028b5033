/** What is as good as the newest layout when a file is read, but not how a new file has it. */
import { createLegacyContext } from '../../../config/legacy/context.ts'
import type { Problem } from '../../../config/problems.ts'
import type { MapNode } from '../../../config/tree.ts'

const FLAT = ['auth', 'dbName', 'retentionPolicy']

/** The settings of InfluxDB 1 that stand directly in their section go to `v1Config`; those of other versions stay. */
export function nestInfluxDb1(root: MapNode, notes: Problem[]): void {
  const legacy = createLegacyContext(root, notes)
  const version = legacy.value('influxDb.version')
  if (version === 2 || version === 3 || !FLAT.some((key) => legacy.has(`influxDb.${key}`))) return
  const at = legacy.place('influxDb')
  for (const key of FLAT) legacy.move(`influxDb.${key}`, `influxDb.v1Config.${key}`)
  if (version === undefined || version === null) legacy.setValue('influxDb.version', 1, at)
}
