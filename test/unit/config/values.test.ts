import { describe, expect, test } from 'bun:test'
import { DESTINATION_TYPES } from '../../../src/alerts/destinations/index.ts'
import { renderProblem, switchedOff } from '../../../src/config/problems.ts'
import { errorsOf, loadButler } from '../../support/config.ts'

/** Rows with a feature, or null, start; `warning` when the value alone is left out. */
type Row = readonly [text: string, problem: string, feature?: string | null]

const DESTINATION_TYPE_LIST = Object.keys(DESTINATION_TYPES)
  .join(', ')
  .replace(/, (\w+)$/, ' or $1')

const WRONG: readonly Row[] = [
  [
    'mqttConfig:\n  enable: true\n  brokerPort: 99999',
    'config.yaml:4:5 error Butler.mqttConfig.brokerPort: must be between 1 and 65535, found 99999; Butler.mqttConfig stays off',
    'mqttConfig',
  ],
  [
    'mqttConfig:\n  enable: yes',
    'config.yaml:3:5 error Butler.mqttConfig.enable: must be true or false, found "yes"; Butler.mqttConfig stays off. Hint: write true',
    'mqttConfig',
  ],
  [
    'logLevel: infos',
    'config.yaml:2:3 warning Butler.logLevel: must be error, warn, info, verbose, debug or silly, found "infos"; it counts as not set. Hint: did you mean info?',
    null,
  ],
  [
    'logDirectory:',
    'config.yaml:2:3 warning Butler.logDirectory: must be a text, found nothing; it counts as not set. Hint: give it a value or remove the line',
    null,
  ],
  [
    'udpServerConfig:\n  enable: true\n  messageQueue:\n    maxConcurrent: 0',
    'config.yaml:5:7 error Butler.udpServerConfig.messageQueue.maxConcurrent: must be at least 1, found 0; Footman does not start',
  ],
  [
    'udpServerConfig:\n  enable: true\n  messageQueue: {backpressureThreshold: 101}',
    'config.yaml:4:20 error Butler.udpServerConfig.messageQueue.backpressureThreshold: must be between 0 and 100, found 101; Footman does not start',
  ],
  [
    'configQRS: {host: "https://qs1"}',
    'config.yaml:2:15 error Butler.configQRS.host: must be a host name or an IP address without scheme and port, found "https://qs1"; Footman does not start. Hint: write qs1; the port has a key of its own',
  ],
  [
    'startTaskFilter: {enable: maybe}',
    'config.yaml:2:21 error Butler.startTaskFilter.enable: must be true or false, found "maybe"; Footman does not start',
  ],
  [
    'restServerConfig: {enable: true, tls: {enable: maybe}}',
    'config.yaml:2:42 error Butler.restServerConfig.tls.enable: must be true or false, found "maybe"; Footman does not start',
  ],
  [
    'qlikSenseUrls: {qmc: my.site/qmc}',
    'config.yaml:2:19 warning Butler.qlikSenseUrls.qmc: must be an address with a scheme, like https://host/path, found "my.site/qmc"; it counts as not set',
    null,
  ],
  [
    'emailNotification:\n  enable: true\n  smtp: {host: m}\n  reloadTaskFailure:\n    enable: true\n    recipients: a@b.c',
    'config.yaml:7:7 error Butler.emailNotification.reloadTaskFailure.recipients: must be a list, found "a@b.c"; Butler.emailNotification.reloadTaskFailure stays off. Hint: write a list: each item on its own line after "- "',
    'emailNotification.reloadTaskFailure',
  ],
  [
    'emailNotification:\n  enable: true\n  smtp: {host: m}\n  reloadTaskFailure: {enable: true, alertEnableByCustomProperty: {enable: 1}}',
    'config.yaml:5:69 error Butler.emailNotification.reloadTaskFailure.alertEnableByCustomProperty.enable: must be true or false, found 1; Butler.emailNotification.reloadTaskFailure stays off',
    'emailNotification.reloadTaskFailure',
  ],
  [
    'restServerEndpointsEnable: {createDir: 1}',
    'config.yaml:2:31 error Butler.restServerEndpointsEnable.createDir: must be true or false, found 1; it stays off',
    'restServerEndpointsEnable.createDir',
  ],
  [
    'fileDeleteApprovedDirectories: /data',
    'config.yaml:2:3 error Butler.fileDeleteApprovedDirectories: must be a list, found "/data"; it stays off. Hint: write a list: each item on its own line after "- "',
    'fileDeleteApprovedDirectories',
  ],
  [
    'mqttConfig: 5',
    'config.yaml:2:3 error Butler.mqttConfig: must be a section with keys, found 5; it stays off',
    'mqttConfig',
  ],
  [
    'footman: {delivery: {maxAge: 24}}',
    'config.yaml:2:24 error Butler.footman.delivery.maxAge: must be a length of time with its unit, like 24h, found 24; Footman does not start',
  ],
  [
    'footman: {delivery: {maxAge: "24"}}',
    'config.yaml:2:24 error Butler.footman.delivery.maxAge: must be a length of time; "24" has no unit. Write for example 250ms, 30s, 5m, 24h, 7d, 1w or PT90S; Footman does not start',
  ],
  [
    'footman: {shutdown: {grace: 1h}}',
    'config.yaml:2:24 error Butler.footman.shutdown.grace: must be between 1s and 2m, found "1h"; Footman does not start',
  ],
  [
    'footman: {timezone: Europe/Stokholm}',
    'config.yaml:2:13 error Butler.footman.timezone: must be an IANA time zone like Europe/Stockholm, found "Europe/Stokholm"; Footman does not start',
  ],
  [
    'footman: {mqtt: {qos: 2}}',
    'config.yaml:2:20 error Butler.footman.mqtt.qos: must be 0 or 1, found 2; Footman does not start',
  ],
  [
    'footman: {destinations: {x: {type: fax}}}',
    `config.yaml:2:32 error Butler.footman.destinations.x.type: must be ${DESTINATION_TYPE_LIST}, found "fax"; Footman does not start`,
  ],
  [
    'footman: {destinations: {x: {type: slack}}}',
    'config.yaml:2:28 error Butler.footman.destinations.x.webhookURL: is missing; Footman does not start',
  ],
  [
    'footman: {alertRoutes: [{name: a, to: [b], limit: 5}], destinations: {b: {type: email, appOwner: true}}}',
    'config.yaml:2:46 error Butler.footman.alertRoutes[0].limit: must be a text, found 5; Footman does not start. Hint: write "5" in quotes',
  ],
  [
    'footman: {alertRoutes: [{name: a, to: [b], match: {consecutiveFailures: 3}}], destinations: {b: {type: email, appOwner: true}}}',
    'config.yaml:2:54 error Butler.footman.alertRoutes[0].match.consecutiveFailures: must be a text, found 3; Footman does not start. Hint: write "3" in quotes',
  ],
]

describe('wrong values', () => {
  test.each(WRONG.map(([text, problem, feature]) => ({ text, problem, feature })))('$text', async (row) => {
    const { text, problem, feature } = row
    const result = await loadButler(text)
    expect(result.config === null).toBe(feature === undefined)
    const grave = result.problems.filter(({ severity }) => severity !== 'info')
    expect(grave.map(renderProblem)).toEqual([problem])
    expect(switchedOff(result.problems)).toEqual(feature ? [`Butler.${feature}`] : [])
  })

  test.each([
    [
      'mqttConfig: {enable: "false", brokerPort: "1883"}',
      'warning Butler.mqttConfig.enable: "false" is read as false. Hint: take the quotes away',
    ],
    [
      'heartbeat: {enable: "true", remoteURL: "http://h/"}',
      'warning Butler.heartbeat.enable: "true" is read as true. Hint: take the quotes away',
    ],
    [
      'emailNotification: {smtp: {auth: {password: 12345}}}',
      'warning Butler.emailNotification.smtp.auth.password: the number is read as text. Hint: put it in quotes',
    ],
  ])('of the wrong type, as Butlers before 13 took them: %s', async (text, line) => {
    const result = await loadButler(text)
    expect(errorsOf(result)).toEqual([])
    expect(result.problems.map(renderProblem).map((one) => one.replace(/^\S+ /, ''))).toContain(line)
  })

  test('are not converted below footman', async () => {
    const result = await loadButler('footman: {access: {enable: "true"}}')
    expect(errorsOf(result).map(renderProblem)).toEqual([
      'config.yaml:2:22 error Butler.footman.access.enable: must be true or false, found "true"; Footman does not start. Hint: write true without quotes',
    ])
  })

  const UNUSED =
    'slackNotification: {enable: false, reloadTaskFailure: {enable: true, webhookURL: <web hook URL from Slack>}}\nmqttConfig: {brokerHost: <host>, brokerPort: <port>}\nqlikSenseUrls: {qmc: <https://qmc>}\nserviceMonitor: {enable: false, monitor: [{host: <host>, services: []}]}'

  test('that nothing needs are one line', async () => {
    const { config, problems } = await loadButler(UNUSED)
    expect(problems.map(renderProblem)).toEqual([
      'config.yaml:2:72 info CONFIG: 5 values that are not needed cannot be used and count as not set (placeholders, or in sections that are switched off): Butler.slackNotification, Butler.mqttConfig, Butler.qlikSenseUrls, Butler.serviceMonitor',
    ])
    expect(config).toMatchObject({ mqttConfig: { brokerHost: '', brokerPort: 1883 }, qlikSenseUrls: { qmc: '' } })
  })

  test('that nothing needs are a warning each with strict', async () => {
    const { config, problems } = await loadButler(`${UNUSED}\nfootman: {compatibility: strict}`)
    expect(config).toMatchObject({ mqttConfig: { brokerHost: '', brokerPort: 1883 }, qlikSenseUrls: { qmc: '' } })
    expect(problems.map(({ severity, path }) => `${severity} ${path}`)).toEqual([
      'warning Butler.slackNotification.reloadTaskFailure.webhookURL',
      'warning Butler.mqttConfig.brokerHost',
      'warning Butler.mqttConfig.brokerPort',
      'warning Butler.qlikSenseUrls.qmc',
      'warning Butler.serviceMonitor.monitor[0].host',
    ])
    expect(problems[0]?.message).toEndWith('Butler.slackNotification is off, so it counts as not set')
  })

  test('are all reported at once, in line order', async () => {
    const result = await loadButler('fileLogging: 1\nheartbeat: {enable: true, remoteURL: x}\nconfigQRS: {port: 0}')
    expect(errorsOf(result).map(({ line, path }) => `${line} ${path}`)).toEqual([
      '2 Butler.fileLogging',
      '3 Butler.heartbeat.remoteURL',
      '4 Butler.configQRS.port',
    ])
  })

  test('a negative rate limit is one of them, 0 means no limit', async () => {
    const limit = (seconds: number) =>
      loadButler(
        `emailNotification: {enable: true, smtp: {host: m}, reloadTaskFailure: {enable: true, rateLimit: ${seconds}}}`,
      )
    expect(errorsOf(await limit(-1)).map(renderProblem)).toEqual([
      'config.yaml:2:88 error Butler.emailNotification.reloadTaskFailure.rateLimit: must be at least 0, found -1; Butler.emailNotification.reloadTaskFailure stays off',
    ])
    expect((await limit(0)).config?.emailNotification.reloadTaskFailure.rateLimit).toBe(0)
  })

  test('never show a secret', async () => {
    const text =
      'emailNotification: {enable: true, smtp: {host: m, auth: {enable: true, password: [123456789]}}}\nwebhookNotification: {enable: true, reloadTaskFailure: {webhooks: [{webhookURL: "no scheme s3cret"}]}}'
    const result = await loadButler(text)
    const shown = errorsOf(result).map(renderProblem).join('\n')
    expect(errorsOf(result)).toHaveLength(2)
    expect(shown).not.toContain('123456789')
    expect(shown).not.toContain('s3cret')
  })

  test('with --skip-config-verification the defaults take their place', async () => {
    const result = await loadButler(
      'logLevel: x\nudpServerConfig: {enable: true, portTaskFailure: 0, serverHost: h1}\nheartbeat: {enable: true, remoteURL: "http://h/", frequency: banana}',
      { overrides: { skipVerification: true } },
    )
    expect(result.config).toMatchObject({
      logLevel: 'info',
      udpServerConfig: { enable: true, portTaskFailure: 9998, serverHost: 'h1' },
      heartbeat: { enable: false },
    })
    expect(errorsOf(result)).toHaveLength(2)
  })
})

describe('unknown keys', () => {
  test.each([
    [
      'footman: {destinations: {hook: {type: webhook, webhookURL: "http://h/", url: "http://h/"}}}',
      'config.yaml:2:50 warning Butler.footman.destinations.hook.webhookURL: unknown key, ignored. Hint: did you mean url?',
    ],
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
      'config.yaml:2:37 error Butler.footman.access.allowFroms: unknown key; Footman does not start. Hint: did you mean allowFrom?',
    ])
    expect(result.config).toBeNull()
  })
})

describe('unknown keys that decide who is told and what is started are errors', () => {
  test.each([
    ['footman: {alertRoutes: [{name: a, to: [b], match: {taks: x}}]}', 'footman.alertRoutes[0].match.taks', 'task'],
    [
      'footman: {alertRoutes: [{name: a, to: [b], except: [{taskTagg: x}]}]}',
      'footman.alertRoutes[0].except[0].taskTagg',
      'taskTag',
    ],
    [
      'footman: {alertRoutes: [{name: a, to: [b], match: {taskTag: {al: [x]}}}]}',
      'footman.alertRoutes[0].match.taskTag.al',
      'all',
    ],
    ['footman: {alertRoutes: [{name: a, to: [b], exept: {task: x}}]}', 'footman.alertRoutes[0].exept', 'except'],
    ['footman: {maintenance: [{name: a, during: b, match: {ap: x}}]}', 'footman.maintenance[0].match.ap', 'app'],
    ['footman: {maintenance: [{name: a, during: b, mach: {app: x}}]}', 'footman.maintenance[0].mach', 'match'],
    ['footman: {windows: {w: {dayz: [sat]}}}', 'footman.windows.w.dayz', 'days'],
    ['startTaskFilter: {enabled: true}', 'startTaskFilter.enabled', 'enable'],
    ['startTaskFilter: {enable: true, allowTask: {tags: [a]}}', 'startTaskFilter.allowTask.tags', 'tag'],
  ])('%s', async (text, path, meant) => {
    const result = await loadButler(text)
    expect(result.config).toBeNull()
    const unknown = errorsOf(result).filter(({ message }) => message === 'unknown key')
    expect(unknown.map(({ path, message, hint }) => `${path}: ${message}. ${hint}`)).toEqual([
      `Butler.${path}: unknown key. did you mean ${meant}?`,
    ])
  })

  test('a destination of a route may have any settings', async () => {
    const result = await loadButler('footman: {alertRoutes: [{name: a, to: [{destination: b, anything: 1}]}]}')
    expect(result.problems.map(({ message }) => message)).not.toContain('unknown key')
  })
})

test('IPv6 addresses are hosts', async () => {
  const result = await loadButler(
    'udpServerConfig: {enable: true, serverHost: "::", enableSourceValidation: true, allowedSources: ["2001:db8::/32"]}\nmqttConfig: {brokerHost: "fd00::1"}\nrestServerConfig: {serverHost: "::1"}',
  )
  expect(result.problems).toEqual([])
  expect(result.config).toMatchObject({ udpServerConfig: { serverHost: '::' }, mqttConfig: { brokerHost: 'fd00::1' } })
})
