/** Joins of events: which of them fire, and with which key. */
import { expect, test } from 'bun:test'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import type { TriggerOf } from '../../../../src/reports/entities/task.ts'
import { reportMigrations } from '../../../../src/reports/migrations.ts'
import type { Firing } from '../../../../src/reports/triggers/armed.ts'
import { createJoin } from '../../../../src/reports/triggers/joins.ts'
import { storedTask, TRIGGER } from '../../../support/report-triggers.ts'
import { MINUTE, NOW } from '../../../support/safety-net.ts'

/** Member and minute of an event; its key is both. */
type Event = readonly [member: string, minute: number]

test.each<[string, number | null, readonly Event[], string[]]>([
  [
    'both, in any order',
    null,
    [
      ['b', 0],
      ['a', 5],
    ],
    ['a5'],
  ],
  [
    'one alone, however often',
    null,
    [
      ['a', 0],
      ['a', 1],
      ['a', 2],
    ],
    [],
  ],
  [
    'again only when both have come again',
    null,
    [
      ['a', 0],
      ['b', 1],
      ['b', 2],
      ['a', 3],
    ],
    ['b1', 'a3'],
  ],
  [
    'an event that is reported twice counts once',
    null,
    [
      ['a', 0],
      ['b', 1],
      ['a', 0],
      ['b', 1],
    ],
    ['b1'],
  ],
  [
    'an older event after a newer one changes nothing',
    null,
    [
      ['a', 0],
      ['b', 5],
      ['a', -3],
      ['b', 6],
    ],
    ['b5'],
  ],
  [
    'within the time',
    10,
    [
      ['a', 0],
      ['b', 10],
    ],
    ['b10'],
  ],
  [
    'not within the time',
    10,
    [
      ['a', 0],
      ['b', 11],
    ],
    [],
  ],
  [
    'later within the time',
    10,
    [
      ['a', 0],
      ['b', 11],
      ['a', 15],
    ],
    ['a15'],
  ],
  [
    'a task that is not selected any more does not count',
    null,
    [
      ['a', 0],
      ['gone', 1],
      ['b', 2],
    ],
    ['b2'],
  ],
])('%s', async (_, withinMinutes, events, expected) => {
  const db = openDatabase(':memory:', { migrations: reportMigrations })
  const fired: Firing[] = []
  const armed = {
    async fire(_one: unknown, firing: Firing) {
      fired.push(firing)
      return null
    },
  }
  const task = storedTask([{ type: 'qlikEvent', event: 'taskSucceeded', mode: 'all', withinMinutes }])
  const trigger = task.triggers[0] as TriggerOf<'qlikEvent'>
  const join = createJoin({ db, writer: createGroupWriter(db), armed })
  for (const [id, minute] of events) {
    const member = { id, key: `${id}${minute}`, at: NOW + minute * MINUTE }
    const one = { task, trigger, triggerId: TRIGGER, definition: '', since: 0 }
    await join(one, member, async () => new Set(['a', 'b']))
  }
  expect(fired.map(({ key }) => key)).toEqual(expected)
  db.close()
})
