/** Messages of Qlik Cloud that another node of the cluster has brought. */
import { afterEach, expect, test } from 'bun:test'
import { MIGRATIONS } from '../../../src/app/migrations.ts'
import { createCloudEvents } from '../../../src/events/cloud/cloud-events.ts'
import type { EmittedEvent } from '../../../src/events/emit.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../src/platform/sqlite.ts'
import type { CloudClient } from '../../../src/qlik/cloud/types.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

const message = (reloadId: string) =>
  JSON.stringify({
    type: 'com.qlik.v1.app.reload.finished',
    tenantid: 'acme',
    data: { status: 'error', appId: 'app', reloadId },
  })

test('each becomes one event, also when it is announced again meanwhile', async () => {
  const db = openDatabase(':memory:', { migrations: MIGRATIONS })
  const writer = createGroupWriter(db)
  const emitted: EmittedEvent[] = []
  const events = createCloudEvents(
    {
      db,
      writer,
      clock: { now: () => 1000 },
      log: recordingLog(),
      wants: () => false,
      mqtt: { onMessage: () => undefined },
      client: { close: () => undefined } as CloudClient,
      emitter: {
        async emit(event, also) {
          emitted.push(event)
          await Bun.sleep(5)
          await writer.write((tx) => also?.(tx, 'event'))
          return 'event'
        },
      },
    },
    {
      tenant: { id: 'acme', tenantUrl: 'https://acme.example', comment: '' },
      subscriptionRoot: '#',
      appReload: 'reload',
      waitMs: 1000,
    },
  )
  const bring = (id: string) => db.run('INSERT INTO cloud_message VALUES (?, 1, CAST(? AS BLOB))', id, message(id))
  const waiting = () => db.all('SELECT id FROM cloud_message').length
  bring('before')
  // A node that does not lead leaves them alone.
  events.wake()
  await events.start()
  cleanups.push(() => events.stop(0))
  for (let n = 0; n < 10; n++) bring(`later-${n}`)
  events.wake()
  await until(() => waiting() < 11)
  events.wake()
  await until(() => waiting() === 0)
  expect(emitted).toHaveLength(11)
})
