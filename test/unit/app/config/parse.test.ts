import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseConfig } from '../../../../src/app/config/parse.ts'
import { butler, defaults } from '../../../../src/app/schema.ts'

/** What zod says about the whole input at once. */
function whole(input: unknown) {
  const { data, error } = butler.safeParse(input, { reportInput: true })
  return error ? { issues: plain(error.issues) } : { config: data }
}

function inParts(input: unknown) {
  const parsed = parseConfig(input)
  return 'issues' in parsed ? { issues: plain(parsed.issues) } : parsed
}

/** Texts, so that the order in which sections are looked at does not matter. */
const plain = (issues: readonly object[]) => issues.map((issue) => JSON.stringify(issue)).sort()

describe('parsing only what is written gives what parsing everything gives', () => {
  test.each([
    {},
    { logLevel: 'debug' },
    { emailNotification: { enable: true, reloadTaskFailure: { recipients: ['a@b.test'] }, smtp: { port: 465 } } },
    { footman: { api: { rateLimitPerMinute: 7 }, delivery: {} } },
    { footman: { destinations: { desk: { type: 'slack', webhookURL: 'https://chat.test/' } } } },
    { mqttConfig: { enable: true, brokerHost: 'broker' }, scheduler: {} },
    { restServerConfig: { serverPort: 'x' }, footman: { delivery: { maxAge: 24 }, shutdown: 5 } },
    { configQRS: [], cert: 'x', heartbeat: null },
  ])('%j', (input) => {
    expect(inParts(input)).toEqual(whole(input))
  })

  test('for any value of any section', () => {
    const sections = Object.keys(defaults())
    const value = fc.anything({ withDate: false, withMap: false, withSet: false, maxDepth: 2 })
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...sections), value, { maxKeys: 3 }), (content) => {
        const input: unknown = JSON.parse(JSON.stringify(content))
        expect(inParts(input)).toEqual(whole(input))
      }),
      { numRuns: 200 },
    )
  })
})

test('the defaults can be written into the executable as JSON', () => {
  expect(JSON.parse(JSON.stringify(defaults()))).toStrictEqual(defaults())
})
