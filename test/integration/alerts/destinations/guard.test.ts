/** Connections of stored destinations: the address that a name stands for when something is sent. */
import { afterEach, describe, expect, test } from 'bun:test'
import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { createHttpClient } from '../../../../src/platform/http-client.ts'
import { HttpError } from '../../../../src/platform/http-exchange.ts'
import { createConnectionGuard } from '../../../../src/settings/guard.ts'
import { DESTINATION_EXAMPLES } from '../../../support/destination-types.ts'
import { exampleEvent, inputFor, namedDestination } from '../../../support/named.ts'
import { closeSinks, sinkThat } from '../../../support/named-sinks.ts'

afterEach(closeSinks)

/** A name service that answers every name with these addresses. */
const answering = (...addresses: string[]): LookupFunction & { readonly asked: string[] } => {
  const asked: string[] = []
  const lookup: LookupFunction = (name, options, done) => {
    asked.push(name)
    const all: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    if (options.all) done(null, all)
    else done(null, all[0]!.address, all[0]!.family)
  }
  return Object.assign(lookup, { asked })
}

/** One message to a webhook of this address. */
async function sent(host: string, lookup: LookupFunction, allowHosts: readonly string[] = []) {
  const sink = await sinkThat({ status: 204 })
  const url = `http://${host}:${new URL(sink.url).port}/hook`
  const guard = createConnectionGuard(() => allowHosts, lookup)
  const { send } = namedDestination({ type: 'webhook', url }, { deps: { guard } })
  const { result } = await send(inputFor(exampleEvent()))
  return { result, requests: sink.requests.length }
}

const CLOSED = { outcome: 'retry', slow: true, detail: expect.stringContaining('allowHosts') }

describe('a stored destination', () => {
  test.each([['127.0.0.1'], ['::1'], ['::ffff:127.0.0.1'], ['169.254.169.254'], ['0.0.0.0']])(
    'sends nothing to a name that stands for %s by now',
    async (address) => {
      expect(await sent('hooks.acme.example', answering(address))).toEqual({ result: CLOSED, requests: 0 } as never)
    },
  )

  test('sends nothing where one address of several is closed', async () => {
    const lookup = answering('192.0.2.1', '127.0.0.1')
    expect(await sent('hooks.acme.example', lookup)).toEqual({ result: CLOSED, requests: 0 } as never)
    expect(lookup.asked).toEqual(['hooks.acme.example'])
  })

  test.each([['127.0.0.1'], ['2130706433'], ['localhost']])('sends nothing to %s', async (host) => {
    expect(await sent(host, answering('127.0.0.1'))).toEqual({ result: CLOSED, requests: 0 } as never)
  })

  test('sends to what the file allows', async () => {
    const { result, requests } = await sent('127.0.0.1', answering('192.0.2.1'), ['127.0.0.1'])
    expect([result.outcome, requests]).toEqual(['delivered', 1])
  })

  test('connects to the address that was checked, not to another answer', async () => {
    const sink = await sinkThat({ status: 204 })
    const { port } = new URL(sink.url)
    let questions = 0
    const lookup: LookupFunction = (name, options, done) => {
      questions += 1
      answering('127.0.0.1')(name, options, done)
    }
    const client = createHttpClient()
    const response = await client.request({ method: 'POST', url: `http://no-such-name.example:${port}/x`, lookup })
    client.close()
    expect([response.status, questions, sink.requests[0]!.headers.host]).toEqual([
      204,
      1,
      `no-such-name.example:${port}`,
    ])
  })
})

test('every destination that sends over HTTP asks the guard, with the address of each request', async () => {
  const unguarded: string[] = []
  for (const [type, { settings, url }] of Object.entries(DESTINATION_EXAMPLES)) {
    const asked: string[] = []
    const guard = async (address: string): Promise<never> => {
      asked.push(address)
      throw new HttpError('closed', { host: 'x', port: 1 }, 'is not asked')
    }
    const { send } = namedDestination(settings, { deps: { guard } })
    const { result } = await send(inputFor(exampleEvent()))
    if (asked.length !== 1 || new URL(asked[0]!).href !== new URL(url).href || result.outcome !== 'retry')
      unguarded.push(`${type} ${asked.join(' ')}`)
  }
  expect(unguarded).toEqual([])
  expect(Object.keys(DESTINATION_EXAMPLES).length).toBeGreaterThan(10)
})
