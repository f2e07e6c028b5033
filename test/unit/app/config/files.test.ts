import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { configJsonSchema, type JsonSchema } from '../../../../src/app/config/json-schema.ts'
import { loadConfig } from '../../../../src/app/config/load.ts'
import { errorsOf, loadText, summaryOf } from '../../../support/config.ts'
import { readRepositoryFile } from '../../../support/source.ts'
import { tempDirectory } from '../../../support/temp.ts'

const FIXTURES = join(import.meta.dir, '../../../fixtures/config')
const load = (file: string, env: Record<string, string> = {}) => loadConfig({ file, env, cwd: FIXTURES })

const honoured = (path: string, effect: string) =>
  `warning Butler.${path} CONFIG: 'Butler.${path}' is now honoured; Butler 16 ignored it: ${effect}`
const newRelic = (event: string, kind: string, property: string) =>
  honoured(
    `incidentTool.newRelic.${event}.destination.${kind}.sendToAccount.byCustomProperty.enable`,
    `the custom property ${property} does not choose accounts any more`,
  )

describe('a complete file of Butler 16', () => {
  const full = load('butler16-full.yaml')

  test('is accepted unchanged', async () => {
    expect(summaryOf(await full).sort()).toEqual(
      [
        "info Butler.anonTelemetry CONFIG: 'Butler.anonTelemetry' is accepted for compatibility; this program sends no telemetry.",
        'warning Butler.emailNotification.smtp.tls.requireTLS has no effect, as in Butler: mail leaves unencrypted when the server offers no STARTTLS',
        newRelic('reloadTaskFailure', 'event', 'Butler_FailedTask_Event_NewRelicAccount'),
        newRelic('reloadTaskFailure', 'log', 'Butler_FailedTask_Log_NewRelicAccount'),
        // An alias: the same names.
        newRelic('reloadTaskAborted', 'event', 'Butler_FailedTask_Event_NewRelicAccount'),
        newRelic('reloadTaskAborted', 'log', 'Butler_FailedTask_Log_NewRelicAccount'),
        honoured('keyValueStore.maxKeysPerNamespace', 'a namespace takes at most 1000 keys, further ones are refused'),
      ].sort(),
    )
  })

  test('means what it says', async () => {
    const { config, qlikConnection } = await full
    expect(qlikConnection).toBe(true)
    expect(config).toMatchObject({
      udpServerConfig: {
        enable: true,
        enableSourceValidation: true,
        allowedSources: ['10.20.30.41', 'qs-node2.acme.example'],
      },
      emailNotification: {
        reloadTaskFailure: {
          enable: true,
          rateLimit: 600,
          subject: '❌ Qlik Sense reload failed: "{{taskName}}"',
          htmlTemplateFile: 'failed-reload-qseow',
          recipients: ['bi-ops@acme.example'],
          appOwnerAlert: { excludeOwner: { user: [{ directory: 'LAB', userId: 'testuser_1' }] } },
        },
        preloadTaskFailure: { enable: true, htmlTemplateFile: 'failed-preload-qseow' },
        serviceStarted: { rateLimit: 30, htmlTemplateFile: 'service-started' },
        smtp: { host: 'smtp.acme.example', port: 587, secure: false, tls: { serverName: '' } },
      },
      mqttConfig: {
        enable: true,
        taskStartTopic: 'qliksense/start_task',
        qlikSenseCloud: { event: { mqttForward: { broker: { port: 8883 } } } },
      },
      influxDb: { version: 1, v1Config: { dbName: 'butler', retentionPolicy: { name: '30d' } } },
      startTaskFilter: {
        allowTask: {
          taskId: ['e3b27f50-b1c0-4879-88fc-c7cdd9c1cf3e'],
          customProperty: [{ name: 'taskGroup', value: 'financial-reports' }],
        },
      },
      restServerConfig: { tls: { enable: true, ca: '' } },
      teamsNotification: {
        serviceStarted: { messageType: 'formatted', templateFile: 'config/teams_templates/service-started.handlebars' },
      },
      configDirectories: { qvdPath: '\\\\fs01\\qvd' },
    })
  })
})

test('the smallest file that Butler 16 accepts', async () => {
  const result = await load('butler16-smallest.yaml')
  expect(errorsOf(result)).toEqual([])
  expect(result.problems.filter(({ severity }) => severity === 'warning')).toEqual([])
})

describe('older files', () => {
  test('Butler 9', async () => {
    const result = await load('old/butler-9.yaml')
    // Empty user and password are written without a value.
    expect(errorsOf(result)).toEqual([])
    expect(result.config).toMatchObject({
      influxDb: {
        enable: true,
        version: 1,
        tag: { static: [{ name: 'butler_instance', value: 'PROD' }] },
        v1Config: { auth: { username: 'butler' } },
      },
      configQRS: {
        headers: { static: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal; UserId=sa_repository' }] },
      },
      configEngine: { headers: { static: [{ name: 'X-Qlik-User' }] } },
      emailNotification: { reloadTaskFailure: { fromAddress: 'Qlik Sense <noreply@acme.example>' } },
      restServerEndpointsEnable: { apiListEnabledEndpoints: true },
      qlikSenseUrls: { appBaseUrl: 'https://qlik.acme.example/sense/app' },
    })
  })

  test('Butler 4', async () => {
    const result = await load('old/butler-4.yaml')
    expect(errorsOf(result)).toEqual([])
    expect(summaryOf(result).filter((line) => line.includes('unknown key'))).toEqual([])
    expect(result.config).toMatchObject({
      influxDb: { enable: true, hostIP: 'influx01.acme.example', version: 1 },
      slackNotification: { enable: true, reloadTaskFailure: { channel: 'sense-task-failure', messageType: 'basic' } },
      teamsNotification: {
        enable: true,
        reloadTaskFailure: { enable: true, webhookURL: 'https://teams.example/hook' },
      },
      emailNotification: {
        reloadTaskFailure: { enable: true, recipients: ['ops@acme.example'], fromAddress: 'noreply@acme.example' },
      },
    })
  })
})

describe("Footman's own sections", () => {
  const secrets = {
    ERP_KEY_HASH: `sha256:${'a'.repeat(64)}`,
    LOADSCRIPT_KEY_HASH: `sha256:${'b'.repeat(64)}`,
    TEAMS_URL: 'https://teams.example/hook',
    PAGERDUTY_KEY: 'k'.repeat(32),
    NTFY_TOKEN: 'tk_example',
    TICKETS_SECRET: 'whsec_Zm9vdG1hbg==',
    MQTT_PASSWORD: 'mqtt-password',
  }

  test('all of them at once', async () => {
    const result = await loadConfig({
      file: 'footman-sections.yaml',
      env: secrets,
      cwd: FIXTURES,
      overrides: { qlikConnection: false },
    })
    expect(result.problems).toEqual([])
    expect(result.config?.footman).toMatchObject({
      timezone: 'Europe/Stockholm',
      node: { name: 'qs-central', role: 'primary' },
      delivery: { enrichmentTimeout: 60_000, influxDbMaxAge: 604_800_000 },
      keyValue: { maxValueSize: 1_048_576 },
      mqtt: { protocol: 'mqtts', password: 'mqtt-password', receivedTopics: ['qliksense/new_data/#'] },
      destinations: { 'on-call': { type: 'pagerduty', region: 'eu', timeout: 10_000 } },
      maintenance: [{ name: 'sunday-patching', during: [{ days: ['sun'] }] }],
    })
    expect(result.secrets).toContain('mqtt-password')
  })

  test('the example that is shipped', async () => {
    const cwd = join(import.meta.dir, '../../../../config')
    const { problems, config } = await loadConfig({ file: 'footman.example.yaml', env: {}, cwd })
    expect(problems).toEqual([])
    expect(config?.udpServerConfig.enable).toBe(true)
    // New installations verify what they talk to.
    const { configQRS, configEngine, emailNotification } = config!
    for (const peer of [configQRS, configEngine, emailNotification.smtp.tls]) expect(peer.rejectUnauthorized).toBe(true)
  })

  test('what the example has switched off is valid too', async () => {
    await using directory = tempDirectory()
    const all = readRepositoryFile('config/footman.example.yaml').replace(/^( *)#(?=\S)/gm, '$1')
    writeFileSync(directory.join('footman.yaml'), all)
    const address = 'https://hooks.acme.example/x'
    const env = {
      SLACK_URL: address,
      TEAMS_URL: address,
      PAGERDUTY_KEY: 'x'.repeat(32),
      ERP_KEY_HASH: `sha256:${'0'.repeat(64)}`,
    }
    const { problems, config } = await loadConfig({ file: 'footman.yaml', env, cwd: directory.path })
    expect(problems).toEqual([])
    expect(config?.scheduler.enable).toBe(true)
    expect(config?.footman.alertRoutes.map(({ name }) => name)).toEqual(['finance-night', 'etl-chain', 'watchdog'])
  })
})

describe('the JSON Schema', () => {
  const schema = configJsonSchema()

  test('is of the right draft and always the same', () => {
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(JSON.stringify(configJsonSchema())).toBe(JSON.stringify(schema))
  })

  test('describes every key', () => {
    expect(keysOf(schema).filter(({ schema: key }) => !key.description)).toEqual([])
    expect(keysOf(schema).length).toBeGreaterThan(900)
  })

  test('holds no notes that only Footman understands', () => {
    const text = JSON.stringify(schema)
    for (const note of ['nullable', 'defaultText', '"ignored"', '"closed"', '"range"'])
      expect(text).not.toContain(`${note}:`)
  })

  test('every default alone is accepted', async () => {
    const defaults = keysOf(schema.properties!.Butler!, []).filter(
      ({ schema: key, path }) => key.default !== undefined && !path.some((step) => NOT_ALONE.includes(step)),
    )
    expect(defaults.length).toBeGreaterThan(400)
    for (const { path, schema: key } of defaults) {
      const value = path.reduceRight<unknown>((inner, step) => ({ [step]: inner }), key.default)
      const { problems } = await loadText(JSON.stringify({ Butler: value }))
      expect({ path, problems: problems.filter(({ severity }) => severity !== 'info') }).toEqual({ path, problems: [] })
    }
  }, 90_000)
})

/** Keys of lists, and of sections that need further keys. */
const NOT_ALONE = ['[]', 'jwt', 'clientCertificates']

interface Key {
  readonly path: readonly string[]
  readonly schema: JsonSchema
}

/** Every key with its schema; items of lists and values of maps have the step `[]`. */
function keysOf(schema: JsonSchema, path: readonly string[] = []): Key[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, value]) => [
    { path: [...path, key], schema: value },
    ...keysOf(value, [...path, key]),
  ])
  const values = typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : []
  const below = [schema.items, ...values]
    .filter((item) => item !== undefined)
    .flatMap((item) => keysOf(item, [...path, '[]']))
  const variants = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((variant) =>
    keysOf(variant, [...path, '[]']),
  )
  return [...own, ...below, ...variants]
}
