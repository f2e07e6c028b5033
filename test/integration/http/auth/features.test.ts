/** What the features do for access control and the audit themselves. */
import { expect, test } from 'bun:test'
import { buildAudit } from '../../../../src/app/audit.ts'
import { butler } from '../../../../src/app/schema.ts'
import { appRoutes } from '../../../../src/apps/http.ts'
import type { AppReloadRequest } from '../../../../src/apps/reload.ts'
import { auditMigrations } from '../../../../src/http/audit.ts'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import { createStartTask } from '../../../../src/tasks/start/start.ts'
import type { StartRequest } from '../../../../src/tasks/start/types.ts'
import { TASK_ID } from '../../../support/events.ts'
import { fakeQrs, qrsTask } from '../../../support/fake-qrs.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { type AuditRow, accessApi, bearer, makeKey } from './support.ts'

test('starts by MQTT and after reloads, with what came of them', async () => {
  const log = recordingLog()
  const clock = { now: Date.now }
  const db = openDatabase(':memory:', { migrations: auditMigrations })
  const writer = createGroupWriter(db)
  const { observers } = buildAudit(
    { log, clock, db, writer, shared: { mode: 'single' }, paths: { candidates: () => [] } },
    butler.parse({}),
    false,
  )
  const qrs = {
    ...fakeQrs(),
    tasks: async () => [qrsTask()],
    startTask: async () => ({ started: true as const, executionId: 'e1' }),
    resultsById: async () => [],
  }
  const start = (tags: readonly string[]) =>
    createStartTask(
      { qrs, log, clock, onFinished: observers.start },
      {
        startTaskFilter: { enable: true, allowTask: { taskId: [], tag: [...tags], customProperty: [] } },
        startFilter: { appliesTo: ['mqtt', 'followUp'] },
        shadow: false,
      },
    )
  const request: StartRequest = {
    origin: 'mqtt',
    requestedBy: 'topic qliksense/start_task',
    actor: 'mqtt:qliksense/start_task',
    taskIds: [TASK_ID],
    tags: [],
    customProperties: [],
    match: 'any',
    allTaskIdsMustExist: false,
  }
  await start(['hourly-reload'])(request)
  await start([])(request)
  await start(['hourly-reload'])({ ...request, origin: 'followUp', actor: 'key:erp' })
  await start(['hourly-reload'])({ ...request, origin: 'rest' })
  qrs.tasks = () => Promise.reject(new Error('QRS is down'))
  await start(['hourly-reload'])(request).catch(() => undefined)
  await writer.flush()

  const rows = db.all<AuditRow>('SELECT * FROM audit ORDER BY id')
  expect(
    rows.map((row) => [row.actor, row.address, row.action, row.status, row.outcome, row.target, row.detail]),
  ).toEqual([
    ['mqtt:qliksense/start_task', null, 'task.start', null, 'ok', `["${TASK_ID}"]`, '1 started'],
    ['mqtt:qliksense/start_task', null, 'task.start', null, 'denied', `["${TASK_ID}"]`, '0 started, 1 denied'],
    ['key:erp', null, 'task.start', null, 'ok', `["${TASK_ID}"]`, '1 started'],
    ['mqtt:qliksense/start_task', null, 'task.start', null, 'failed', `["${TASK_ID}"]`, 'QRS is down'],
  ])
  expect(log.of('info')).toContain(
    `AUDIT: actor=mqtt:qliksense/start_task action=task.start outcome=ok target=${TASK_ID}`,
  )
  db.close()
})

test('the tasks that follow a reload need a scope of their own, and its start filter goes with them', async () => {
  const [plain, both] = [makeKey(), makeKey()]
  const startFilter = { taskId: [], tag: ['hourly-reload'], customProperty: [] }
  const begun: AppReloadRequest[] = []
  const asked: unknown[] = []
  const routes = appRoutes(
    {
      engine: {} as never,
      reloads: {
        begin: async (request) => {
          begun.push(request)
          return { executionId: 'r1' } as never
        },
      },
      log: recordingLog(),
      stopping: new AbortController().signal,
      deniedTasks: async (ids, limitedTo) => {
        asked.push([ids, limitedTo])
        return []
      },
    },
    { shadow: false },
  )
  await using api = await accessApi({
    access: {
      keys: [
        { id: 'plain', hash: plain.hash, scopes: ['app:run'] },
        { id: 'both', hash: both.hash, scopes: ['app:run', 'task:run'], startFilter },
      ],
    },
    routes,
    settings: { restServerEndpointsEnable: { senseAppReload: true } },
  })
  const reload = async (key: string, body: object) =>
    (await api.call('PUT', `/v4/app/${TASK_ID}/reload`, bearer(key), body)).status
  expect(await reload(plain.key, {})).toBe(201)
  expect(await reload(plain.key, { startQSEoWTaskOnSuccess: [TASK_ID] })).toBe(403)
  expect(await reload(plain.key, { startQSEoWTaskOnFailure: [TASK_ID] })).toBe(403)
  expect(await reload(both.key, { startQSEoWTaskOnSuccess: [TASK_ID] })).toBe(201)
  expect(begun.map(({ actor }) => actor)).toEqual(['key:plain', 'key:both'])
  expect(begun[1]?.limitedTo).toEqual(startFilter)
  expect(asked).toEqual([[[TASK_ID], startFilter]])
})
