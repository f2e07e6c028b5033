/** Memory is given back when a busy time is over. */
import { expect, test } from 'bun:test'
import { releaseAfterWork } from '../../../src/platform/runtime.ts'
import { until } from '../../support/wait.ts'

test('memory is released once after much work, when it has ended, and again after the next time', async () => {
  let released = 0
  const worked = releaseAfterWork(
    () => {
      released += 1
    },
    { least: 3, quietMs: 20 },
  )
  for (let n = 0; n < 10; n++) worked()
  expect(released).toBe(0)
  await until(() => released === 1)
  for (let n = 0; n < 3; n++) worked()
  await until(() => released === 2)
})

test('little work releases nothing', async () => {
  let released = 0
  const [little, much] = [1, 2].map(() =>
    releaseAfterWork(
      () => {
        released += 1
      },
      { least: 3, quietMs: 5 },
    ),
  )
  little!()
  little!()
  for (let n = 0; n < 3; n++) much!()
  await until(() => released > 0)
  expect(released).toBe(1)
})
