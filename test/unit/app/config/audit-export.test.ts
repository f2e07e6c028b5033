import { expect, test } from 'bun:test'
import { errorsOf, loadButler } from '../../../support/config.ts'

test.each([
  ['syslog: {host: logs.acme.example}', 0],
  ['syslog: {host: localhost, tls: false}', 0],
  ['syslog: {host: "::1", tls: false}', 0],
  ['syslog: {host: logs.acme.example, tls: false}', 1],
  ['webhook: {url: "https://logs.acme.example/audit"}', 0],
  ['webhook: {url: "http://127.0.0.1:9000/audit"}', 0],
  ['webhook: {url: "http://[::1]:9000/audit"}', 0],
  ['webhook: {url: "http://logs.acme.example/audit"}', 1],
  ['webhook: {url: "http://127.0.0.1.evil.example/audit"}', 1],
])('the audit leaves this machine over TLS only: %s', async (yaml, errors) => {
  const found = errorsOf(await loadButler(`footman: {audit: {${yaml}}}`)).filter(({ path }) => path.includes('.audit.'))
  expect(found).toHaveLength(errors)
})
