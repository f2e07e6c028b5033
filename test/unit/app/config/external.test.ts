import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { loadConfig } from '../../../../src/app/config/load.ts'
import { renderProblem } from '../../../../src/config/problems.ts'
import { errorsOf, loadButler, withFolder } from '../../../support/config.ts'

describe('values from outside', () => {
  test('placeholders in any text', async () => {
    const text = `mqttConfig: {brokerHost: "\${env:HOST}", brokerPort: "\${env:PORT}", enable: "\${env:ON}"}\nfootman: {mqtt: {username: "me-\${env:HOST}-\${env:HOST}", password: "\${file:secret.txt}"}, email: {oauth2: {clientSecret: "\${credential:mail}"}}}`
    const env = { HOST: 'mq1', PORT: '8883', ON: 'true' }
    const result = await withFolder(
      { 'c.yaml': `Butler:\n  ${text.replace('\n', '\n  ')}`, 'secret.txt': 'p4ssword\n', 'cred/mail': 'mailsecret' },
      (cwd) =>
        loadConfig({
          file: 'c.yaml',
          cwd,
          env: { ...env, CREDENTIALS_DIRECTORY: `${cwd}/cred` },
          overrides: { qlikConnection: false },
        }),
    )
    expect(result.problems).toEqual([])
    expect(result.config).toMatchObject({
      mqttConfig: { brokerHost: 'mq1', brokerPort: 8883, enable: true },
      footman: {
        mqtt: { username: 'me-mq1-mq1', password: 'p4ssword' },
        email: { oauth2: { clientSecret: 'mailsecret' } },
      },
    })
    expect(result.secrets).toContain('p4ssword')
    expect(result.secrets).toContain('mailsecret')
  })

  test.each([
    [`logDirectory: "\${env:NOPE}"`, 'Butler.logDirectory: the environment variable NOPE is not set'],
    [
      `mqttConfig: {brokerPort: "\${env:NOPE}"}`,
      'Butler.mqttConfig.brokerPort: the environment variable NOPE is not set',
    ],
    [
      `logDirectory: "\${file:/does/not/exist}"`,
      'Butler.logDirectory: the file /does/not/exist cannot be read (ENOENT)',
    ],
    [
      `logDirectory: "\${credential:x}"`,
      'Butler.logDirectory: the credential x is not there: CREDENTIALS_DIRECTORY is not set',
    ],
    [`logDirectory: "\${credential:../x}"`, 'Butler.logDirectory: "../x" is not the name of a credential'],
    [`logDirectory: "\${env:}"`, `Butler.logDirectory: the placeholder \${env:} names nothing`],
  ])('%s', async (text, message) => {
    const errors = errorsOf(await loadButler(text))
    expect(errors.map(({ path, message: what }) => `${path}: ${what}`)).toEqual([message])
    expect(errors[0]?.line).toBe(2)
  })

  test(`other \${...} stay as they are`, async () => {
    const { config } = await loadButler(
      `emailNotification: {reloadTaskFailure: {subject: "\${taskName} {{taskName}}"}}`,
    )
    expect(config?.emailNotification.reloadTaskFailure.subject).toBe(`\${taskName} {{taskName}}`)
  })

  test('a wrong value from outside is not shown', async () => {
    const errors = errorsOf(
      await loadButler(`mqttConfig: {enable: true, brokerHost: b, brokerPort: "\${env:PORT}"}`, {
        env: { PORT: 'hunter2-secret' },
      }),
    )
    expect(errors).toHaveLength(1)
    expect(errors.map(renderProblem).join()).not.toContain('hunter2')
  })

  test('custom-environment-variables.yaml beside the file is above it, the command line above that', async () => {
    const files = {
      'custom-environment-variables.yaml':
        'Butler:\n  logLevel: MY_LEVEL\n  mqttConfig: {brokerPort: MY_PORT, brokerHost: MY_UNSET}\n',
    }
    const env = { MY_LEVEL: 'debug', MY_PORT: '1884' }
    const text = 'logLevel: error\nmqttConfig: {brokerHost: mq1}'
    const result = await loadButler(text, { files, env })
    expect(result.config).toMatchObject({ logLevel: 'debug', mqttConfig: { brokerPort: 1884, brokerHost: 'mq1' } })
    expect(result.problems).toMatchObject([
      {
        severity: 'info',
        message: expect.stringMatching(
          /^CONFIG: 2 values taken from the environment by .*custom-environment-variables\.yaml$/,
        ),
      },
    ])
    const { config } = await loadButler(text, { files, env, overrides: { logLevel: 'silly' } })
    expect(config?.logLevel).toBe('silly')
  })

  test('the command line replaces the New Relic accounts', async () => {
    const account = { accountName: 'b', insertApiKey: 'k', accountId: '7' }
    const { config } = await loadButler(
      'thirdPartyToolsCredentials: {newRelic: [{accountName: a, insertApiKey: x, accountId: 1}]}',
      { overrides: { newRelicAccounts: [account], apiRateLimit: 0, shadow: true } },
    )
    expect(config?.thirdPartyToolsCredentials.newRelic).toEqual([account])
    expect(config?.footman).toMatchObject({ shadow: true, api: { rateLimitPerMinute: 0 } })
  })
})

describe('a file with a secret, as editors and shells of Windows write it', () => {
  const withSecret = (bytes: Uint8Array) =>
    withFolder({ 'c.yaml': `Butler:\n  logDirectory: '\${file:secret.txt}'\n` }, async (cwd) => {
      writeFileSync(`${cwd}/secret.txt`, bytes)
      return loadConfig({ file: 'c.yaml', cwd, env: {}, overrides: { qlikConnection: false } })
    })

  test.each([
    ['plain', Buffer.from('pässword\r\n')],
    ['with a mark', Buffer.from('\ufeffpässword\r\n')],
    ['UTF-16', Buffer.from('\ufeffpässword\r\n', 'utf16le')],
  ])('%s', async (_, bytes) => {
    const { config, problems } = await withSecret(bytes)
    expect(problems).toEqual([])
    expect(config?.logDirectory).toBe('pässword')
  })

  test('something else is told', async () => {
    const { problems } = await withSecret(Uint8Array.of(0x70, 0xe4, 0x73))
    expect(problems.map(({ message, hint }) => `${message}: ${hint}`)).toEqual([
      expect.stringMatching(/the file .*secret\.txt is not UTF-8: save it with the encoding UTF-8$/),
    ])
  })
})
