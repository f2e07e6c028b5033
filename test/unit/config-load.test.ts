import { describe, expect, test } from 'bun:test'
import { loadConfig } from '../../src/config/load.ts'
import { logLineOf, renderProblem } from '../../src/config/problems.ts'
import { configOf, errorsOf, loadButler, loadText, summaryOf, withFolder } from '../support/config.ts'

const empty = { env: {}, overrides: { qlikConnection: false } }

describe('finding the file', () => {
  test.each(['config.yaml', 'config.yml', 'config.json', 'CONFIG.YAML'])('%s', async (name) => {
    const result = await loadText('{"Butler": {"logLevel": "debug"}}', { name })
    expect(result.config?.logLevel).toBe('debug')
    expect(result.file).toEndWith(`/${name}`)
  })

  test.each([
    ['config.txt', 'must end in .yaml, .yml or .json'],
    ['missing.yaml', 'does not exist: missing.yaml (looked for /'],
    ['folder.yaml', 'is a folder'],
  ])('%s is refused', async (file, message) => {
    const result = await withFolder({ 'config.txt': '', 'folder.yaml/x': '' }, (cwd) =>
      loadConfig({ file, cwd, ...empty }),
    )
    expect(result.config).toBeNull()
    expect(result.problems).toHaveLength(1)
    expect(result.problems[0]?.message).toContain(message)
  })

  test('without -c the old places are looked into', async () => {
    const files = {
      'config/production.yaml': 'Butler: {logLevel: warn}',
      'config/test.yaml': 'Butler: {logLevel: error}',
      'other/test.yaml': 'Butler: {logLevel: silly}',
    }
    await withFolder(files, async (cwd) => {
      const level = async (env: Record<string, string>) => (await loadConfig({ cwd, ...empty, env })).config?.logLevel
      expect(await level({})).toBe('warn')
      expect(await level({ NODE_ENV: 'test' })).toBe('error')
      expect(await level({ NODE_ENV: 'test', NODE_CONFIG_DIR: 'other' })).toBe('silly')
      const { problems } = await loadConfig({ cwd, ...empty })
      expect(problems[0]).toMatchObject({
        severity: 'info',
        message: expect.stringContaining('config/production.yaml'),
      })
    })
  })

  test('nothing found names all places', async () => {
    const { problems, config } = await withFolder({}, (cwd) => loadConfig({ cwd, ...empty }))
    expect(config).toBeNull()
    expect(problems[0]?.message).toMatch(/option -c FILE.*config\/production\.yaml/)
  })

  test('files that Butler would have merged are named', async () => {
    const files = { 'local.yaml': 'Butler: {logLevel: error}', 'default.json': '{}', 'other.yaml': '' }
    const result = await loadText('Butler: {}', { files })
    expect(result.config?.logLevel).toBe('info')
    expect(summaryOf(result)).toEqual([
      'warning  CONFIG: ignoring default.json; only the file given with -c is read',
      'warning  CONFIG: ignoring local.yaml; only the file given with -c is read',
    ])
  })
})

describe('the root', () => {
  test.each(['', '# nothing', 'Butlers: {}', '- 1', 'just text'])('%j has no Butler section', async (text) => {
    const result = await loadText(text)
    expect(errorsOf(result).map(({ message }) => message)).toEqual(['Config file has no "Butler" section'])
  })

  test.each(['Butler:', 'Butler: {}', 'Butler: ~'])('%j is enough', async (text) => {
    const result = await loadText(text)
    expect(result.problems).toEqual([])
    expect(result.config?.udpServerConfig.enable).toBe(false)
  })

  test('other keys and another case are warned about', async () => {
    const result = await loadText('butler: {logLevel: warn}\nextra: 1')
    expect(result.config?.logLevel).toBe('warn')
    expect(summaryOf(result)).toEqual([
      'warning extra unknown key, ignored',
      "warning butler CONFIG: 'butler' is read as 'Butler'.",
    ])
  })

  test('must be a section', async () => {
    expect(errorsOf(await loadText('Butler: 5')).map(renderProblem)).toEqual([
      'config.yaml:1:1 error Butler: must be a section with keys',
    ])
  })

  test('must be UTF-8', async () => {
    const result = await withFolder({}, async (cwd) => {
      await Bun.write(`${cwd}/c.yaml`, new Uint8Array([0xff, 0xfe, 0x42, 0x00]))
      return loadConfig({ file: 'c.yaml', cwd, ...empty })
    })
    expect(result.problems[0]?.message).toBe('is not UTF-8')
  })
})

describe('defaults', () => {
  test('are those of the predecessor, with everything off', async () => {
    const config = await configOf(loadText('Butler:'))
    expect(config).toMatchObject({
      logLevel: 'info',
      fileLogging: false,
      configQRS: {
        port: 4242,
        useSSL: true,
        rejectUnauthorized: false,
        headers: { static: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal;UserId=sa_repository' }] },
      },
      udpServerConfig: {
        enable: false,
        serverHost: '0.0.0.0',
        portTaskFailure: 9998,
        maxMessageSize: 65507,
        allowedSources: [],
        messageQueue: { maxConcurrent: 10, maxSize: 200, backpressureThreshold: 80 },
        deduplication: { enable: true, ttlMinutes: 10 },
      },
      mqttConfig: {
        enable: false,
        brokerPort: 1883,
        subscriptionRootTopic: 'qliksense/#',
        taskStartTopic: 'qliksense/start_task',
      },
      restServerConfig: { enable: false, serverHost: 'localhost', serverPort: 8080 },
      restServerEndpointsEnable: { butlerping: true, senseStartTask: false, keyValueStore: false },
      influxDb: {
        enable: false,
        version: 1,
        hostPort: 8086,
        v1Config: { dbName: 'butler', retentionPolicy: { name: '10d', duration: '10d' } },
        reloadTaskSuccess: { enable: false, headScriptLogLines: 0, tailScriptLogLines: 0 },
      },
      emailNotification: {
        smtp: { port: 25, secure: false, tls: { requireTLS: true, rejectUnauthorized: true } },
        reloadTaskAborted: { alertEnableByCustomProperty: { enable: true }, rateLimit: 600 },
      },
      qlikSenseLicense: { licenseRelease: { enable: false, dryRun: true } },
      footman: {
        delivery: { enrichmentTimeout: 60_000, maxAge: 86_400_000, maxBacklog: 1_000_000 },
        logging: { maxFileSize: 104_857_600 },
        mqtt: { qos: 1 },
        startFilter: { appliesTo: ['rest', 'mqtt', 'followUp', 'cli', 'console'] },
      },
    })
  })

  test('null sections and lists are empty ones', async () => {
    const text =
      'udpServerConfig: ~\nmqttConfig:\nemailNotification:\n  reloadTaskFailure:\n    recipients:\n    appOwnerAlert: ~\ngenericUrls:\nfootman:\n  access: ~\n  destinations:\n  alertRoutes: ~'
    const result = await loadButler(text)
    expect(result.problems).toEqual([])
    expect(result.config?.emailNotification.reloadTaskFailure.recipients).toEqual([])
    expect(result.config?.footman.destinations).toEqual({})
  })

  test.each([
    [
      'smtp on port 465 starts with TLS',
      'emailNotification: {smtp: {port: 465}}',
      { emailNotification: { smtp: { secure: true } } },
    ],
    [
      'secure as written',
      'emailNotification: {smtp: {port: 465, secure: false}}',
      { emailNotification: { smtp: { secure: false } } },
    ],
    ['engine host', 'configQRS: {host: qs1}', { configEngine: { host: 'qs1' } }],
    [
      'appBaseUrl',
      'qlikSenseUrls: {hub: "https://qs1/hub/"}',
      { qlikSenseUrls: { appBaseUrl: 'https://qs1/sense/app' } },
    ],
    ['a null topic is off', 'mqttConfig: {taskFailureTopic: ~}', { mqttConfig: { taskFailureTopic: '' } }],
    [
      'enumerations are normalised',
      'logLevel: " INFO "\nwebhookNotification: {reloadTaskFailure: {webhooks: [{httpMethod: put}]}}',
      { logLevel: 'info', webhookNotification: { reloadTaskFailure: { webhooks: [{ httpMethod: 'PUT' }] } } },
    ],
    [
      'account ids are text',
      'thirdPartyToolsCredentials: {newRelic: [{accountName: a, insertApiKey: k, accountId: 42}]}',
      { thirdPartyToolsCredentials: { newRelic: [{ accountId: '42' }] } },
    ],
    [
      'cloud owners in both forms',
      'qlikSenseCloud: {event: {mqtt: {tenant: {alert: {emailNotification: {reloadAppFailure: {appOwnerAlert: {includeOwner: {user: [a@b.c, {email: d@e.f}]}}}}}}}}}',
      {
        qlikSenseCloud: {
          event: {
            mqtt: {
              tenant: {
                alert: {
                  emailNotification: {
                    reloadAppFailure: { appOwnerAlert: { includeOwner: { user: ['a@b.c', 'd@e.f'] } } },
                  },
                },
              },
            },
          },
        },
      },
    ],
  ])('%s', async (_, text, expected) => {
    expect(await configOf(loadButler(text))).toMatchObject(expected)
  })
})

describe('InfluxDB generations', () => {
  const v1 = {
    auth: { enable: true, username: 'u', password: 'p' },
    dbName: 'd',
    retentionPolicy: { name: '10d', duration: '20d' },
  }
  test.each([
    ['flat', 'auth: {enable: true, username: u, password: p}\n  dbName: d\n  retentionPolicy: {duration: 20d}', 1, v1],
    [
      'nested',
      'v1Config: {auth: {enable: true, username: u, password: p}, dbName: d, retentionPolicy: {duration: 20d}}',
      1,
      v1,
    ],
    [
      'mixed: nested wins key by key',
      'dbName: x\n  auth: {enable: true, username: x, password: p}\n  v1Config: {auth: {username: u}, dbName: d, retentionPolicy: {duration: 20d}}',
      1,
      v1,
    ],
    ['v2 token', 'v2Config: {token: t}', 2, {}],
    ['v3 token', 'v3Config: {token: t}', 3, {}],
    ['both tokens', 'v2Config: {token: t}\n  v3Config: {token: t}', 1, {}],
    ['flat beside v2', 'dbName: d\n  v2Config: {token: t}', 1, { dbName: 'd' }],
    ['as written', 'version: 3\n  dbName: d', 3, { dbName: 'd' }],
  ])('%s', async (_, text, version, v1Config) => {
    const { influxDb } = await configOf(loadButler(`influxDb:\n  ${text}`))
    expect(influxDb).toMatchObject({ version, v1Config })
  })

  test('version 4 does not exist', async () => {
    const [error] = errorsOf(await loadButler('influxDb: {version: 4}'))
    expect(error?.message).toBe('must be 1, 2 or 3, found 4')
  })
})

describe('wrong values', () => {
  test.each([
    [
      'mqttConfig:\n  brokerPort: "1883"',
      'config.yaml:3:5 error Butler.mqttConfig.brokerPort: must be a number, found "1883". Hint: write 1883 without quotes',
    ],
    [
      'mqttConfig:\n  brokerPort: 99999',
      'config.yaml:3:5 error Butler.mqttConfig.brokerPort: must be between 1 and 65535, found 99999',
    ],
    [
      'mqttConfig:\n  enable: yes',
      'config.yaml:3:5 error Butler.mqttConfig.enable: must be true or false, found "yes". Hint: write true',
    ],
    [
      'logLevel: infos',
      'config.yaml:2:3 error Butler.logLevel: must be error, warn, info, verbose, debug or silly, found "infos". Hint: did you mean info?',
    ],
    [
      'logDirectory:',
      'config.yaml:2:3 error Butler.logDirectory: must be a text, found nothing. Hint: give it a value or remove the line',
    ],
    [
      'logDirectory: 2026-01-01',
      'config.yaml:2:17 error Butler.logDirectory: must be a text, found the date 2026-01-01. Hint: put it in quotes',
    ],
    [
      'udpServerConfig:\n  messageQueue:\n    maxConcurrent: 0',
      'config.yaml:4:7 error Butler.udpServerConfig.messageQueue.maxConcurrent: must be at least 1, found 0',
    ],
    [
      'udpServerConfig:\n  messageQueue: {backpressureThreshold: 101}',
      'config.yaml:3:20 error Butler.udpServerConfig.messageQueue.backpressureThreshold: must be between 0 and 100, found 101',
    ],
    [
      'configQRS: {host: "https://qs1"}',
      'config.yaml:2:15 error Butler.configQRS.host: must be a host name or an IP address without scheme and port, found "https://qs1"',
    ],
    [
      'qlikSenseUrls: {qmc: my.site/qmc}',
      'config.yaml:2:19 error Butler.qlikSenseUrls.qmc: must be an address with a scheme, like https://host/path, found "my.site/qmc"',
    ],
    [
      'emailNotification:\n  reloadTaskFailure:\n    recipients: a@b.c',
      'config.yaml:4:7 error Butler.emailNotification.reloadTaskFailure.recipients: must be a list, found "a@b.c". Hint: write a list: each item on its own line after "- "',
    ],
    [
      'emailNotification:\n  reloadTaskFailure:\n    recipients:\n      - 5',
      'config.yaml:5:11 error Butler.emailNotification.reloadTaskFailure.recipients[0]: must be a text, found 5. Hint: write "5" in quotes',
    ],
    ['mqttConfig: 5', 'config.yaml:2:3 error Butler.mqttConfig: must be a section with keys, found 5'],
    [
      'footman: {delivery: {maxAge: 24}}',
      'config.yaml:2:24 error Butler.footman.delivery.maxAge: must be a length of time with its unit, like 24h, found 24',
    ],
    [
      'footman: {delivery: {maxAge: "24"}}',
      'config.yaml:2:24 error Butler.footman.delivery.maxAge: must be a length of time; "24" has no unit. Write for example 250ms, 30s, 5m, 24h, 7d, 1w or PT90S.',
    ],
    [
      'footman: {shutdown: {grace: 1h}}',
      'config.yaml:2:24 error Butler.footman.shutdown.grace: must be between 1s and 2m, found "1h"',
    ],
    [
      'footman: {timezone: Europe/Stokholm}',
      'config.yaml:2:13 error Butler.footman.timezone: must be an IANA time zone like Europe/Stockholm, found "Europe/Stokholm"',
    ],
    ['footman: {mqtt: {qos: 2}}', 'config.yaml:2:20 error Butler.footman.mqtt.qos: must be 0 or 1, found 2'],
    [
      'footman: {destinations: {x: {type: fax}}}',
      'config.yaml:2:32 error Butler.footman.destinations.x.type: must be email, slack, teams, signl4, newrelic, mqtt, webhook, ntfy, pagerduty, opsgenie, discord, telegram or otlp, found "fax"',
    ],
    [
      'footman: {destinations: {x: {type: slack}}}',
      'config.yaml:2:28 error Butler.footman.destinations.x.webhookURL: is missing',
    ],
    [
      'footman: {alertRoutes: [{name: a, to: [b], limit: 5}], destinations: {b: {type: email, appOwner: true}}}',
      'config.yaml:2:46 error Butler.footman.alertRoutes[0].limit: must be a text, found 5. Hint: write "5" in quotes',
    ],
    [
      'footman: {alertRoutes: [{name: a, to: [b], match: {consecutiveFailures: 3}}], destinations: {b: {type: email, appOwner: true}}}',
      'config.yaml:2:54 error Butler.footman.alertRoutes[0].match.consecutiveFailures: must be a text, found 3. Hint: write "3" in quotes',
    ],
  ])('%s', async (text, problem) => {
    const result = await loadButler(text)
    expect(result.config).toBeNull()
    expect(errorsOf(result).map(renderProblem)).toEqual([problem])
  })

  test('are all reported at once, in line order', async () => {
    const result = await loadButler('logLevel: x\nfileLogging: 1\nmqttConfig: {brokerPort: 0}')
    expect(errorsOf(result).map(({ line, path }) => `${line} ${path}`)).toEqual([
      '2 Butler.logLevel',
      '3 Butler.fileLogging',
      '4 Butler.mqttConfig.brokerPort',
    ])
  })

  test('never show a secret', async () => {
    const text =
      'emailNotification: {smtp: {auth: {password: 123456789}}}\nwebhookNotification: {reloadTaskFailure: {webhooks: [{webhookURL: "no scheme s3cret"}]}}'
    const result = await loadButler(text)
    const shown = errorsOf(result).map(renderProblem).join('\n')
    expect(errorsOf(result)).toHaveLength(2)
    expect(shown).not.toContain('123456789')
    expect(shown).not.toContain('s3cret')
  })

  test('with --skip-config-verification the defaults take their place', async () => {
    const result = await loadButler(
      'logLevel: x\nmqttConfig: {brokerPort: 0, brokerHost: mq1}\nheartbeat: {enable: true, remoteURL: "http://h/", frequency: banana}',
      { overrides: { skipVerification: true } },
    )
    expect(result.config).toMatchObject({
      logLevel: 'info',
      mqttConfig: { brokerPort: 1883, brokerHost: 'mq1' },
      heartbeat: { enable: false },
    })
    expect(errorsOf(result)).toHaveLength(3)
  })
})

describe('unknown keys', () => {
  test.each([
    [
      'heartbeat: {remoteUrll: "http://x/"}',
      'config.yaml:2:15 warning Butler.heartbeat.remoteUrll: unknown key, ignored. Hint: did you mean remoteURL?',
    ],
    ['hartbeat: {}', 'config.yaml:2:3 warning Butler.hartbeat: unknown key, ignored. Hint: did you mean heartbeat?'],
    [
      'systemInfo: {wxyzabc: 1}',
      'config.yaml:2:16 warning Butler.systemInfo.wxyzabc: unknown key, ignored. Hint: Butler.systemInfo knows enable',
    ],
    [
      'genericUrls: [{id: a, linktxt: b}]',
      'config.yaml:2:25 warning Butler.genericUrls[0].linktxt: unknown key, ignored. Hint: did you mean linkText?',
    ],
    ['heartBeat: {enable: false}', "config.yaml:2:3 warning CONFIG: 'Butler.heartBeat' is read as 'Butler.heartbeat'."],
    ['influxdb: {enable: false}', "config.yaml:2:3 info CONFIG: 'Butler.influxdb' is read as 'Butler.influxDb'."],
    [
      'configQRS: {HOST: a, host: b}',
      "config.yaml:2:15 warning CONFIG: 'Butler.configQRS.HOST' is ignored because 'Butler.configQRS.host' is set.",
    ],
    [
      'footman: {destinations: {x: {type: teams, webhookURL: "https://x/", chanel: y}}}',
      'config.yaml:2:71 warning Butler.footman.destinations.x.chanel: unknown key, ignored. Hint: Butler.footman.destinations.x knows type, enable, timeout, rejectUnauthorized, caFile, headScriptLogLines, tailScriptLogLines, webhookURL, ...',
    ],
  ])('%s', async (text, line) => {
    const result = await loadButler(text)
    expect(result.config).not.toBeNull()
    expect(result.problems.map(renderProblem)).toContain(line)
  })

  test('below access they are errors', async () => {
    const result = await loadButler('footman: {access: {enable: false, allowFroms: []}}')
    expect(errorsOf(result).map(renderProblem)).toEqual([
      'config.yaml:2:37 error Butler.footman.access.allowFroms: unknown key. Hint: did you mean allowFrom?',
    ])
    expect(result.config).toBeNull()
  })
})

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
      await loadButler(`mqttConfig: {brokerPort: "\${env:PORT}"}`, { env: { PORT: 'hunter2-secret' } }),
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

test('lines for the log', async () => {
  const { problems } = await loadButler('anonTelemetry: true\nheartbeat: {enabled: false}\nfoo: 1')
  expect(problems.map(logLineOf)).toEqual([
    "CONFIG DEPRECATED: 'Butler.heartbeat.enabled' (Butler 3.1) is read as 'Butler.heartbeat.enable'. Please update the config file. (config.yaml:3:15)",
    'CONFIG: Butler.foo: unknown key, ignored. Hint: Butler knows logLevel, fileLogging, logDirectory, anonTelemetry, systemInfo, cert, configQRS, configEngine, ... (config.yaml:4:3)',
    "CONFIG: 'Butler.anonTelemetry' is accepted for compatibility; this program sends no telemetry.",
  ])
})
