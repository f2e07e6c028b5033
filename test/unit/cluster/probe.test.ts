/** Notifications of the database that do not arrive, as behind a pooler that works by transaction. */
import { expect, test } from 'bun:test'
import { createNotificationProbe } from '../../../src/cluster/probe.ts'
import { recordingLog } from '../../support/recording-log.ts'

function scene({ arrives = false, isListening = true, fails = false }) {
  const log = recordingLog()
  const asked: string[] = []
  const probe = createNotificationProbe(
    {
      log,
      isListening: () => isListening,
      pool: {
        async query(sql: string) {
          asked.push(sql)
          if (fails) throw new Error('away')
          if (arrives) probe.heard()
          return []
        },
      },
    },
    20,
  )
  return { probe, asked, complaints: () => log.of('error') }
}

test('are pointed out once, with the setting of the pooler', async () => {
  const { probe, asked, complaints } = scene({})
  await probe.run()
  await probe.run()
  expect(asked).toHaveLength(2)
  expect(asked[0]).toContain("pg_notify('footman_probe'")
  expect(complaints()).toHaveLength(1)
  expect(complaints()[0]).toMatch(/do not arrive, as behind a pooler .*cluster\.hosts.*pool_mode = session/)
})

test.each([
  ['that arrive', { arrives: true }],
  ['of a connection that was lost meanwhile', { isListening: false }],
  ['that could not be sent', { fails: true }],
])('%s are no reason to complain', async (_which, circumstances) => {
  const { probe, complaints } = scene(circumstances)
  await probe.run()
  expect(complaints()).toEqual([])
})

test('that come late, or were not asked for, are borne', async () => {
  const { probe, complaints } = scene({})
  probe.heard()
  await probe.run()
  probe.heard()
  expect(complaints()).toHaveLength(1)
})
