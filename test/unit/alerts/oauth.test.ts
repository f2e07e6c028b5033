import { afterAll, expect, test } from 'bun:test'
import { email } from '../../../src/alerts/config-email.ts'
import { createTokenSource } from '../../../src/alerts/destinations/email/transport.ts'
import { startHttpSink } from '../../support/http-sink.ts'

const server = await startHttpSink()
afterAll(() => server.stop())

let now = 1_000_000
function source() {
  const { oauth2 } = email.parse({
    oauth2: { tokenUrl: `${server.url}/token`, clientId: 'id', clientSecret: 'secret' },
  })
  return createTokenSource(oauth2, () => now)!
}

test('a token is kept until a minute before its end, whoever asks', async () => {
  const asked = server.requests.length
  server.answer({ body: JSON.stringify({ access_token: 'one', expires_in: 600 }) })
  const tokens = source()
  const [first, second] = await Promise.all([tokens.token(false), tokens.token(false)])
  expect([first.accessToken, second.accessToken]).toEqual(['one', 'one'])
  expect(server.requests.length - asked).toBe(1)
  now += 539_000
  await tokens.token(false)
  expect(server.requests.length - asked).toBe(1)
  server.answer({ body: JSON.stringify({ access_token: 'two', expires_in: 600 }) })
  now += 2000
  expect((await tokens.token(false)).accessToken).toBe('two')
  expect((await tokens.token(true)).accessToken).toBe('two')
  expect(server.requests.length - asked).toBe(3)
  tokens.close()
})

test('an answer that is none is refused, and the next question is asked anew', async () => {
  const tokens = source()
  server.answer({ body: '<html>' })
  await expect(tokens.token(false)).rejects.toThrow('gave no token')
  server.answer({ body: JSON.stringify({ access_token: 'three' }) })
  expect((await tokens.token(false)).accessToken).toBe('three')
  tokens.close()
})

test('without the section the password is used', () => {
  expect(createTokenSource(email.parse({}).oauth2)).toBeNull()
})
