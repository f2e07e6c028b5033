/** The secret before the type of a message. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createSharedSecrets, withoutClaim } from '../../../src/events/ingest/sender-checks.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (raw: Uint8Array | null) => raw && new TextDecoder().decode(raw)

const MESSAGE = '/scheduler-task-failed/;qs1;Task;App'
const secrets = createSharedSecrets(['correct-horse-battery', 'the-next-secret-of-all'])

describe('a message', () => {
  test.each([
    ['with the secret', `correct-horse-battery;${MESSAGE}`, MESSAGE],
    ['with the other secret', `the-next-secret-of-all;${MESSAGE}`, MESSAGE],
    ['without a secret', MESSAGE, null],
    ['with a wrong one', `correct-horse-batterz;${MESSAGE}`, null],
    ['with the start of one', 'correct-horse', null],
    ['with one that goes on', `correct-horse-battery2;${MESSAGE}`, null],
    ['with one in other case', `Correct-Horse-Battery;${MESSAGE}`, null],
    ['that is the secret alone', 'correct-horse-battery;', ''],
    ['that is empty', '', null],
  ])('%s', (_what, raw, stripped) => {
    expect(text(secrets.strip(bytes(raw)))).toBe(stripped)
  })

  test('of any bytes passes only behind the secret', () => {
    const rest = fc.uint8Array({ maxLength: 200 })
    fc.assert(
      fc.property(rest, (raw) => {
        expect(secrets.strip(new Uint8Array([...bytes('correct-horse-battery;'), ...raw]))).toEqual(raw)
        expect(secrets.strip(raw)).toBeNull()
      }),
    )
  })
})

test.each([
  [`a-wrong-secret;${MESSAGE}`, MESSAGE],
  [MESSAGE, MESSAGE],
  ['no separator at all', 'no separator at all'],
])('what is shown of %s', (raw, shown) => {
  expect(text(withoutClaim(bytes(raw)))).toBe(shown)
})
