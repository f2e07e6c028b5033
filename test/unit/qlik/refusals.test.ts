/** Rights that QRS denies: kept until a question that needs the same right is answered. */
import { expect, test } from 'bun:test'
import { isRead, QrsError, rightFor } from '../../../src/qlik/qrs/errors.ts'
import { createRefusals } from '../../../src/qlik/qrs/failure.ts'

const call = (endpoint: string, method = 'GET') => ({ method, endpoint, host: 'qs', port: 4242, expectedStatus: [200] })

function world() {
  const refusals = createRefusals()
  /** `answer`: the status, or why there was none. */
  function ask(endpoint: string, answer: number | 'unreachable' | 'timeout' | 'aborted', method = 'GET'): void {
    const asked = call(endpoint, method)
    const error =
      answer === 200
        ? null
        : typeof answer === 'number'
          ? new QrsError('status', asked, { status: answer })
          : new QrsError(answer, asked, {})
    refusals.observe(error?.kind ?? 'ok', 1, { right: rightFor(asked), isRead: isRead(asked), error })
  }
  const rights = () => refusals.reasons().map((reason) => /(?:read|change) \S+$/.exec(reason)?.[0])
  return { ask, rights, refusals }
}

test('a 403 names the right, until a question of the same kind is answered', () => {
  const { ask, rights, refusals } = world()
  ask('executionresult/full', 403)
  ask('executionsession/70000000-0000-4000-8000-000000000001', 403)
  ask('task/full', 200)
  expect(rights()).toEqual(['read ExecutionResult_*', 'read ExecutionSession_*'])
  expect(refusals.reasons()[0]).toStartWith('QRS answered 403: the user in Butler.configQRS.headers.static')
  ask('executionresult/count', 200)
  expect(rights()).toEqual(['read ExecutionSession_*'])
})

test('other errors say nothing about rights, nor does the refusal of a change', () => {
  const { ask, rights } = world()
  for (const status of [400, 404, 500, 503]) ask('executionresult/full', status)
  ask('task/70000000-0000-4000-8000-000000000001/start', 403, 'POST')
  expect(rights()).toEqual([])
})

test.each([
  ['unreachable', []],
  ['timeout', []],
  ['aborted', ['read App_*']],
] as const)('after %s the rights that are missing are %j', (answer, expected) => {
  const { ask, rights } = world()
  ask('app/full', 403)
  ask('about', answer)
  expect(rights()).toEqual([...expected])
})
