import { expect, test } from 'bun:test'
import { ownEvent } from '../../../src/alerts/outbox/attempt.ts'
import { fullEvent } from '../../support/alerts.ts'

test('only what the route wants is missing, and nobody reads the script log for that', () => {
  let read = 0
  const stored = fullEvent({ missingParts: ['owner', 'scriptLog'], absentParts: ['owner'] })
  const event = Object.defineProperty({ ...stored }, 'scriptLog', {
    enumerable: true,
    configurable: true,
    get() {
      read += 1
      return stored.scriptLog
    },
  })
  const own = ownEvent(event, { needs: ['app', 'scriptLog'] })
  expect([own.missingParts, own.absentParts]).toEqual([['scriptLog'], []])
  expect(read).toBe(0)
  expect(own.scriptLog).toBe(stored.scriptLog)
  expect({ ...own }).toMatchObject({ id: event.id, taskName: event.taskName, owner: event.owner })
  expect(ownEvent(event, { needs: ['owner', 'scriptLog'] })).toBe(event)
})

test('a task that is not known is missing for everybody', () => {
  expect(ownEvent(fullEvent({ missingParts: ['task', 'app'] }), { needs: [] }).missingParts).toEqual(['task'])
})
