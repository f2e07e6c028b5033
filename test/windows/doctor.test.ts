/** `footman doctor` of the Windows build: without a running Footman, and beside one. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Finding } from '../../src/cli/doctor/types.ts'
import { runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'
import { type WindowsHost, windowsHost } from '../support/wine/wine.ts'

let host: WindowsHost
let mail: SmtpSink
let product: Footman

beforeAll(async () => {
  host = await windowsHost()
  mail = await startSmtpSink()
  product = await footman({
    host,
    simulator: null,
    smtpPort: mail.port,
    config: { footman: { dataDirectory: 'C:\\Footman data' } },
    args: ['--no-qs-connection'],
  })
}, 120_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await mail?.stop()
})

async function doctor(...args: readonly string[]) {
  const { code, stdout } = await runToEnd(
    [...host.args, 'doctor', '-c', host.path(product.configFile), '--no-qs-connection', ...args],
    { command: host.command, env: host.env, cwd: product.directory.path, timeout: 60_000 },
  )
  return { code, stdout }
}

async function codesNow(): Promise<readonly string[]> {
  const { code, stdout } = await doctor('--json', '--only', 'data-directory', 'ports', 'smtp', 'secrets')
  const { findings } = JSON.parse(stdout) as { findings: readonly Finding[] }
  expect(findings.filter(({ level }) => level === 'error')).toEqual([])
  expect(code).toBe(0)
  return findings.map((one) => one.code)
}

test('before the start ports are free, and the folder is made later', async () => {
  const codes = await codesNow()
  expect(codes).toContain('data-directory.writable')
  expect(codes).toContain('ports.free')
  expect(codes).toContain('smtp.ready')
  expect(codes).not.toContain('ports.ours')
  expect(mail.mails).toEqual([])
}, 90_000)

test('beside a running Footman its ports and its folder are its own', async () => {
  await product.start()
  expect(await codesNow()).toContain('ports.ours')
}, 120_000)

test('an old console gets letters instead of signs', async () => {
  const { code, stdout } = await doctor('--only', 'smtp')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^ {2}ok 127\.0\.0\.1:\d+: answers/m)
  expect(stdout).not.toMatch(/[✔✘→]/)
}, 90_000)
