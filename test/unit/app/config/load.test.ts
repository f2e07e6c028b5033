import { describe, expect, test } from 'bun:test'
import { loadConfig } from '../../../../src/app/config/load.ts'
import { logLineOf, renderProblem } from '../../../../src/config/problems.ts'
import { configOf, errorsOf, loadButler, loadText, summaryOf, withFolder } from '../../../support/config.ts'

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

  test('what init writes is found after them', async () => {
    const files = { 'config/footman.yaml': 'Butler: {logLevel: warn}', 'config/test.yaml': 'Butler: {logLevel: error}' }
    await withFolder(files, async (cwd) => {
      const { config, problems } = await loadConfig({ cwd, ...empty })
      expect(config?.logLevel).toBe('warn')
      expect(problems).toMatchObject([
        { severity: 'info', message: expect.stringMatching(/footman\.yaml \(footman init\)$/) },
      ])
      expect((await loadConfig({ cwd, ...empty, env: { NODE_ENV: 'test' } })).config?.logLevel).toBe('error')
    })
  })

  test('nothing found names all places and what to do', async () => {
    const { problems, config } = await withFolder({}, (cwd) => loadConfig({ cwd, ...empty }))
    expect(config).toBeNull()
    expect(problems[0]?.message).toMatch(/option -c FILE.*config\/production\.yaml.*config\/footman\.yaml/)
    expect(problems[0]?.hint).toContain('footman init')
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
      'config.yaml:1:1 error Butler: must be a section with keys; Footman does not start',
    ])
  })

  test.each([
    ['UTF-8', 'utf8', []],
    ['Windows-1252', 'latin1', ['is not UTF-8; it is read as Windows-1252']],
    ['UTF-16', 'utf16le', ['is UTF-16']],
  ] as const)('may be %s, as editors of Windows write it', async (_, encoding, warnings) => {
    const text = `${encoding === 'utf16le' ? '\uFEFF' : ''}Butler: {configDirectories: {qvdPath: 'D:/Größe'}}`
    const result = await withFolder({}, async (cwd) => {
      await Bun.write(`${cwd}/c.yaml`, Buffer.from(text, encoding))
      return loadConfig({ file: 'c.yaml', cwd, ...empty, overrides: { qlikConnection: false } })
    })
    expect(result.problems.map(({ severity, message }) => [severity, message])).toEqual(
      warnings.map((message) => ['warning', message]),
    )
    expect(result.config?.configDirectories.qvdPath).toBe('D:/Größe')
  })

  test('must be text', async () => {
    const result = await withFolder({}, async (cwd) => {
      await Bun.write(`${cwd}/c.yaml`, new Uint8Array([0x4d, 0x5a, 0x00, 0x42]))
      return loadConfig({ file: 'c.yaml', cwd, ...empty })
    })
    expect([result.config, result.problems[0]?.message]).toEqual([null, 'is not a text file'])
  })
})

describe('defaults', () => {
  test('are those of the predecessor, with everything off', async () => {
    const config = await configOf(loadText('Butler: {footman: {}}'))
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
        delivery: { enrichmentTimeout: 60_000, maxAge: 86_400_000, maxBacklog: 1_000_000, memoryBacklog: 10_000 },
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
    const [error] = errorsOf(await loadButler('influxDb: {enable: true, hostIP: i1, version: 4}'))
    expect(error?.message).toBe('must be 1, 2 or 3, found 4')
  })
})

test('lines for the log', async () => {
  const { problems } = await loadButler('anonTelemetry: true\nheartbeat: {enabled: false}\nfoo: 1')
  expect(problems.map((problem) => logLineOf(problem))).toEqual([
    'CONFIG DEPRECATED: 1 setting stands where older Butlers had it; it is read as before. Hint: "footman migrate-config config.yaml" shows and writes the present layout (config.yaml:3:15)',
    'CONFIG: Butler.foo: unknown key, ignored. Hint: Butler knows logLevel, fileLogging, logDirectory, anonTelemetry, systemInfo, cert, configQRS, configEngine, ... (config.yaml:4:3)',
    "CONFIG: 'Butler.anonTelemetry' is accepted for compatibility; this program sends no telemetry.",
  ])
})
