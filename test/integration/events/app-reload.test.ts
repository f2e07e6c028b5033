/** Failed reloads without a task, as an engine reports them: from the datagram to the event, with its app and owner. */
import { afterEach, describe, expect, test } from 'bun:test'
import { APP_ID } from '../../support/events.ts'
import { fakeQrs } from '../../support/fake-qrs.ts'
import { closePipelines, startPipeline as start } from '../../support/pipeline.ts'
import { until } from '../../support/wait.ts'

afterEach(closePipelines)

/** A message of the engine; `n` makes it one of its own. */
function failure(n = 0, changes: { readonly app?: string; readonly directory?: string; readonly user?: string } = {}) {
  const { app = APP_ID, directory = 'ACME', user = 'goran' } = changes
  const time = `2026-03-02 07:03:11,${String(n).padStart(3, '0')}`
  const session = '0d6f2a18-8a31-4f57-9a0e-1c1f6c2b9e90'
  return `/engine-reload-failed/;QS-2;${app};${session};${directory};${user};${time};ERROR;Field "A;B" not found`
}

describe('a failed reload without a task', () => {
  test('is an event with app and owner; no task, execution or script log is asked for', async () => {
    const { send, routed, arrived, qrs, db } = await start()
    await send(failure())
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({
      type: 'appReload',
      outcome: 'failed',
      severity: 'error',
      source: 'udp',
      host: 'QS-2',
      user: 'ACME\\goran',
      taskId: '',
      taskName: '',
      executionId: '',
      logMessage: 'Field "A;B" not found',
      appId: APP_ID,
      appName: 'Sales Dashboard',
      app: { id: APP_ID },
      owner: { emails: ['anna@acme.example'] },
      task: null,
      execution: null,
      scriptLog: null,
      history: null,
      missingParts: [],
    })
    expect(arrived).toHaveLength(1)
    expect(qrs.calls.toSorted()).toEqual([`app ${APP_ID}`, 'owner u1'])
    expect(db.all('SELECT state, type, type_known FROM event')).toEqual([
      { state: 'routed', type: 'appReload', type_known: 1 },
    ])
  })

  test('names its app even where no rule needs it', async () => {
    const { send, routed, qrs } = await start({ needs: [] })
    await send(failure())
    await until(() => routed.length === 1)
    expect([routed[0]!.appName, qrs.calls]).toEqual(['Sales Dashboard', [`app ${APP_ID}`]])
  })

  test('that arrives twice is one event; one a moment later is another', async () => {
    const { send, routed, dropped } = await start()
    await send(failure(1))
    await send(failure(1))
    await send(failure(2))
    await until(() => routed.length === 2 && dropped().length === 1)
    expect(dropped()).toEqual(['DUPLICATE'])
  })

  test('of a task makes no event, as the scheduler reports it', async () => {
    const { send, routed, log, pipeline } = await start()
    await send(failure(1, { directory: 'INTERNAL', user: 'sa_scheduler' }))
    await send(failure(2, { directory: 'INTERNAL', user: 'sa_api' }))
    await until(() => routed.length === 1)
    expect(routed[0]!.user).toBe('INTERNAL\\sa_api')
    expect(log.of('verbose').join('\n')).toContain('the reload of a task, which the scheduler reports')
    expect(pipeline.counters).toMatchObject({ received: 2, failed: 0 })
  })

  test('of an app that Qlik Sense does not have is recorded and not alerted', async () => {
    const qrs = fakeQrs()
    qrs.apps.clear()
    const { send, routed, db, log } = await start({ qrs })
    await send(failure())
    const row = await until(() => db.get<{ reason: string }>(`SELECT reason FROM event WHERE state = 'ignored'`))
    expect([row.reason, routed.length]).toEqual(['APP_NOT_FOUND', 0])
    expect(log.of('warn').join('\n')).toContain(`App ${APP_ID} does not exist in QRS; recorded, not alerted`)
  })

  test('goes out without its app while QRS is down, and says so', async () => {
    const qrs = fakeQrs()
    qrs.down = true
    const { send, routed, log } = await start({ qrs, delivery: { enrichmentTimeout: 300 } })
    await send(failure())
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({ appId: APP_ID, appName: '', app: null, missingParts: ['app', 'owner'] })
    expect(log.of('warn').join('\n')).toContain(`Alerting for app "${APP_ID}" without app, owner`)
  })

  test('that names no app becomes an event as well', async () => {
    const { send, routed, qrs } = await start()
    await send(failure(1, { app: '(null)' }))
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({ type: 'appReload', appId: '', missingParts: [] })
    expect(qrs.calls).toEqual([])
  })

  test('is held back with the others when one sender sends very many about made-up apps', async () => {
    const { send, db, dropped, pipeline, routed } = await start()
    const made = (n: number) => `99999999-0000-4000-8000-${String(n).padStart(12, '0')}`
    for (let n = 0; n < 130; n += 1) await send(failure(n, { app: made(n) }))
    await send(failure(200))
    await until(() => routed.length === 1 && pipeline.counters.dropped.APP_NOT_FOUND === 30)
    expect(new Set(dropped())).toEqual(new Set(['APP_NOT_FOUND']))
    await until(() => db.get<{ n: number }>(`SELECT count(*) AS n FROM event WHERE state = 'ignored'`)!.n === 100)
  })
})
