/** `footman demo --nodes 3`: the leader is killed, and another node goes on. */
import { expect, test } from 'bun:test'
import { chmodSync, readdirSync } from 'node:fs'
import { runBinary, runToEnd } from '../support/binary.ts'
import { postgresPrograms } from '../support/postgres.ts'
import { needs } from '../support/servers.ts'
import { tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

needs('postgres')

const SLOW = 30_000

test.skipIf(!postgresPrograms() || process.platform === 'win32')(
  'shows the consoles of all nodes, a takeover after the leader was killed, and leaves nothing behind',
  async () => {
    // The server does not run as root and has to reach its files.
    await using temp = tempDirectory('/tmp')
    chmodSync(temp.path, 0o755)
    await using demo = runBinary(['demo', '--nodes', '3'], { cwd: temp.path, env: { TMPDIR: temp.path } })
    await demo.waitForLine(/Press k and the return key/, 60_000)
    const consoles = demo.stdout.flatMap((line) => /node-\d +(http:\S+)\/console\//.exec(line)?.[1] ?? [])
    expect(consoles).toHaveLength(3)
    const modes = () =>
      Promise.all(
        consoles.map(async (url) => ((await (await fetch(`${url}/v4/cluster`)).json()) as { mode: string }).mode),
      )
    await until(async () => (await modes()).toSorted().join() === 'follower,follower,leader', { timeout: SLOW })
    await demo.waitForLine(/^ +\d+:\d\d +alert +Financial Dashboard Reload/, SLOW)

    demo.write('k\n')
    const [, killed] = await demo.waitForLine(/(node-\d), the leader, is killed/)
    const [, next, seconds] = await demo.waitForLine(/(node-\d) leads after ([\d.]+) s/, SLOW)
    expect(next).not.toBe(killed)
    expect(Number(seconds)).toBeLessThan(15)
    await demo.waitForLine(new RegExp(`${killed} is back`), SLOW)
    await until(async () => (await modes()).toSorted().join() === 'follower,follower,leader', { timeout: SLOW })

    expect(await demo.stop(SLOW)).toBe(0)
    expect(demo.stdout.at(-1)).toMatch(/^\d+ alerts were received\.$/)
    expect(readdirSync(temp.path)).toEqual([])
  },
  180_000,
)

test('a number of nodes that makes no sense is refused', async () => {
  const { code, stderr } = await runToEnd(['demo', '--nodes', '9'])
  expect([code, stderr]).toEqual([1, expect.stringContaining('it must be 2 to 5')])
})
