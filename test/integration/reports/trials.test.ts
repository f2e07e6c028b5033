/** Answers that wait for the engine: what a caller gets when there is no result in time. */
import { expect, test } from 'bun:test'
import { createBlobs } from '../../../src/platform/blobs.ts'
import { ReportError } from '../../../src/reports/codes.ts'
import { report } from '../../../src/reports/entities/report.ts'
import { previewRoutes } from '../../../src/reports/http/preview.ts'
import { trialRoutes } from '../../../src/reports/http/trials.ts'
import type { Prepared } from '../../../src/reports/runs/prepare.ts'
import type { Runner } from '../../../src/reports/runs/runner.ts'
import { exampleDocument } from '../../support/report-runs.ts'
import { BODIES, testDefinitions } from '../../support/reports.ts'
import { routesApi } from '../../support/routes-api.ts'

async function renderWith(tryOut: Runner['tryOut']) {
  const { store, db } = testDefinitions()
  const runner = { tryOut } as Runner
  await using api = await routesApi(
    trialRoutes({
      store,
      runner,
      blobs: createBlobs('/nowhere'),
      planTimeoutMs: 50,
      clock: Date,
      timezone: 'UTC',
      facts: () => Promise.reject(new Error('not asked here')) as never,
    }),
  )
  const { id } = await store.edit('x', ({ save, get }) => {
    const reportId = '0d9c9a0e-97b1-4b7c-8c55-0b6a3f6f4a11'
    save([{ kind: 'report', id: reportId, entity: report().parse({ ...BODIES.report, filterIds: [] }) }])
    return get('report', reportId)!
  })
  const answer = await api.send('POST', `/v4/report/${id}/render?format=html`)
  db.close()
  return { status: answer.status, body: JSON.parse(answer.body) as { code: string; details: string } }
}

test('nothing in time is a 502 that says how long it waited', async () => {
  const { status, body } = await renderWith(
    (_definition, _options, _render, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
  )
  expect([status, body.code, body.details]).toEqual([502, 'ENGINE_UNREACHABLE', 'no result within 0.05 s'])
})

test.each([
  ['ENGINE_UNREACHABLE', 502, 'ENGINE_UNREACHABLE', 'connect ECONNREFUSED'],
  ['REPOSITORY_UNREACHABLE', 502, 'REPOSITORY_UNREACHABLE', 'connect ECONNREFUSED'],
  ['OBJECT_NOT_FOUND', 422, 'OBJECT_NOT_FOUND', 'connect ECONNREFUSED'],
  ['RENDER_TIMEOUT', 422, 'REPORT_NOT_MADE', 'RENDER_TIMEOUT: connect ECONNREFUSED'],
] as const)('%s is a %d', async (code, status, answered, details) => {
  const answer = await renderWith(() => Promise.reject(new ReportError(code, 'connect ECONNREFUSED')))
  expect([answer.status, answer.body.code, answer.body.details]).toEqual([status, answered, details])
})

const MADE = {
  documents: [exampleDocument({ bytes: 3 * 1_048_576 })],
  people: [],
  variants: {},
  missing: [],
  conditions: [],
  skipped: null,
  app: { name: 'Sales', lastReload: null },
  states: { delivered: {}, notDelivered: {} },
} satisfies Prepared

test.each([
  ['takes too long', () => new Promise<never>(() => {}), 502, 'no result within 0.05 s'],
  [
    'becomes too large',
    async () => ({ prepared: MADE, events: [] }),
    422,
    'The document has 3.0 MiB, previews at most 1.0. Show fewer rows (maxRows), or start the task as a test.',
  ],
] as const)('a preview that %s is refused', async (_, tryOut, status, details) => {
  const { store, db } = testDefinitions()
  const limits = { previewTimeoutMs: 50, previewBytes: 1_048_576 }
  const runner = {
    tryOut: (...[, , , signal]: Parameters<Runner['tryOut']>) =>
      Promise.race([
        tryOut(),
        new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ]),
  }
  await using api = await routesApi(previewRoutes({ store, runner, blobs: createBlobs('/nowhere'), ...limits }))
  const answer = await api.send('POST', '/v4/report/-/preview', { ...BODIES.report, filterIds: [] })
  expect([answer.status, JSON.parse(answer.body).details]).toEqual([status, details])
  expect(store.list('report')).toEqual([])
  db.close()
})
