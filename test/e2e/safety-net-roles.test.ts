/** The safety net of a satellite, and after a run in shadow. */
import { describe, expect, test } from 'bun:test'
import { DatabaseSync } from 'node:sqlite'
import { createSimClock } from '../../simulator/clock.ts'
import { footman } from '../support/footman.ts'
import { startHttpSink } from '../support/http-sink.ts'
import { HOUR, LATELY, LONG_AGO, MINUTE, site, startSafetyNet } from '../support/safety-net-scene.ts'
import { startSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

startSafetyNet()

describe('a satellite', () => {
  test('leaves reconciling, watching and retrying to the primary', async () => {
    await using satellite = await footman({
      simulator: site.simulator,
      config: { footman: { node: { role: 'satellite' } } },
    })
    await satellite.start()
    await satellite.process.waitForLine(/last results of \d+ tasks were taken/, 20_000)
    expect(satellite.rows('SELECT * FROM safety_net_mark')).toEqual([])
  }, 90_000)
})

describe('a swap after a run in shadow, with its data', () => {
  test('alerts what failed in between, and nothing that the shadow has seen', async () => {
    await using ownSite = await startSite({}, { clock: createSimClock({ now: Date.now() - 3 * MINUTE }) })
    const ownSink = await startHttpSink()
    const { simulator } = ownSite
    const settings = { simulator, webhookUrl: ownSink.url, config: { footman: { reconciler: { interval: '10s' } } } }
    await using shadowed = await footman(settings)
    const fail = async (task: string): Promise<string> => {
      simulator.setTask(task, { durationMs: 30, outcome: 'fail' })
      const ended = simulator.ended(task)
      const id = simulator.runTask(task)
      await ended
      return id
    }
    await shadowed.start(['--shadow'])
    const seen = await fail(LONG_AGO)
    await until(() => shadowed.rows(`SELECT 1 FROM delivery WHERE reason = 'SHADOW_MODE'`).length > 0, {
      timeout: 20_000,
    })
    await shadowed.process.kill9()
    const db = new DatabaseSync(shadowed.directory.join('data', 'footman.db'))
    // As if the shadow had run for hours.
    db.prepare('UPDATE safety_net_mark SET at = ?').run(Date.now() - 2 * HOUR)
    db.close()
    const between = await fail(LATELY)
    await shadowed.start([])
    const [call] = await ownSink.received(1, { timeout: 40_000 })
    expect(JSON.parse(call!.body)).toMatchObject({ executionId: between })
    await shadowed.process.waitForLine(/RECONCILER: Task .* without a message/, 20_000)
    expect(ownSink.requests.map(({ body }) => body).join()).not.toContain(seen)
    expect(ownSink.requests).toHaveLength(1)
    await ownSink.stop()
  }, 90_000)
})
