import { describe, expect, test } from 'bun:test'
import { renderProblem } from '../../src/config/problems.ts'
import { errorsOf, loadButler } from '../support/config.ts'

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
      'config.yaml:2:15 error Butler.configQRS.host: must be a host name or an IP address without scheme and port, found "https://qs1". Hint: write qs1; the port has a key of its own',
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

  test('a negative rate limit is one of them, 0 means no limit', async () => {
    const limit = (seconds: number) => loadButler(`emailNotification: {reloadTaskFailure: {rateLimit: ${seconds}}}`)
    expect(errorsOf(await limit(-1)).map(renderProblem)).toEqual([
      'config.yaml:2:43 error Butler.emailNotification.reloadTaskFailure.rateLimit: must be at least 0, found -1',
    ])
    expect((await limit(0)).config?.emailNotification.reloadTaskFailure.rateLimit).toBe(0)
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
      'config.yaml:2:37 error Butler.footman.access.allowFroms: unknown key. Hint: did you mean allowFrom?',
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
