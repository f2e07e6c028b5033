/** The shared database of several nodes: each of its hosts, the server, the role, and the nodes that use it. Nothing is changed. */
import type { DoctorContext, Finding, Probe } from '../types.ts'

export const clusterProbe: Probe = {
  group: 'cluster',
  title: 'Database of the cluster',
  applies: ({ config }) => config.footman.cluster.enable && config.footman.cluster.hosts.length > 0,
  async run(context) {
    // Loads the driver, which nodes on their own never need.
    const { examineCluster } = await import('./examine.ts')
    return [...(await examineCluster(context)), ...settingsFindings(context)]
  },
}

function settingsFindings({ config }: DoctorContext): readonly Finding[] {
  if (config.footman.cluster.dutiesWhenDatabaseDown !== 'lastLeader') return []
  const key = 'footman.cluster.dutiesWhenDatabaseDown'
  return [
    {
      level: 'warning',
      code: 'cluster.duties-last-leader',
      target: `Butler.${key}`,
      message:
        'is lastLeader: a leader that alone is cut off from the database goes on beside the next one, and schedules and retries run twice',
      fix: 'use stop, unless a schedule that runs twice does less harm than one that does not run',
      key,
    },
  ]
}
