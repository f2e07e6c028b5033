/** How far a fault reaches while documents are made, and the words for it. */
import { expect, test } from 'bun:test'
import { CODES, type ErrorCode, ReportError } from '../../../../src/reports/codes.ts'
import type { ReportUse } from '../../../../src/reports/entities/task.ts'
import { allClosed, endOfRun, isClosedApp, isEndOfRun, missed } from '../../../../src/reports/runs/faults.ts'
import { stranger } from '../../../../src/reports/runs/recipients.ts'
import { PLAIN } from '../../../../src/reports/runs/variants.ts'
import { cell } from '../../../support/report-data.ts'

const fault = (code: string) => new ReportError(code as ErrorCode, 'gone')
const uses = ['a', 'b', 'c'].map((key) => ({ key }) as ReportUse)
const [use] = uses as [ReportUse]
const PERSON = { userDirectory: 'LAB', userId: 'anna' }

test('few faults end the run or close an app; all others cost a document', () => {
  expect(CODES.filter((code) => isEndOfRun(fault(code)))).toEqual(['ENGINE_UNREACHABLE', 'INTERNAL'])
  const closed: unknown[] = ['APP_NOT_FOUND', 'APP_ACCESS_DENIED', 'APP_NO_DATA']
  expect(CODES.filter((code) => isClosedApp(fault(code), PLAIN))).toEqual(closed as never)
  expect(CODES.filter((code) => isClosedApp(fault(code), { user: PERSON }))).toEqual([])
  expect([isEndOfRun(new Error('broken')), isClosedApp(new Error('broken'), PLAIN)]).toEqual([false, false])
})

test('the end of a run names its report and the others, once', () => {
  const end = endOfRun(fault('INTERNAL'), uses[1]!, uses)
  const details = 'gone; the run ends, nothing is delivered of a, c either'
  expect(end).toMatchObject({ code: 'INTERNAL', report: 'b', details })
  expect(endOfRun(end, use, uses)).toBe(end)
  expect(endOfRun(fault('INTERNAL'), use, [use]).details).toBe('gone')
})

test('when all apps are closed, the first names the others', () => {
  const [first, ...others] = uses.map((one) => [one, fault('APP_NO_DATA')] as const)
  const end = allClosed([first!, ...others])
  expect(end).toMatchObject({ report: 'a', details: 'gone; b: APP_NO_DATA gone; c: APP_NO_DATA gone' })
})

const cycle = [{ field: 'Region', value: cell('N') }]
const people = ['a@x.com', 'b@x.com'].map((address) => stranger(address, { email: true, hub: true }))
const own = { ...PLAIN, id: '1', filterIds: ['1'], people }
const named = { mail: ['b@x.com', 'm@x.com'], hub: ['h@x.com'] }
test.each<[string, object, object, readonly string[]]>([
  ['of a report', {}, { variant: null, mailTo: [], label: 'a' }, ['- gone']],
  ['for all', { variant: { ...PLAIN, people } }, { variant: '', mailTo: [], label: 'a' }, ['- gone']],
  ['of a value', { variant: PLAIN, cycle }, { variant: '', label: 'a/N' }, ['- a/N: gone']],
  ['of people', { variant: own }, { variant: '1', label: 'a' }, ['a@x.com gone', 'b@x.com gone']],
  [
    'of people, and those whom the cycle names',
    { variant: own, cycle, named },
    { variant: '1', mailTo: named.mail, label: 'a/N' },
    ['a@x.com a/N: gone', 'b@x.com a/N: gone', 'm@x.com a/N: gone', 'h@x.com a/N: gone'],
  ],
])('a document %s that cannot be made', (_, unmade, missing, expected) => {
  const found = missed({ use, ...unmade }, fault('FILTER_EMPTY'))
  expect(found.missing).toMatchObject({ report: 'a', code: 'FILTER_EMPTY', ...missing })
  const texts = found.events.map(({ recipient = '-', details }) => `${recipient} ${details}`)
  expect([texts, new Set(found.events.map(({ code, report }) => `${code} ${report}`))]).toEqual([
    [...expected],
    new Set(['FILTER_EMPTY a']),
  ])
})
