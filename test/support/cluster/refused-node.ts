/** A node of two that the database of the cluster does not let in: it says so everywhere, and does nothing that the other does. */
import { expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runToEnd } from '../binary.ts'
import { ROLE } from '../postgres.ts'
import { until } from '../wait.ts'
import { startCluster } from './cluster.ts'
import type { ClusterNode } from './node.ts'

const TASK = '70000000-0000-4000-8000-000000000001'

interface Refusal {
  /**
   * Follows `ALTER ROLE footman`, or stands first in `pg_hba.conf`: new connections are refused, and the node that is let in
   * keeps those that it has.
   */
  readonly refuse: { readonly role: string } | { readonly hba: string }
  readonly reason: RegExp
  /** The advice of the doctor. */
  readonly fix: RegExp
}

export function refusedNodeTest(name: string, { refuse, reason, fix }: Refusal): void {
  test(`${name} is reported by the node that it keeps out; messages are alerted once`, async () => {
    await using cluster = await startCluster({
      nodes: 2,
      cluster: { leaseDuration: '3s', aloneAfter: '5s' },
      butler: { footman: { selfAlerts: { to: ['hook'] } } },
    })
    await cluster.begin()
    const leader = await cluster.untilLed()
    const refused = cluster.nodes.find((node) => node !== leader)!
    const { sql } = cluster.database
    const alertsBefore = cluster.sinks.hook.all
    const [{ hba } = { hba: '' }] = await sql<{ hba: string }>("SELECT current_setting('hba_file') AS hba")
    const lines = readFileSync(hba, 'utf8')
    const setLines = async (text: string) => {
      writeFileSync(hba, text)
      await sql('SELECT pg_reload_conf()')
    }
    if ('hba' in refuse) await setLines(`${refuse.hba}\n${lines}`)
    else await sql(`ALTER ROLE ${ROLE.user} ${refuse.role}`)
    await sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
      `footman/${refused.name}`,
    ])
    const json = async (node: ClusterNode, path: string) =>
      (await (await node.call('GET', path)).json()) as Record<string, never>
    try {
      await until(async () => (await json(refused, '/v4/cluster')).mode === 'alone', { what: 'the refusal to count' })
      expect(await json(refused, '/v4/cluster')).toMatchObject({ database: { up: false, refused: true } })
      expect(refused.lines.join('\n')).toMatch(
        new RegExp(`CLUSTER The database cannot be used: .*${reason.source}.*footman doctor`),
      )
      const health = await refused.call('GET', '/health')
      expect([health.status, await health.json()]).toMatchObject([
        503,
        { checks: { cluster: 'down' }, reasons: { cluster: expect.stringMatching(reason) } },
      ])
      const env = { FOOTMAN_URL: `http://127.0.0.1:${refused.restPort}` }
      const status = await runToEnd(['cluster', 'status'], { env })
      expect([status.code, status.stdout]).toEqual([
        2,
        expect.stringMatching(/^database +cannot be used: it refuses /m),
      ])
      const doctor = await runToEnd([
        'doctor',
        '-c',
        join(refused.file('..'), 'butler.yaml'),
        '--json',
        '--only',
        'cluster',
      ])
      const { findings } = JSON.parse(doctor.stdout) as { findings: { code: string; fix?: string }[] }
      expect(findings).toContainEqual(
        expect.objectContaining({ code: 'cluster.login', fix: expect.stringMatching(fix) }),
      )
      await until(() => cluster.sinks.hook.all > alertsBefore, { what: 'the self-alert' })
      await until(async () => JSON.stringify(await json(refused, '/v4/selfalerts')).includes('CLUSTER_DATABASE_DOWN'), {
        what: 'the list of self-alerts',
      })

      // The other node works on, so that this one starts nothing by itself.
      const start = await refused.call('POST', '/v4/reloadtask/-/start', { taskId: [TASK] })
      expect([start.status, await start.json()]).toMatchObject([503, { code: 'CLUSTER_UNAVAILABLE' }])

      expect(await cluster.leader()).toBe(leader)
      const both = await cluster.send({ count: 20, perSecond: 100 })
      const kept = await cluster.send({ count: 10, perSecond: 100, to: [refused] })
      const alerted = () => new Set(cluster.sinks.hook.received.map(({ execution }) => execution))
      await until(() => both.every((execution) => alerted().has(execution)), { what: 'alerts of the leader' })
      await until(() => refused.accepted().has(kept.at(-1)!), { what: 'the messages of the refused node' })
      expect(kept.filter((execution) => alerted().has(execution))).toEqual([])
    } finally {
      await sql(`ALTER ROLE ${ROLE.user} PASSWORD '${ROLE.password}' CONNECTION LIMIT -1`)
      await setLines(lines)
    }
    await cluster.untilJoined()
    await cluster.untilDelivered()
    expect(cluster.report(name)).toMatchObject({ wanted: 60, lost: [], repeated: 0, unlike: [] })
  }, 90_000)
}
