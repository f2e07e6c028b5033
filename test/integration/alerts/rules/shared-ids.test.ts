/** Groups and summaries of a store from before their ids were shared by nodes. */
import { expect, test } from 'bun:test'
import { MIGRATIONS } from '../../../../src/app/migrations.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import { tempDirectory } from '../../../support/temp.ts'

const SINCE = MIGRATIONS.findIndex(({ name }) => name === 'alert-routes-shared')

test('groups keep their tasks, and summaries their position', async () => {
  await using directory = tempDirectory()
  const file = directory.join('footman.db')
  const before = openDatabase(file, { migrations: MIGRATIONS.slice(0, SINCE) })
  before.exec(`
    INSERT INTO alert_group VALUES (7, 'all', 'task', 'event', 'Load', '[]', 1, 2, NULL);
    INSERT INTO alert_group_task VALUES ('later', 7);
    INSERT INTO event (id, received_at, source, sender, type, announced, outcome, severity, state, deadline_at, next_attempt_at,
      host, user, task_id, task_name, app_id, app_name, execution_id, log_time, log_level, log_message)
      VALUES ('e', 5, 'udp', '', 'reload', 'failure', 'failure', 'error', 'routed', 0, 0, '', '', '', '', '', '', '', '', '', '');
    INSERT INTO delivery (id, event_id, kind, route, destination, target, lane, severity, state, created_at, next_attempt_at)
      VALUES ('d', 'e', 'alert', 'all', 'mail', 'a', 'mail', 'error', 'suppressed', 40, 40);
    INSERT INTO maintenance_summary VALUES ('Network', 1), ('Never', 0);
  `)
  before.close()

  const after = openDatabase(file, { migrations: MIGRATIONS })
  expect(after.all<object>('SELECT * FROM alert_group').map((row) => ({ ...row }))).toEqual([
    {
      id: '7',
      route: 'all',
      root_task_id: 'task',
      root_event_id: 'event',
      root_name: 'Load',
      downstream: '[]',
      opened_at: 1,
      ends_at: 2,
      closed_at: null,
    },
  ])
  expect(after.all<object>('SELECT * FROM alert_group_task').map((row) => ({ ...row }))).toEqual([
    { task_id: 'later', group_id: '7' },
  ])
  expect(after.all<object>('SELECT * FROM maintenance_summary ORDER BY name').map((row) => ({ ...row }))).toEqual([
    { name: 'Network', told_until: 40, told_id: 'd' },
    { name: 'Never', told_until: 0, told_id: '' },
  ])
  after.run("DELETE FROM alert_group WHERE id = '7'")
  expect(after.all('SELECT * FROM alert_group_task')).toEqual([])
  after.close()
})
