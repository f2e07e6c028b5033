import { expect, test } from 'bun:test'
import { ownPath } from '../../../src/console/requests.ts'

test.each([
  ['/console/events?q=1#top', '', '/console/events?q=1#top'],
  ['/hub/r/1', '', '/hub/r/1'],
  ['/footman/console/', '/footman', '/footman/console/'],
  ['/console/', '/footman', ''],
  ['/v4/events', '', ''],
  ['/console/../v4/events', '', ''],
  ['https://other.example/console/', '', ''],
  ['//other.example/console/', '', ''],
  ['http://[::bad', '', ''],
  ['//:80:80/console/', '', ''],
  ['/console/\\\\other', '', ''],
  ['/console/ x', '', ''],
  [null, '', ''],
])('a sign-in goes on at %p below %p: %p', (text, prefix, expected) => {
  expect(ownPath(text, { prefix })).toBe(expected)
})
