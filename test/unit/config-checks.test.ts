import { describe, expect, test } from 'bun:test'
import type { Overrides } from '../../src/config/overrides.ts'
import { renderProblem } from '../../src/config/problems.ts'
import { loadButler } from '../support/config.ts'

async function linesOf(text: string, overrides?: Overrides): Promise<string[]> {
  const { problems } = await loadButler(text, overrides ? { overrides } : {})
  return problems
    .filter(({ severity }) => severity !== 'info')
    .map((problem) => renderProblem(problem).replace(/^config\.yaml:/, ''))
}

describe('what an enabled feature needs', () => {
  const on = (feature: string) => `but Butler.${feature} is on. Hint: set it, or switch Butler.${feature} off`
  test.each([
    ['influxDb: {enable: true}', [`2:3 error Butler.influxDb.hostIP: is missing, ${on('influxDb')}`]],
    [
      'influxDb: {enable: true, hostIP: i, version: 2, v2Config: {org: o}}',
      [
        `2:51 error Butler.influxDb.v2Config.bucket: is missing, ${on('influxDb')}`,
        `2:51 error Butler.influxDb.v2Config.token: is missing, ${on('influxDb')}`,
      ],
    ],
    [
      'influxDb: {enable: true, hostIP: i, version: 3}',
      [
        `2:3 error Butler.influxDb.v3Config.database: is missing, ${on('influxDb')}`,
        `2:3 error Butler.influxDb.v3Config.token: is missing, ${on('influxDb')}`,
      ],
    ],
    [
      'emailNotification: {enable: true, smtp: {port: 25}}',
      [`2:37 error Butler.emailNotification.smtp.host: is missing, ${on('emailNotification')}`],
    ],
    [
      'emailNotification: {enable: true, smtp: {host: m}, preloadTaskFailure: {enable: true, alertEnabledByEmailAddress: {customPropertyName: ""}}}',
      [
        `2:54 error Butler.emailNotification.preloadTaskFailure.recipients: needs at least one way to a recipient, ${on('emailNotification.preloadTaskFailure')}`,
      ],
    ],
    [
      'slackNotification: {enable: true, reloadTaskFailure: {enable: true}}',
      [
        `2:37 error Butler.slackNotification.reloadTaskFailure.webhookURL: is missing, ${on('slackNotification.reloadTaskFailure')}`,
      ],
    ],
    [
      'teamsNotification: {enable: true, reloadTaskAborted: {enable: true}}',
      [
        `2:37 error Butler.teamsNotification.reloadTaskAborted.webhookURL: is missing, ${on('teamsNotification.reloadTaskAborted')}`,
      ],
    ],
    [
      'webhookNotification: {enable: true, reloadTaskFailure: {webhooks: [{webhookURL: "http://a/"}, {description: b}]}}',
      [
        '2:97 error Butler.webhookNotification.reloadTaskFailure.webhooks[1].webhookURL: is missing. Hint: set it, or remove the webhook',
      ],
    ],
    ['mqttConfig: {enable: true}', [`2:3 error Butler.mqttConfig.brokerHost: is missing, ${on('mqttConfig')}`]],
    [
      'mqttConfig: {enable: true, brokerHost: b, azureEventGrid: {enable: true, clientId: c, clientKeyFile: k}}',
      [`2:45 error Butler.mqttConfig.azureEventGrid.clientCertFile: is missing, ${on('mqttConfig')}`],
    ],
    [
      'restServerConfig: {enable: true, serverHost: h, tls: {enable: true, cert: c}}',
      [`2:51 error Butler.restServerConfig.tls.key: is missing, ${on('restServerConfig')}`],
    ],
    ['heartbeat: {enable: true}', [`2:3 error Butler.heartbeat.remoteURL: is missing, ${on('heartbeat')}`]],
    [
      'serviceMonitor: {enable: true, monitor: [{host: h}]}',
      [`2:34 error Butler.serviceMonitor.monitor: needs at least one host with one service, ${on('serviceMonitor')}`],
    ],
    [
      'incidentTool: {signl4: {enable: true}}',
      [`2:18 error Butler.incidentTool.signl4.url: is missing, ${on('incidentTool.signl4')}`],
    ],
  ])('%s', async (text, lines) => {
    expect(await linesOf(text)).toEqual(lines)
  })

  test('the rest runs, the feature stays off', async () => {
    const { config } = await loadButler(
      'mqttConfig: {enable: true}\nheartbeat: {enable: true, remoteURL: "http://h/"}\nwebhookNotification: {enable: true, reloadTaskFailure: {webhooks: [{webhookURL: "http://a/"}, {description: b}]}}',
    )
    expect(config).toMatchObject({ mqttConfig: { enable: false }, heartbeat: { enable: true } })
    expect(config?.webhookNotification.reloadTaskFailure.webhooks.map(({ webhookURL }) => webhookURL)).toEqual([
      'http://a/',
    ])
  })

  test('Qlik Cloud', async () => {
    const lines = await linesOf('qlikSenseCloud: {enable: true}')
    expect(lines.map((line) => line.split(' ')[2])).toEqual([
      'Butler.qlikSenseCloud.event.mqtt.tenant.id:',
      'Butler.qlikSenseCloud.event.mqtt.tenant.tenantUrl:',
      'Butler.qlikSenseCloud.event.mqtt.tenant.auth.jwt.token:',
      'Butler.mqttConfig.qlikSenseCloud.event.mqttForward.enable:',
    ])
  })

  test('the connection to Qlik Sense, unless there is none', async () => {
    const text = 'configQRS: {port: 4242}\ncert: {clientCert: c}'
    const result = await loadButler(text, { overrides: { qlikConnection: true } })
    expect(result.problems.map(({ path, feature }) => [path, feature])).toEqual([
      ['Butler.configQRS.host', 'Butler.configQRS'],
      ['Butler.cert.clientCertKey', 'Butler.configQRS'],
      ['Butler.cert.clientCertCA', 'Butler.configQRS'],
    ])
    expect(result).toMatchObject({ qlikConnection: false, config: { configQRS: { port: 4242 } } })
    expect(await loadButler(text)).toMatchObject({ qlikConnection: false, problems: [] })
    const complete = 'configQRS: {host: qs}\ncert: {clientCert: a, clientCertKey: b, clientCertCA: c}'
    expect(await loadButler(complete, { overrides: { qlikConnection: true } })).toMatchObject({
      qlikConnection: true,
      problems: [],
    })
    const plain = 'configQRS: {host: qs, useSSL: false}'
    expect(await loadButler(plain, { overrides: { qlikConnection: true } })).toMatchObject({
      qlikConnection: true,
      problems: [],
    })
  })

  test('New Relic accounts must exist', async () => {
    const text =
      'thirdPartyToolsCredentials: {newRelic: [{accountName: a}]}\nincidentTool: {newRelic: {enable: true, destinationAccount: {event: [a, b]}}}'
    expect(await linesOf(text)).toEqual([
      '3:75 error Butler.incidentTool.newRelic.destinationAccount.event[1]: no New Relic account is called "b". Hint: add an account of that name to Butler.thirdPartyToolsCredentials.newRelic',
    ])
  })
})

describe('settings that do not fit each other', () => {
  test.each([
    [
      'restServerConfig: {enable: true, serverHost: h, serverPort: 3100}\nconfigVisualisation: {enable: true}',
      [
        '3:3 error Butler.configVisualisation.port: port 3100 is already used by Butler.restServerConfig.serverPort. Hint: give each listener its own port',
      ],
    ],
    ['restServerConfig: {enable: true, serverHost: h, serverPort: 3100}\nconfigVisualisation: {enable: false}', []],
    [
      'mqttConfig: {enable: true, brokerHost: b, subscriptionRootTopic: butler/#}',
      [
        '2:3 warning Butler.mqttConfig.taskStartTopic: "qliksense/start_task" is outside of subscriptionRootTopic "butler/#", so no start request arrives. Hint: widen subscriptionRootTopic',
      ],
    ],
    ['mqttConfig: {enable: true, brokerHost: b, subscriptionRootTopic: +/start_task}', []],
    [
      'mqttConfig: {enable: true, brokerHost: b, subscriptionRootTopic: butler/#}\nfootman: {mqtt: {sharedGroup: g}}',
      [],
    ],
    [
      'heartbeat: {enable: true, remoteURL: "http://h/", frequency: every banana}',
      [
        '2:53 error CONFIG: "every banana" is not a valid frequency for Butler.heartbeat.frequency. Hint: The text is not understood from "banana" on. Write for example "every 5 minutes", "at 10:15 am", a cron expression or a duration like PT90S.',
      ],
    ],
    [
      'heartbeat: {enable: false, frequency: banana}',
      [
        '2:30 warning CONFIG: "banana" is not a valid frequency for Butler.heartbeat.frequency. Hint: The text is not understood. Write for example "every 5 minutes", "at 10:15 am", a cron expression or a duration like PT90S.',
      ],
    ],
    [
      'heartbeat: {enable: true, remoteURL: "http://h/", frequency: every 90 seconds}',
      [
        '2:53 warning Butler.heartbeat.frequency: "every 90 seconds" really fires every full minute; write PT90S for a true interval',
      ],
    ],
    [
      'udpServerConfig: {enable: true, enableSourceValidation: true}',
      [
        '2:3 error Butler.udpServerConfig.allowedSources: is empty, but enableSourceValidation is true: every message would be refused. Hint: list the addresses of the Qlik Sense nodes, or set enableSourceValidation: false',
      ],
    ],
    [
      'configVisualisation: {enable: true, host: 0.0.0.0, obfuscate: false}',
      [
        '2:54 error Butler.configVisualisation.obfuscate: is false, but the page listens on 0.0.0.0: it would show secrets to everybody. Hint: set obfuscate: true or host: localhost',
      ],
    ],
    [
      'fileDeleteApprovedDirectories: ["C:\\\\"]',
      [
        '2:35 error Butler.fileDeleteApprovedDirectories[0]: "C:\\" is a whole drive. Hint: name a folder, or set Butler.footman.files.allowRootApproval: true',
      ],
    ],
    ['fileDeleteApprovedDirectories: [/]\nfootman: {files: {allowRootApproval: true}}', []],
    [
      'emailNotification: {enable: true, smtp: {host: m, tls: {requireTLS: false}}, reloadTaskFailure: {enable: true, recipients: [a@b.c, Joe <j@b.c>, nobody]}}',
      ['2:147 warning Butler.emailNotification.reloadTaskFailure.recipients[2]: "nobody" is not a mail address'],
    ],
    [
      'startTaskFilter: {enable: true, allowTask: {taskId: [E3B27F50-b1c0-4879-88fc-c7cdd9c1cf3e, abc]}}',
      ['2:94 warning Butler.startTaskFilter.allowTask.taskId[1]: "abc" is not a task ID'],
    ],
    [
      'keyValueStore: {enable: false}\nrestServerConfig: {enable: true, serverHost: h}\nrestServerEndpointsEnable: {keyValueStore: true}',
      [
        '2:19 warning Butler.keyValueStore.enable: is false, but the store works: restServerEndpointsEnable.keyValueStore is true',
      ],
    ],
    [
      'incidentTool: {signl4: {enable: true, url: "https://s/", reloadTaskFailure: {enable: true, includeApp: {includeAll: false, appId: [x]}}}}',
      [
        "2:94 warning CONFIG: 'Butler.incidentTool.signl4.reloadTaskFailure.includeApp' is now honoured; Butler 16 ignored it",
      ],
    ],
  ])('%s', async (text, lines) => {
    expect(await linesOf(text)).toEqual(lines)
  })

  test('a header list without X-Qlik-User', async () => {
    const text = 'configQRS: {host: qs, useSSL: false, headers: {static: [{name: A, value: b}]}}'
    const lines = await linesOf(text, { qlikConnection: true })
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('warning Butler.configQRS.headers.static: has no X-Qlik-User')
  })

  test('a REST server that only listens here says how to open it', async () => {
    const { problems } = await loadButler('restServerConfig: {enable: true}')
    expect(problems.map(({ message }) => message)).toEqual([
      "CONFIG: the REST API only listens on localhost; set 'Butler.restServerConfig.serverHost: 0.0.0.0' to open it",
    ])
  })
})

describe('inside Butler.footman', () => {
  test.each([
    ['access: {enable: true}', 'Butler.footman.access.enable: is true, but nobody could get in'],
    ['access: {keys: [{id: a, hash: "sha256:0", scopes: []}]}', 'hash: must be sha256: and 64 lower-case hex digits'],
    [
      'access: {keys: [{id: a, hash: "sha256:6307a06331fc2ed1a4d42b32c248f14b889d9bcfe93f4248bea1a1600bf9c85f", scopes: []}]}',
      'hash: is the published example',
    ],
    [
      `access: {keys: [{id: a, hash: "sha256:${'0'.repeat(64)}", scopes: [task:start]}]}`,
      'scopes[0]: must be a scope like task:run, kv:* or admin, found "task:start"',
    ],
    [
      `access: {keys: [{id: a, hash: "sha256:${'0'.repeat(64)}", scopes: []}, {id: a, hash: "sha256:${'1'.repeat(64)}", scopes: []}]}`,
      'keys[1].id: is used twice',
    ],
    ['access: {jwt: {issuer: i, audience: a}}', 'access.jwt: needs exactly one of secret, publicKeyFile and jwksUrl'],
    ['access: {jwt: {issuer: i, audience: a, secret: short}}', 'access.jwt.secret: must have at least 32 bytes'],
    ['access: {jwt: {issuer: i, audience: a, jwksUrl: "http://x/"}}', 'access.jwt.jwksUrl: must start with https://'],
    [
      'access: {clientCertificates: {caFile: c}}',
      'access.clientCertificates: needs Butler.restServerConfig.tls.enable: true',
    ],
    [
      'access: {allowFrom: [10.0.0.0/40]}',
      'allowFrom[0]: must be an IP address or a network like 10.0.0.0/8, found "10.0.0.0/40"',
    ],
    [
      'api: {cors: {origins: ["https://x/path"]}}',
      'origins[0]: must be an origin like https://qs.acme.example, or "*", found "https://x/path"',
    ],
    ['alertRoutes: [{name: a, to: [nowhere]}]', 'alertRoutes[0].to[0]: no destination is called "nowhere"'],
    ['alertRoutes: [{name: a, to: []}]', 'alertRoutes[0].to: must have at least 1 item'],
    [
      'alertRoutes: [{name: A b, to: [x]}]',
      'alertRoutes[0].name: must be a name of lower-case letters, digits and hyphens (at most 63), found "A b"',
    ],
    ['destinations: {X: {type: email, appOwner: true}}', 'destinations.X: must be a name of lower-case letters'],
    [
      'destinations: {x: {type: email}}',
      'destinations.x: reaches nobody: set recipients, appOwner or recipientProperty',
    ],
    [
      'destinations: {ops-mail: {type: email, appOwner: true}}\n  selfAlerts: {to: [ops-mial]}',
      'selfAlerts.to[0]: no destination is called "ops-mial". Hint: did you mean ops-mail?',
    ],
    ['maintenance: [{name: a, during: nights}]', 'maintenance[0].during: no window is called "nights"'],
    ['windows: {w: {from: "25:00"}}', 'windows.w.from: must be a time like "07:00" in quotes, found "25:00"'],
    [
      'windows: {w: {days: mon-funday}}',
      'windows.w.days: must be a day like mon or a range like mon-fri, found "mon-funday"',
    ],
    ['windows: {w: {start: 2026-03-01T00:00:00Z, end: 2026-02-01T00:00:00Z}}', 'windows.w.end: must be after start'],
    [
      'windows: {w: {start: 2026-03-01T00:00:00Z, end: 2026-04-01T00:00:00Z, days: mon}}',
      'windows.w: start and end cannot be combined with days',
    ],
    ['windows: {w: {on: [holidays]}}', 'windows.w.on: no calendar is called "holidays"'],
    [
      'calendars: {c: {dates: [2026-02-30]}}',
      'calendars.c.dates[0]: must be a date like 2026-03-31, found "2026-02-30"',
    ],
    ['calendars: {c: {except: [d]}}', 'calendars.c.except: no calendar is called "d"'],
    [
      'alertRoutes: [{name: a, to: [x], match: {outcome: broken}}]',
      'match.outcome: must be *, failed, aborted, success, late',
    ],
    [
      'alertRoutes: [{name: a, to: [x], match: {message: "/(/"}}]',
      'match.message: must be a regular expression that can be compiled, found /(/',
    ],
    [
      'alertRoutes: [{name: a, to: [x], match: {duration: ">5"}}]',
      'match.duration: must be a comparison with one of = >= > <= <, like ">30m", found ">5"',
    ],
    [
      'alertRoutes: [{name: a, to: [x], limit: 3 per hour}]',
      'limit: must be none or <number>/<duration> like 1/5m, found "3 per hour"',
    ],
    [
      'startFilter: {appliesTo: [rest, telepathy]}',
      'appliesTo[1]: must be rest, mqtt, followUp, cli, console, schedule or retry, found "telepathy"',
    ],
    [
      'email: {testMode: {enable: true}}\n\nemailNotification: {enable: true, smtp: {host: m, tls: {requireTLS: false}}}',
      'testMode.address: must be a mail address',
    ],
    ['mqtt: {sharedGroup: a/b}', 'mqtt.sharedGroup: must not contain / + #'],
    ['reportTask: {qlikEventPollSeconds: 5}', 'qlikEventPollSeconds: must be 0 or between 10 and 3600'],
  ])('%s', async (text, expected) => {
    const [inside = '', outside = ''] = text.split('\n\n')
    const lines = await linesOf(`footman:\n  ${inside}\n${outside}`)
    expect(lines.filter((line) => line.includes(' error ')).join('\n')).toContain(expected)
  })

  test('matches and windows become what the program works with', async () => {
    const { config, problems } = await loadButler(`
footman:
  windows: {office: {days: [mon-thu, fri], from: "07:00", to: "18:00"}}
  destinations: {m: {type: email, appOwner: true}, t: {type: mqtt, topic: a/b}}
  alertRoutes:
    - name: r
      match: {type: Reload, outcome: "*", task: Sales*, taskTag: {all: [a, b]}, taskProperty: {dep: [x, y]}, consecutiveFailures: ">=3", duration: ">30m", during: office}
      except: [{user: a}, {user: b}]
      to: [m, {destination: t, retain: true}]
      limit: 3/1h
    - {name: s, to: [m], limit: none}`)
    expect(problems).toEqual([])
    expect(config?.footman.alertRoutes).toMatchObject([
      {
        match: [
          {
            type: ['reload'],
            task: ['Sales*'],
            taskTag: { all: ['a', 'b'] },
            taskProperty: { dep: ['x', 'y'] },
            consecutiveFailures: { operator: '>=', value: 3 },
            duration: { operator: '>', value: 1_800_000 },
            during: ['office'],
          },
        ],
        except: [{ user: ['a'] }, { user: ['b'] }],
        to: [{ destination: 'm' }, { destination: 't', retain: true }],
        limit: { count: 3, windowMs: 3_600_000 },
        recovery: 'auto',
        fallbackAfter: 300_000,
      },
      { limit: null },
    ])
    expect(config?.footman.alertRoutes[0]?.match?.[0]?.outcome).toContain('neverStarted')
    expect(config?.footman.windows.office).toEqual({ days: ['mon-thu', 'fri'], from: '07:00', to: '18:00' })
  })
})
