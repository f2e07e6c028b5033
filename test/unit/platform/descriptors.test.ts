import { expect, test } from 'bun:test'
import { createDescriptorWatch, type DescriptorUse } from '../../../src/platform/descriptors.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

function scene() {
  const log = recordingLog()
  const calls: string[] = []
  const state: { use: DescriptorUse | null; portTaken: boolean } = {
    use: { used: 40, limit: 256, isSystemFull: false },
    portTaken: false,
  }
  const listener = {
    pause: () => void calls.push('pause'),
    resume: async () => {
      calls.push('resume')
      if (state.portTaken) throw new Error('the port is already in use')
    },
  }
  let measured = 0
  const measure = () => {
    measured += 1
    return state.use
  }
  const watch = createDescriptorWatch({ log, listener, measure }, { everyMs: 1 })
  /** Resolves after some more measurements. */
  const looked = async () => {
    const before = measured
    await until(() => measured > before + 2)
  }
  return { watch, log, calls, state, looked }
}

const isUnix = process.platform !== 'win32'

test.skipIf(!isUnix).each([
  [
    'of Footman',
    { used: 245, limit: 256, isSystemFull: false },
    /^245 of 256 file descriptors .*\(EMFILE\).*LimitNOFILE/,
  ],
  ['of the machine', { used: 0, limit: 256, isSystemFull: true }, /\(ENFILE\).*fs\.file-max/],
])('those %s run out: paused once, resumed when enough are free', async (_, use, says) => {
  const { watch, log, calls, state, looked } = scene()
  await watch.start()
  state.use = use
  await until(() => watch.problem)
  expect(watch.problem).toMatch(says)
  // The reserve of 25 would not fit three times: it stays as it is.
  state.use = { used: 200, limit: 256, isSystemFull: false }
  await looked()
  expect(calls).toEqual(['pause'])

  state.portTaken = true
  state.use = { used: 40, limit: 256, isSystemFull: false }
  await until(() =>
    log.of('error').some((line) => line.includes('cannot be opened again yet: the port is already in use')),
  )
  expect(watch.problem).not.toBeNull()
  state.portTaken = false
  await until(() => watch.problem === null)
  expect(calls.filter((call) => call === 'pause')).toHaveLength(1)
  expect(log.of('info').at(-1)).toContain('takes connections again')
  await watch.stop(0)
})

test('where nothing can be measured nothing is done', async () => {
  const { watch, calls, state } = scene()
  state.use = null
  await watch.start()
  await watch.stop(0)
  expect([calls, watch.problem]).toEqual([[], null])
})
