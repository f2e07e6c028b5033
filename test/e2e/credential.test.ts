/** `footman credential`, and credentials that come from the service manager. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { runBinary, runToEnd } from '../support/binary.ts'
import { footman } from '../support/footman.ts'
import { type TempDirectory, tempDirectory } from '../support/temp.ts'
import { within } from '../support/wait.ts'

let directory: TempDirectory
beforeEach(() => {
  directory = tempDirectory()
  mkdirSync(directory.join('credentials'))
})
afterEach(() => directory.remove())

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runToEnd(args, { cwd: directory.path, env: { CREDENTIALS_DIRECTORY: '', ...env } })
const credentials = () => ({ CREDENTIALS_DIRECTORY: directory.join('credentials') })

describe.skipIf(process.platform === 'win32')('where Footman keeps no secrets itself', () => {
  test('set says how, without waiting for a value', async () => {
    const running = runBinary(['credential', 'set', 'smtp-password'], { env: { CREDENTIALS_DIRECTORY: '' } })
    try {
      const { code } = await within(running.ended, 20_000, 'the command to end')
      expect(code).toBe(1)
      const text = running.stdout.join('\n')
      expect(text).toContain('systemd-creds encrypt --name=smtp-password - /etc/credstore.encrypted/smtp-password')
      expect(text).toContain('LoadCredentialEncrypted=smtp-password:/etc/credstore.encrypted/smtp-password')
      expect(text).toContain(`\${file:/etc/footman/smtp-password}`)
      expect(running.stderr.join('\n')).toMatch(/^error: credential set smtp-password: /)
    } finally {
      await running.kill9()
    }
  })

  test('remove, and names that are none', async () => {
    expect(await run(['credential', 'remove', 'x'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('where it was made'),
    })
    expect(await run(['credential', 'set', '../x'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a name has'),
    })
    expect(await run(['credential', 'set', 'name', 'hunter2'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('too many arguments'),
    })
  })
})

describe('list', () => {
  test('names what is there, what the configuration uses, and what is missing', async () => {
    writeFileSync(directory.join('credentials', 'mail'), 'hunter2')
    writeFileSync(
      directory.join('c.yaml'),
      `Butler:\n  emailNotification: {smtp: {auth: {password: "\${credential:mail}"}}}\n  heartbeat: {remoteURL: "https://h/\${credential:beat}"} # \${credential:comment}\n`,
    )
    const { code, stdout } = await run(['credential', 'list', '-c', 'c.yaml'], credentials())
    expect(code).toBe(3)
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['NAME', 'SET', 'USED BY'],
      ['beat', 'not there', 'Butler.heartbeat.remoteURL'],
      ['mail', 'there', 'Butler.emailNotification.smtp.auth.password'],
    ])
    const json = await run(['credential', 'list', '--json'], credentials())
    expect({ code: json.code, list: JSON.parse(json.stdout) }).toEqual({
      code: 0,
      list: [{ name: 'mail', setAt: null, present: true, usedBy: [] }],
    })
    expect(await run(['credential', 'list', '-c', 'nowhere.yaml'])).toMatchObject({ code: 1 })
  })
})

test('a changed credential or file is taken into use by a reload, and never shown', async () => {
  const [credential, file] = [directory.join('credentials', 'sender'), directory.join('subject')]
  writeFileSync(credential, 'Sender One')
  writeFileSync(file, 'Subject One\n')
  const product = await footman({
    simulator: null,
    args: ['--no-qs-connection'],
    env: credentials(),
    config: {
      logLevel: 'debug',
      slackNotification: { reloadTaskFailure: { fromUser: `\${credential:sender}` } },
      emailNotification: { reloadTaskFailure: { subject: `\${file:${file}}` } },
      footman: { watchConfig: false },
    },
  })
  try {
    await product.start()
    writeFileSync(credential, 'Sender Two')
    writeFileSync(file, 'Subject Two')
    const answer = await (await product.call('POST', '/v4/config/reload', {})).json()
    expect(answer).toMatchObject({
      changed: [
        'Butler.emailNotification.reloadTaskFailure.subject',
        'Butler.slackNotification.reloadTaskFailure.fromUser',
      ],
      needsRestart: [],
    })
    await product.process.waitForLine(/Reloaded: 2 settings changed/, 20_000)
    const log = [...product.process.stdout, ...product.process.stderr].join('\n')
    expect(log).not.toMatch(/(Sender|Subject) (One|Two)/)
    // One that has gone changes nothing.
    writeFileSync(
      product.configFile,
      readFileSync(product.configFile, 'utf8').replace('credential:sender', 'credential:gone'),
    )
    const refused = await product.call('POST', '/v4/config/reload', {})
    expect(refused.status).toBe(400)
    expect(await refused.text()).toContain('footman credential set gone')
  } finally {
    await product[Symbol.asyncDispose]()
  }
})
