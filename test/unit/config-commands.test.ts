import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCheck } from '../../src/cli/check.ts'
import { runSchema } from '../../src/cli/schema.ts'
import { configReference } from '../../src/config/reference.ts'
import { withFolder } from '../support/config.ts'
import { testCertificates } from '../support/conformance/certificates.ts'

function recordingIo() {
  const lines: string[] = []
  return {
    lines,
    io: { out: (text: string) => void lines.push(...text.split('\n')), err: (text: string) => void lines.push(text) },
  }
}

const CERTIFICATES = 'cert: {clientCert: c.pem, clientCertKey: k.pem, clientCertCA: r.pem}'
const COMPLETE = `Butler:\n  configQRS: {host: qs}\n  ${CERTIFICATES}\n`
const { ca, client } = await testCertificates()
const PEMS = { 'c.pem': client.cert.pem, 'k.pem': client.key.pem, 'r.pem': ca.pem }

async function check(files: Record<string, string>, options: { json?: boolean; qsConnection?: boolean } = {}) {
  const { lines, io } = recordingIo()
  const code = await withFolder(files, (cwd) =>
    runCheck({ configfile: 'c.yaml', ...options }, io, { env: {}, cwd, execPath: join(cwd, 'footman') }),
  )
  return { code, lines }
}

describe('footman check', () => {
  test('a good file', async () => {
    const { code, lines } = await check({ 'c.yaml': COMPLETE, ...PEMS })
    expect(code).toBe(0)
    expect(lines).toEqual([expect.stringMatching(/\/c\.yaml: valid, 0 errors, 0 warnings$/)])
  })

  test('warnings do not count against it', async () => {
    const { code, lines } = await check({ 'c.yaml': `${COMPLETE}  hartbeat: {}\n`, ...PEMS })
    expect(code).toBe(0)
    expect(lines[0]).toBe('c.yaml:4:3 warning Butler.hartbeat: unknown key, ignored. Hint: did you mean heartbeat?')
    expect(lines[1]).toEndWith('valid, 0 errors, 1 warning')
  })

  test('errors come first', async () => {
    const { code, lines } = await check(
      { 'c.yaml': `Butler:\n  hartbeat: {}\n  logLevel: x\n`, ...PEMS },
      { qsConnection: false },
    )
    expect(code).toBe(1)
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['error', 'warning', 'not'])
  })

  test('missing certificates name all places', async () => {
    const { code, lines } = await check({ 'c.yaml': COMPLETE, 'c.pem': '', 'k.pem': '' })
    expect(code).toBe(1)
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(
      /^c\.yaml:3:51 error Butler\.cert\.clientCertCA: the file "r\.pem" does not exist; tried \/.*\/r\.pem\. Hint: /,
    )
  })

  test('without Qlik Sense they are not needed', async () => {
    expect((await check({ 'c.yaml': COMPLETE }, { qsConnection: false })).code).toBe(0)
  })

  test('what this version does not have is one line', async () => {
    const { code, lines } = await check({
      'c.yaml': `${COMPLETE}  qlikSenseUrls: {}\n  footman: {reportTask: {enable: true}}\n`,
      ...PEMS,
    })
    expect(code).toBe(0)
    expect(lines).toContain('CONFIG: accepted, not active in this version: footman.reportTask')
  })

  test('no file', async () => {
    const { code, lines } = await check({})
    expect(code).toBe(1)
    expect(lines[0]).toStartWith('c.yaml error The configuration file does not exist: c.yaml (looked for ')
  })

  test('--json', async () => {
    const { code, lines } = await check({ 'c.yaml': 'Butler:\n  logLevel: x\n' }, { json: true, qsConnection: false })
    expect(code).toBe(1)
    expect(JSON.parse(lines.join('\n'))).toMatchObject({
      file: expect.stringMatching(/\/c\.yaml$/),
      valid: false,
      inactive: [],
      problems: [
        {
          severity: 'error',
          path: 'Butler.logLevel',
          file: 'c.yaml',
          line: 2,
          column: 3,
          message: expect.stringContaining('must be error, warn'),
        },
      ],
    })
  })
})

test('footman schema prints JSON', () => {
  const { lines, io } = recordingIo()
  expect(runSchema(io)).toBe(0)
  expect(JSON.parse(lines.join('\n'))).toMatchObject({
    required: ['Butler'],
    properties: { Butler: { properties: { logLevel: { default: 'info' } } } },
  })
})

test('docs/configuration.md is up to date (npm run docs)', () => {
  const path = join(import.meta.dir, '../../docs/configuration.md')
  expect(readFileSync(path, 'utf8') === configReference()).toBe(true)
})
