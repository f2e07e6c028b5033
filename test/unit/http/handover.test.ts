/** The server of the REST API stays open while one app replaces another. */
import { expect, test } from 'bun:test'
import { createRestHandover, type KeptServer, repeatable } from '../../../src/http/handover.ts'

const INFO = { remoteAddress: '10.1.2.3' }
const request = (path: string) => new Request(`http://footman${path}`)
const app = (name: string) => ({ answer: async (of: Request) => new Response(`${name} ${new URL(of.url).pathname}`) })

function server(settings = 'same') {
  const stopped: number[] = []
  const made: KeptServer = { settings, stop: async (graceMs) => void stopped.push(graceMs) }
  return { made, stopped }
}

const textOf = async (answer: Response | Promise<Response>) => (await answer).text()

test('requests wait for the next app, which gets the server', async () => {
  const handover = createRestHandover()
  const { made, stopped } = server()
  handover.use(app('first'))
  expect(await textOf(handover.answer(request('/a'), INFO))).toBe('first /a')
  handover.begin()
  const waiting = handover.answer(request('/b'), INFO)
  expect(await handover.keep(made, 100)).toBe(true)
  expect(await handover.take('same')).toBe(made)
  handover.use(app('second'))
  expect(await textOf(waiting)).toBe('second /b')
  await handover.end()
  expect(stopped).toEqual([])
})

test('requests under way end at the app that has begun them', async () => {
  const handover = createRestHandover()
  const held = Promise.withResolvers<Response>()
  handover.use({ answer: () => held.promise })
  const answer = handover.answer(request('/slow'), INFO)
  handover.begin()
  const kept = handover.keep(server().made, 60_000)
  held.resolve(new Response('old'))
  expect(await textOf(answer)).toBe('old')
  expect(await kept).toBe(true)
})

test('a call that no app has carried out is made again at the next one', async () => {
  const handover = createRestHandover()
  const held = Promise.withResolvers<void>()
  handover.use({
    async answer() {
      await held.promise
      return repeatable(new Response(null, { status: 503 }), request('/again'))
    },
  })
  const answer = handover.answer(request('/first'), INFO)
  handover.begin()
  held.resolve()
  const kept = handover.keep(server().made, 60_000)
  expect(await kept).toBe(true)
  handover.use(app('second'))
  expect(await textOf(answer)).toBe('second /again')
})

test('such a call is refused where no app follows', async () => {
  const handover = createRestHandover()
  handover.use({ answer: async () => repeatable(new Response(null, { status: 503 }), request('/again')) })
  expect((await handover.answer(request('/first'), INFO)).status).toBe(503)
})

test('a server is stopped that no app takes, or that serves another port', async () => {
  const handover = createRestHandover()
  const [left, other] = [server(), server('other')]
  handover.begin()
  const waiting = handover.answer(request('/b'), INFO)
  await handover.keep(left.made, 0)
  await handover.end()
  expect(left.stopped).toEqual([0])
  expect((await waiting).status).toBe(503)

  handover.begin()
  await handover.keep(other.made, 0)
  expect(await handover.take('same')).toBeNull()
  expect(other.stopped).toEqual([0])
})

test('without a next app in sight the server is not kept', async () => {
  const handover = createRestHandover()
  expect(await handover.keep(server().made, 0)).toBe(false)
})
