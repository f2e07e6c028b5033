/** Database servers that must not be trusted, on every host on which Footman runs. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { certificatePair, testAuthority } from '../certificates.ts'
import type { Host } from '../host.ts'
import { type PostgresOptions, ROLE, startPostgres } from '../postgres.ts'
import { fastParent, tempDirectory } from '../temp.ts'
import { until } from '../wait.ts'
import { clusterNode, modeOf } from './node.ts'

interface Server {
  readonly which: string
  readonly options: PostgresOptions
  /** In the words of the log. */
  readonly reason: RegExp
}

/** All but the first have a certificate of the authority that the node trusts. */
async function strangers(): Promise<readonly Server[]> {
  const authority = await testAuthority()
  const [byOther, otherName, byName, plain] = await Promise.all([
    certificatePair('127.0.0.1'),
    ...['other.acme.example', 'localhost', '127.0.0.1'].map((name) => certificatePair(name, { authority })),
  ])
  return [
    { which: 'of another authority', options: { certificate: byOther }, reason: /certificate/i },
    { which: 'of another name', options: { certificate: otherName }, reason: /127\.0\.0\.1 .*cert/ },
    {
      which: 'of a name, asked by its address',
      options: { certificate: byName },
      reason: /127\.0\.0\.1 .*cert/,
    },
    { which: 'without TLS', options: { certificate: plain, tls: false }, reason: /does not support SSL/ },
  ]
}

/** `host` absent = the compiled executable. Why each is refused: test/integration/platform/postgres/tls.test.ts. */
export function refusedServersTest(name: string, host?: () => Host): void {
  test(`${name}: database servers that must not be trusted are refused, and no log has the password`, async () => {
    await using started = new AsyncDisposableStack()
    const directory = started.use(tempDirectory(fastParent()))
    const servers = await strangers()
    const running = await Promise.all(servers.map(async ({ options }) => started.use(await startPostgres(options))))
    const node = started.use(
      await clusterNode({
        name: 'qs-a',
        directory: directory.join('qs-a'),
        databases: running.map(({ port }) => port),
        ca: running.at(-1)!.ca,
        butler: { logLevel: 'verbose', fileLogging: false, restServerEndpointsEnable: { butlerping: true } },
        cluster: { leaseDuration: '3s', aloneAfter: '5s' },
        host: host?.(),
      }),
    )
    await node.start()
    const refusal = await until(() => node.lines.find((line) => /CLUSTER The database cannot be used/.test(line)), {
      what: 'the refusal in the log',
    })
    await until(async () => (await modeOf(node)) === 'alone', { what: 'the node to be alone' })
    for (const [index, { which, reason }] of servers.entries()) {
      const address = `127.0.0.1:${node.ways[index]!.port}`
      const said = refusal.split('; ').find((part) => part.includes(address))
      expect([which, said]).toEqual([which, expect.stringMatching(reason)])
      const connected = await running[index]!.sql(
        `SELECT 1 FROM pg_stat_activity WHERE usename = '${ROLE.user}' AND state IS NOT NULL`,
      )
      expect([which, connected]).toEqual([which, []])
    }
    expect(node.lines.join('\n')).not.toContain(ROLE.password)
    expect(readFileSync(running.at(-1)!.ca, 'utf8')).toContain('CERTIFICATE')
  }, 60_000)
}
