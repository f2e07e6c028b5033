/** Database servers that must not be trusted, on every host on which Footman runs. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { certificatePair } from '../certificates.ts'
import type { Host } from '../host.ts'
import { ROLE } from '../postgres.ts'
import { until } from '../wait.ts'
import { startCluster } from './cluster.ts'

interface Server {
  /** In its certificate. */
  readonly name: string
  readonly tls?: false
  readonly otherAuthority?: true
}

const SERVERS: Readonly<Record<string, Server>> = {
  'of another authority': { name: '127.0.0.1', otherAuthority: true },
  'of another name': { name: 'other.acme.example' },
  'of a name, asked by its address': { name: 'localhost' },
  'without TLS': { name: '127.0.0.1', tls: false },
}

/** `host` absent = the compiled executable. */
export function refusedServerTests(name: string, host?: () => Host): void {
  for (const [which, server] of Object.entries(SERVERS)) {
    // Each waits for most of its time.
    test.concurrent(
      `${name}: a database server ${which} is refused, and no log has the password`,
      () => refused(server, host?.()),
      60_000,
    )
  }
}

async function refused({ name, tls, otherAuthority }: Server, host?: Host): Promise<void> {
  const certificate = await certificatePair(name)
  const strange = await certificatePair(name)
  await using cluster = await startCluster({
    nodes: 1,
    start: false,
    host,
    cluster: { leaseDuration: '3s', aloneAfter: '5s' },
    postgres: { certificate: otherAuthority ? { ...certificate, ca: strange.ca } : certificate, tls },
  })
  const [node] = cluster.nodes
  await node!.start()
  await until(() => node!.lines.some((line) => /CLUSTER The database cannot be used/.test(line)), {
    what: 'the refusal in the log',
  })
  await until(async () => (await cluster.modeOf(node!)) === 'alone', { what: 'the node to be alone' })
  const connected = await cluster.postgres.sql(
    `SELECT 1 FROM pg_stat_activity WHERE usename = '${ROLE.user}' AND state IS NOT NULL`,
  )
  expect(connected).toEqual([])
  expect(node!.lines.join('\n')).not.toContain(ROLE.password)
  expect(readFileSync(cluster.postgres.ca, 'utf8')).toContain('CERTIFICATE')
}
