import { describe, expect, test } from 'bun:test'
import { createSimClock, createSimulator } from '../../../simulator/index.ts'
import { createLocalTime } from '../../../simulator/local-time.ts'
import { DEFAULT_SCRIPT_LOG_MODES, renderScriptLog, type ScriptLogModes } from '../../../simulator/script-logs.ts'
import type { SimExecution, SimTask, SiteEvents } from '../../../simulator/types.ts'
import { DEFAULT_UDP_MODES, renderDatagram, type UdpModes } from '../../../simulator/udp.ts'
import { recordingLog } from '../../support/recording-log.ts'

const DASHBOARD = 'a8b4c123-def4-5678-9abc-def012345678'
const time = createLocalTime('Europe/Stockholm')
const { site } = createSimulator(
  { log: recordingLog(), clock: createSimClock({ now: Date.parse('2026-03-02T06:00:00.000Z'), speed: 0 }) },
  { certificateDirectory: '/nowhere' },
)
const task = (id: string) => site.tasks.get(id) as SimTask
const execution = {
  executionID: 'e5000000-0000-4000-8000-000000000001',
  status: 8,
  startTime: Date.parse('2026-03-02T06:00:01.902Z'),
  stopTime: Date.parse('2026-03-02T06:03:10.804Z'),
} as SimExecution

function datagram(line: Partial<SiteEvents['schedulerLog']>, modes: Partial<UdpModes> = {}): Buffer {
  const full = {
    kind: 'failed' as const,
    task: task(DASHBOARD),
    execution,
    user: 'INTERNAL\\sa_scheduler',
    message: 'Max retries reached',
    host: 'QS-CENTRAL',
    ...line,
  }
  return renderDatagram(time, full, Date.parse('2026-03-02T06:03:11.482Z'), { ...DEFAULT_UDP_MODES, ...modes })
}
const text = (...input: Parameters<typeof datagram>) => datagram(...input).toString('utf8')

describe('datagrams', () => {
  test('of a failure', () => {
    expect(text({})).toBe(
      '/scheduler-task-failed/;QS-CENTRAL;Financial Dashboard Reload;Sales Dashboard;INTERNAL\\sa_scheduler;a8b4c123-def4-5678-9abc-def012345678;a1000000-0000-4000-8000-000000000002;2026-03-02 07:03:11,482;INFO;e5000000-0000-4000-8000-000000000001;Max retries reached',
    )
  })

  test('of a success, with the two slashes that the shipped appender sends, and app fields left empty', () => {
    const line = {
      kind: 'success' as const,
      task: task('71000000-0000-4000-8000-000000000001'),
      message: 'Execution State Change to FinishedSuccess',
    }
    expect(text(line)).toBe(
      '/scheduler-task-success//;QS-CENTRAL;Nightly FTP fetch;;INTERNAL\\sa_scheduler;71000000-0000-4000-8000-000000000001;;2026-03-02 07:03:11,482;INFO;e5000000-0000-4000-8000-000000000001;Execution State Change to FinishedSuccess',
    )
    expect(text(line, { successType: 'single-slash', absent: 'null' })).toStartWith(
      '/scheduler-task-success/;QS-CENTRAL;Nightly FTP fetch;(null);',
    )
    expect(text(line, { generation: 'legacy' })).toStartWith('/scheduler-reloadtask-success/;')
  })

  test('in summer are an hour further ahead', () => {
    expect(time.logDate(Date.parse('2026-07-01T00:30:00.005Z'))).toBe('2026-07-01 02:30:00,005')
  })

  test('spoiled in every way', () => {
    const fields = (modes: Partial<UdpModes>) => text({}, modes).split(';')
    expect(fields({ withoutApp: true })[6]).toBe('')
    expect(fields({ withoutExecutionId: true, absent: 'null' })[9]).toBe('(null)')
    expect(fields({ brokenTaskId: true })[5]).toBe('a8b4c123-def4-5678-9abc-def01234567')
    expect(datagram({}, { invalidUtf8: true }).at(-1)).toBe(0xff)
    expect(datagram({}, { padToBytes: 70_000 })).toHaveLength(70_000)
    expect(text({ task: task('70000000-0000-4000-8000-000000000011') }).split(';')).toHaveLength(12)
  })
})

function scriptLog(changes: { status?: number; task?: SimTask } = {}, modes: Partial<ScriptLogModes> = {}) {
  const run = { ...execution, status: changes.status ?? 8 }
  return renderScriptLog(time, changes.task ?? task('fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'), run, {
    ...DEFAULT_SCRIPT_LOG_MODES,
    ...modes,
  })
}

describe('script logs', () => {
  test('of a failure end with the error', () => {
    const lines = scriptLog({ task: task('70000000-0000-4000-8000-000000000006') }).split('\r\n')
    expect(lines[0]).toBe('20260302T070001.902+0100      Execution started.')
    expect(lines[7]).toBe("20260302T070001.902+0100 0002 SET ThousandSep=','")
    expect(lines.slice(9)).toEqual([
      '20260302T070001.902+0100 0014 Orders:',
      '20260302T070001.902+0100 0015 LOAD',
      '20260302T070001.902+0100 0016     OrderID, CustomerID, Amount',
      '20260302T070001.902+0100 0017 FROM [lib://ERP/orders.qvd] (qvd)',
      "20260302T070310.804+0100       Error: Cannot open file: 'lib://ERP/orders.qvd' (Native Path: \\\\fs01\\erp\\orders.qvd)",
      '20260302T070310.804+0100      General Script Error',
      '20260302T070310.804+0100      Execution Failed',
      '20260302T070310.804+0100      Execution finished.',
      '',
    ])
  })

  test('of a success tell what was fetched', () => {
    const lines = scriptLog({ status: 7 }).split('\r\n')
    expect(lines).toContain(
      '20260302T070001.902+0100                             3 fields found: OrderID, CustomerID, Amount, 125,331 lines fetched',
    )
    expect(lines.slice(-4)).toEqual([
      '20260302T070310.804+0100      Creating search index',
      '20260302T070310.804+0100      Search index creation completed successfully',
      '20260302T070310.804+0100      Execution finished.',
      '',
    ])
  })

  test('come with a byte-order mark, LF, in any size, empty, or as given', () => {
    expect(scriptLog({}, { byteOrderMark: true }).charCodeAt(0)).toBe(0xfeff)
    expect(scriptLog({}, { lineEnd: 'lf' })).not.toContain('\r')
    expect(scriptLog({}, { minBytes: 20_000_000 }).length).toBeGreaterThanOrEqual(20_000_000)
    expect(scriptLog({}, { empty: true })).toBe('')
    const given = { ...task(DASHBOARD), behaviour: { ...task(DASHBOARD).behaviour, log: 'A\r\nB\r\nC\r\n' } }
    expect(scriptLog({ task: given })).toBe('A\r\nB\r\nC\r\n')
  })
})
