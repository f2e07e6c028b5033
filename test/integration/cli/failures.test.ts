/** `footman failures`: executions that failed, the alerts about them, and the recovery. */
import { describe, expect, test } from 'bun:test'
import { runFailures } from '../../../src/cli/remote/failures.ts'
import { heard, restStub, type StubRequest } from '../../support/rest-stub.ts'

const [SALES, FINANCE] = ['70000000-0000-4000-8000-000000000001', '70000000-0000-4000-8000-000000000002'] as const
const [FIRST, SECOND] = ['e1000000-0000-4000-8000-000000000001', 'e2000000-0000-4000-8000-000000000002'] as const
const EVENT = '019cad24-bb20-78e1-b80b-d70ae0784c78'

const execution = (executionId: string, taskId: string, more: object) => ({
  executionId,
  taskId,
  taskType: 'reload',
  appName: 'App',
  node: 'qs1',
  error: null,
  outcome: 'failed',
  taskName: taskId === SALES ? 'Sales ETL' : 'Finance ETL',
  stoppedAt: '2026-03-02T02:00:00.000Z',
  ...more,
})
const FAILURES = [
  execution(SECOND, FINANCE, { outcome: 'aborted', stoppedAt: '2026-03-02T03:00:00.000Z' }),
  execution(FIRST, SALES, { error: 'Connection to the database failed' }),
]
const SUCCESSES = [
  execution('e3', SALES, { outcome: 'success', stoppedAt: '2026-03-02T05:00:00.000Z' }),
  execution('e4', SALES, { outcome: 'success', stoppedAt: '2026-03-02T02:12:05.000Z' }),
  execution('e5', SALES, { outcome: 'success', stoppedAt: '2026-03-02T01:00:00.000Z' }),
]
const DELIVERIES = [
  { eventId: EVENT, destination: 'ops-mail', target: 'ops@acme.example', state: 'delivered', reason: null },
  { eventId: EVENT, destination: 'slack', target: '#ops', state: 'dead', reason: 'REJECTED' },
]

function api({ path }: StubRequest): readonly [number, unknown] | null {
  const { pathname, searchParams } = new URL(path, 'http://x')
  if (pathname === '/v4/events') return [200, { events: [{ id: EVENT, executionId: FIRST }], nextCursor: null }]
  if (pathname === '/v4/deliveries') return [200, { deliveries: DELIVERIES, nextCursor: null }]
  if (pathname !== '/v4/history') return null
  const wanted = searchParams.getAll('outcome')
  const executions = [...FAILURES, ...SUCCESSES].filter(({ outcome }) => wanted.includes(outcome))
  return [200, { executions, nextCursor: null }]
}

const OPTIONS = { key: 'fm_test', timeout: 10_000, from: '2026-03-01T18:00:00.000Z' }

async function failures(more: object = {}, answer = api, glob?: string) {
  await using stub = await restStub(answer)
  const io = heard()
  const code = await runFailures(glob, { ...OPTIONS, url: stub.url, ...more }, io)
  return { code, out: io.stdout(), err: io.stderr(), paths: stub.requests.map(({ path }) => path) }
}

describe('failures', () => {
  test('with error, alerts and recovery, newest first', async () => {
    const { code, out, err } = await failures()
    expect([code, err]).toEqual([0, ''])
    expect(out.split('\n')).toEqual([
      'ENDED                TASK         OUTCOME  ERROR             ALERTED           RECOVERED    ID',
      '2026-03-02 03:00:00  Finance ETL  aborted  -                 no                no           e2000000',
      '2026-03-02 02:00:00  Sales ETL    failed   Connection to t…  ops-mail, slack…  in 12 m 5 s  e1000000',
      '',
      'Times are in the zone UTC.',
    ])
  })

  test('--wide shows whole texts and ids', async () => {
    const { out } = await failures({ wide: true })
    expect(out).toContain('ops-mail, slack (REJECTED)')
    expect(out).toContain(FIRST)
  })

  test('of the tasks with such a name; equal alerts once, with their number, the delivered ones first', async () => {
    const [delivered, refused] = DELIVERIES as [(typeof DELIVERIES)[0], (typeof DELIVERIES)[0]]
    const { out, paths } = await failures(
      { wide: true },
      (request) =>
        request.path.startsWith('/v4/deliveries')
          ? [200, { deliveries: [refused, delivered, refused, delivered, delivered], nextCursor: null }]
          : api(request),
      'Sales*',
    )
    expect(out).toContain('ops-mail x3, slack (REJECTED) x2')
    const asked = new URL(paths.find((path) => path.startsWith('/v4/history')) ?? '', 'http://x')
    expect(asked.searchParams.get('taskName')).toBe('Sales*')
  })

  test('--json has the same', async () => {
    const { out } = await failures({ json: true })
    const { from, failures: found } = JSON.parse(out)
    expect(from).toBe(OPTIONS.from)
    expect(found[1]).toMatchObject({
      executionId: FIRST,
      alerts: [
        { destination: 'ops-mail', target: 'ops@acme.example', state: 'delivered', reason: null },
        { destination: 'slack', target: '#ops', state: 'dead', reason: 'REJECTED' },
      ],
      recoveredAt: '2026-03-02T02:12:05.000Z',
    })
  })

  test('of one outcome, in a period', async () => {
    const { out, paths } = await failures({ outcome: ['aborted'], to: '2026-03-02T04:00:00.000Z' })
    const { searchParams } = new URL(paths[0]!, 'http://x')
    expect([...searchParams].filter(([name]) => name !== 'limit')).toEqual([
      ['outcome', 'aborted'],
      ['from', OPTIONS.from],
      ['to', '2026-03-02T04:00:00.000Z'],
    ])
    expect(out.split('\n')).toHaveLength(4)
  })

  test('none: a sentence with the period', async () => {
    const { code, out, paths } = await failures({}, () => [200, { executions: [], nextCursor: null }])
    expect([code, out]).toEqual([0, 'No failures since 2026-03-01 18:00:00 UTC.'])
    expect(paths).toHaveLength(1)
  })

  test('without --from since yesterday 18:00', async () => {
    const { paths } = await failures({ from: undefined })
    const yesterday = new Date()
    yesterday.setDate(yesterday.getDate() - 1)
    yesterday.setHours(18, 0, 0, 0)
    expect(new URL(paths[0]!, 'http://x').searchParams.get('from')).toBe(yesterday.toISOString())
  })
})
