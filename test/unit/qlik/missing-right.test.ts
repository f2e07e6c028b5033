/** A 403 of the repository is named with the right that is missing. */
import { expect, test } from 'bun:test'
import { QrsError } from '../../../src/qlik/qrs/errors.ts'
import { isDown, reasonOf } from '../../../src/qlik/qrs/failure.ts'

const call = (method: string, endpoint: string) => ({ method, endpoint, host: 'qs', port: 4242, expectedStatus: [200] })

test.each([
  ['GET', 'executionresult/full', 'read ExecutionResult_*'],
  ['GET', 'executionsession/full', 'read ExecutionSession_*'],
  ['POST', 'task/table', 'read ReloadTask_*'],
  ['POST', 'task/70000000-0000-4000-8000-000000000001/start/synchronous', 'change ReloadTask_*'],
  ['GET', 'app/full', 'read App_*'],
  ['GET', 'about', 'read it'],
])('%s %s', (method, endpoint, right) => {
  const error = new QrsError('status', call(method, endpoint), { status: 403, body: 'Forbidden' })
  expect(isDown(error)).toBeFalse()
  expect(reasonOf(error)).toBe(
    `QRS answered 403: the user in Butler.configQRS.headers.static (X-Qlik-User) needs a security rule of the QMC to ${right}`,
  )
})

test('another status says nothing about rights', () => {
  expect(reasonOf(new QrsError('status', call('GET', 'executionresult/full'), { status: 500 }))).toBe(
    'QRS answered 500',
  )
})
