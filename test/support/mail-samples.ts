/** Events as they really come, one per kind of mail: for pictures and for the tests of the built-in mails. */

import { sampleEvent } from '../../src/alerts/sample-event.ts'
import type { ContextDelivery, ContextSettings } from '../../src/alerts/template-context.ts'
import type { EventOutcome, EventType, TaskEvent } from '../../src/events/types.ts'
import { fullEvent, LINKS, scriptLog } from './alerts.ts'

export interface MailSample {
  readonly event: TaskEvent
  readonly delivery: ContextDelivery
  readonly links: Pick<ContextSettings, 'qlikSenseUrls' | 'genericUrls'>
}

const AT = Date.parse('2025-10-14T07:28:43.200Z')
const LOG = scriptLog([
  '2025-10-14 09:24:31      Execution started.',
  '2025-10-14 09:24:31      Qlik Sense Server Version       14.212.4',
  "2025-10-14 09:24:31  0001 SET ThousandSep=',';",
  '2025-10-14 09:24:32  0014 LIB CONNECT TO [ERP (acme_svc-qlik)];',
  '2025-10-14 09:24:33  0021 orders:',
  '2025-10-14 09:24:33  0022     LOAD OrderID, CustomerID, Amount, Currency, OrderDate, ShippedDate, WarehouseID, SalesPersonID',
  '2025-10-14 09:24:33  0023     FROM [lib://Source files (acme_svc-qlik)/sales/2025/orders-incremental-export-20251014.qvd] (qvd);',
  '2025-10-14 09:28:42      \t412,905 lines fetched',
  "2025-10-14 09:28:43      Error: Field 'Amount' not found",
  '2025-10-14 09:28:43      Execution Failed',
  '2025-10-14 09:28:43      Execution finished.',
])
const GOOD_LOG = scriptLog([
  ...LOG.lines.slice(0, 8),
  '2025-10-14 09:28:42  0031 STORE orders INTO [lib://Warehouse/orders.qvd] (qvd);',
  '2025-10-14 09:28:43      Execution finished.',
])
const CHAIN = {
  root: { id: 'a', name: 'Sales DW - hourly' },
  downstream: [
    { id: 'b', name: 'Sales dashboard - reload', usualStart: '2025-10-14T07:35:00.000Z' },
    { id: 'c', name: 'Sales mailing - distribute', usualStart: '2025-10-14T07:50:00.000Z' },
  ],
}

const succeeded = fullEvent({
  outcome: 'success',
  severity: 'info',
  logMessage: 'Reload complete',
  execution: { ...fullEvent().execution!, status: 7 },
  scriptLog: GOOD_LOG,
})

const failed = fullEvent({
  scriptLog: LOG,
  history: { consecutiveFailures: 3, lastSuccessAt: Date.parse('2025-10-14T04:28:10.000Z') },
  retry: { attempt: 1, max: 3, nextAt: AT + 300_000, refused: null },
})

function sample(event: TaskEvent, delivery: ContextDelivery = {}): MailSample {
  return { event, delivery, links: LINKS }
}

function like(type: EventType, outcome: EventOutcome, changes: Partial<TaskEvent> = {}): TaskEvent {
  return {
    ...sampleEvent('01963b5e-7f10-7c55-9d22-0d4a86f1b001', outcome, AT, type),
    test: false,
    host: 'qs-prod-1',
    ...changes,
  }
}

export const MAIL_SAMPLES = {
  'reload-failed': sample(failed, { note: { chain: CHAIN }, suppressed: 4 }),
  'reload-aborted': sample(
    fullEvent({ outcome: 'aborted', severity: 'warning', logMessage: 'Execution State Change to Aborting' }),
  ),
  'reload-success': sample(succeeded),
  'reload-recovered': sample(succeeded, { kind: 'recovery' }),
  'reload-bare': sample({
    ...fullEvent({ task: null, app: null, owner: null, execution: null, scriptLog: null }),
    missingParts: ['task', 'app', 'owner', 'execution', 'scriptLog'],
  }),
  'reload-app-gone': sample({
    ...fullEvent({ app: null, owner: null, scriptLog: null }),
    missingParts: ['app', 'owner', 'scriptLog'],
    absentParts: ['app', 'owner'],
  }),
  'long-names': sample({
    ...failed,
    taskName: `Sales_DW_incremental_${'hourly_'.repeat(14)}load`,
    appName: 'App'.repeat(60),
    host: `qs-${'prod-'.repeat(20)}1.acme.example`,
    execution: { ...failed.execution!, executingNodeName: `qs-${'scheduler-'.repeat(12)}2.acme.example` },
    task: { ...failed.task!, tags: [{ id: 't', name: 'tag'.repeat(50) }] },
    scriptLog: scriptLog([`Error: ${'\\\\fs01\\share'.repeat(30)}`, 'x'.repeat(900)]),
  }),
  'reload-late': sample(like('reload', 'late')),
  'external-failed': sample(like('externalProgram', 'failed')),
  'distribute-failed': sample(like('distribute', 'failed')),
  'preload-success': sample(like('preload', 'success')),
  'service-stopped': sample(like('service', 'stopped')),
  'service-started': sample(like('service', 'started')),
  'license-expiring': sample(like('license', 'expiring')),
  'cloud-failed': sample(like('cloudReload', 'failed')),
  'self-raised': sample(like('self', 'raised')),
  fallback: sample(failed, { kind: 'fallback', note: { failedDestination: 'ops-slack' } }),
  summary: sample(failed, {
    kind: 'summary',
    note: {
      summary: {
        title: '12 alerts between 22:00 and 06:00',
        lines: ['Sales DW - hourly: 9 failed', 'HR Insights: 3 failed'],
      },
    },
  }),
  test: sample(sampleEvent('01963b5e-7f10-7c55-9d22-0d4a86f1b002', 'failed', AT), { kind: 'test' }),
} as const satisfies Record<string, MailSample>
