/** The keys of the executable with their last use: on the command line with the local key, over a kill and a stop. */
import { expect, test } from 'bun:test'
import { runToEnd } from '../support/binary.ts'
import { newKey } from '../support/console.ts'
import { footman } from '../support/footman.ts'
import { until } from '../support/wait.ts'

const erp = newKey('erp', 'kv:read', 'task:run')
const idle = newKey('idle', 'event:read')

test('footman key list shows the last use, also after a kill and a stop, and no secret', async () => {
  await using product = await footman({
    simulator: null,
    args: ['--no-qs-connection'],
    config: { footman: { dataDirectory: 'data', access: { enable: true, keys: [erp.entry, idle.entry] } } },
  })
  await product.start()
  const list = async (...args: string[]) => {
    const { code, stdout, stderr } = await runToEnd(['key', 'list', '-c', product.configFile, '--utc', ...args])
    expect([code, stderr]).toEqual([0, ''])
    for (const { key, entry } of [erp, idle]) {
      expect(stdout).not.toContain(key)
      expect(stdout).not.toContain(entry.hash.slice('sha256:'.length))
    }
    return stdout
  }
  const lastUse = async () =>
    Object.fromEntries(
      (JSON.parse(await list('--json')).keys as { id: string; lastUsedAt: string | null }[]).map((key) => [
        key.id,
        key.lastUsedAt,
      ]),
    )
  const call = () => product.call('GET', '/v4/events', undefined, { authorization: `Bearer ${erp.key}` })

  expect(await lastUse()).toEqual({ erp: null, idle: null })
  const before = Date.now()
  // The key is accepted, although it may not read events.
  expect((await call()).status).toBe(403)
  const { erp: first = null } = await lastUse()
  expect(Date.parse(first ?? '')).toBeGreaterThanOrEqual(before - 1)
  const table = (await list()).split('\n')
  expect(table[0]).toMatch(/^KEY +SCOPES +LAST USED +FROM +ENDS$/)
  expect(table.find((line) => line.startsWith('erp'))).toMatch(/^erp +kv:read task:run +\d{4}-.* 127\.0\.0\.1 +never$/)
  expect(table.find((line) => line.startsWith('idle'))).toMatch(/^idle +event:read +never +- +never$/)

  // The first use is written at once; a later one of the same minute when Footman stops.
  await until(() => product.rows<{ n: number }>('SELECT count(*) AS n FROM key_use')[0]?.n === 1)
  await product.process.kill9()
  await product.start()
  expect(await lastUse()).toEqual({ erp: first, idle: null })

  await call()
  await call()
  const { erp: second = null } = await lastUse()
  expect(second! > first!).toBeTrue()
  expect(await product.process.stop()).toBe(0)
  await product.start()
  expect(await lastUse()).toEqual({ erp: second, idle: null })
}, 60_000)
