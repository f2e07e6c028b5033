/** The night before the demo, at any time of the day. */
import { afterEach, expect, setSystemTime, test } from 'bun:test'
import { NEVER_MS } from '../../../simulator/entities.ts'
import { playNight } from '../../../src/cli/demo/night.ts'
import { BEHAVIOUR, ROUND } from '../../../src/cli/demo/script.ts'
import { recordingLog } from '../../support/recording-log.ts'

afterEach(() => setSystemTime())

const STARTED = new Set([...Object.keys(BEHAVIOUR ?? {}), ...ROUND.map(({ task }) => task)])
/** A few minutes after triggers of the site, in its time zone, and in the midst of nothing. */
const TIMES = ['00:04', '01:31', '02:10', '02:33', '03:03', '04:08', '05:04', '06:02', '06:07', '12:09', '17:45']

test.each(TIMES)('at %s no task runs that the demo starts', (time) => {
  setSystemTime(new Date(`2026-11-23T${time}:30+01:00`))
  const { simulator } = playNight({ log: recordingLog() }, { certificateDirectory: 'unused' })
  const { executions, tasks } = simulator.site
  const running = [...executions.values()]
    .filter(({ stopTime }) => stopTime === NEVER_MS)
    .map(({ taskID }) => tasks.get(taskID)?.name ?? '')
  expect(running.filter((name) => STARTED.has(name))).toEqual([])
  expect(running).toContain('Order history')
})
