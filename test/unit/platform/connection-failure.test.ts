/** The sentences that explain why a server could not be reached. */
import { describe, expect, test } from 'bun:test'
import { connectionFailure, failureText } from '../../../src/platform/connection-failure.ts'
import { HttpError, toHttpError } from '../../../src/platform/http-exchange.ts'

const HOST_KEY = 'Butler.emailNotification.smtp.host'
const PORT_KEY = 'Butler.emailNotification.smtp.port'
const PEER = { host: 'smtp.example.org', port: 25, hostKey: HOST_KEY, portKey: PORT_KEY }
const coded = (code: string, message: string) => Object.assign(new Error(message), { code })
const textOf = (error: unknown) => failureText(connectionFailure(error, PEER))

describe('the reason and what to check', () => {
  test.each([
    [
      'nodemailer, name',
      coded('EDNS', 'getaddrinfo ENOTFOUND smtp.example.org'),
      `The name smtp.example.org cannot be resolved. Check ${HOST_KEY}.`,
    ],
    [
      'system, name',
      coded('EAI_AGAIN', 'getaddrinfo EAI_AGAIN smtp.example.org'),
      `The name smtp.example.org cannot be resolved. Check ${HOST_KEY}.`,
    ],
    [
      'nodemailer, refused',
      coded('ESOCKET', 'connect ECONNREFUSED 10.0.0.9:25'),
      `smtp.example.org:25 refused the connection. Check that the server runs, ${PORT_KEY}, and the firewalls on the way.`,
    ],
    [
      'time-out',
      coded('ETIMEDOUT', 'Connection timeout'),
      `smtp.example.org:25 does not answer in time. Check the firewalls on the way, and ${HOST_KEY}.`,
    ],
    [
      'no route',
      coded('EHOSTUNREACH', 'connect EHOSTUNREACH'),
      `smtp.example.org:25 cannot be reached over the network. Check the network, and ${HOST_KEY}.`,
    ],
    ['unknown', new Error('out of paper'), `out of paper. Check ${HOST_KEY}.`],
    [
      'HTTP, name',
      toHttpError(coded('ENOTFOUND', 'getaddrinfo ENOTFOUND smtp.example.org'), PEER),
      `The name smtp.example.org cannot be resolved. Check ${HOST_KEY}.`,
    ],
    [
      'HTTP, time-out',
      new HttpError('timeout', PEER, 'did not answer within 10 s'),
      `smtp.example.org:25 did not answer within 10 s. Check the firewalls on the way, and ${HOST_KEY}.`,
    ],
    [
      'HTTP, TLS',
      new HttpError('tls', PEER, 'and this host could not agree on TLS'),
      `smtp.example.org:25 and this host could not agree on TLS. Check ${HOST_KEY}.`,
    ],
  ])('%s', (_, error, text) => expect(textOf(error)).toBe(text))
})

test('no sentence holds the code of an error', () => {
  for (const code of ['ENOTFOUND', 'ECONNREFUSED', 'ETIMEDOUT', 'ECONNRESET', 'EPROTO', 'ENETUNREACH']) {
    expect(textOf(coded(code, `connect ${code}`))).not.toContain(code)
  }
})
