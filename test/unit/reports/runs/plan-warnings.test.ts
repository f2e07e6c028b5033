/** Warnings that the plan of a task shows. */
import { expect, test } from 'bun:test'
import { templateReport } from '../../../../src/reports/entities/report.ts'
import { reportTask } from '../../../../src/reports/entities/task.ts'
import { slowRows, warnOfPlan } from '../../../../src/reports/runs/plan-warnings.ts'
import { fakeReportData, table } from '../../../support/report-data.ts'
import { exampleDefinition, REPORT } from '../../../support/report-runs.ts'

const mails = (count: number, changes: object) =>
  Array.from({ length: count }, (_, index) => ({
    id: String(index),
    channel: 'email' as const,
    target: '',
    documents: [],
    payload: { cc: [], bcc: [], ...changes },
    state: 'planned' as const,
  }))

const protectedBy = (zipPassword: string) => [
  {
    key: 'pack',
    reportId: REPORT,
    format: 'pdf',
    zip: 'perMail',
    protect: { zipPassword: `secretRef:${zipPassword}` },
  },
]

function warnings(deliveries: ReturnType<typeof mails>, reports: readonly object[] = []) {
  const found: string[] = []
  const secrets = { eleven: 'elf Zeichen', twelve: 'zwölf Zeich.', empty: '' }
  warnOfPlan(exampleDefinition({ reports }), deliveries, secrets, ({ code, report = '-', details }) =>
    found.push(`${code} ${report} ${details}`),
  )
  return found
}

test.each([
  ['five mails with copies', 5, { cc: ['boss@x.com'] }, []],
  ['six mails without copies', 6, {}, []],
  [
    'six mails with a copy',
    6,
    { cc: ['boss@x.com'] },
    ['COPIES_OF_ALL_MAILS - boss@x.com in email.cc or email.bcc would get all 6 mails'],
  ],
  [
    'six mails with a hidden copy',
    6,
    { bcc: ['audit@x.com'] },
    ['COPIES_OF_ALL_MAILS - audit@x.com in email.cc or email.bcc would get all 6 mails'],
  ],
])('%s', (_, count, copies, expected) => {
  expect(warnings(mails(count, copies))).toEqual(expected)
})

test.each([
  ['eleven', ['PASSWORD_SHORT pack protect.zipPassword: reportTask.secrets.eleven is shorter than 12 characters']],
  ['twelve', []],
  ['empty', ['DOCUMENT_FAILED pack protect.zipPassword: reportTask.secrets.empty is not set']],
  ['absent', ['DOCUMENT_FAILED pack protect.zipPassword: reportTask.secrets.absent is not set']],
])('a password of %s characters', (secret, expected) => {
  expect(warnings([], protectedBy(secret))).toEqual(expected)
})

test.each([
  ['pdf', 'sales.xlsx', 20_001, 20_001],
  ['pdf', 'sales.xlsx', 20_000, null],
  ['xlsx', 'sales.xlsx', 20_001, null],
  ['pdf', 'sales.docx', 20_001, null],
])('rows of a workbook that becomes a PDF: %s of %s with %d rows', async (format, file, rows, expected) => {
  const report = templateReport().parse({
    type: 'template',
    name: 'T',
    appId: REPORT,
    template: { source: 'file', file },
    data: [
      { key: 'lines', type: 'table', maxRows: 50_000, columns: [{ key: 'Order', expr: 'Order', kind: 'dimension' }] },
    ],
  })
  const [use] = reportTask().parse({ name: 'T', reports: [{ key: 'a', reportId: REPORT, format }] }).reports
  const data = fakeReportData({ tables: { Order: table(['d:Order'], [], { rows }) } })
  expect(await slowRows(use!, report, data)).toBe(expected)
})
