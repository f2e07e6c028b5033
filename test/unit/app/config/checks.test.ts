import { describe, expect, test } from 'bun:test'
import { linesOf, loadButler } from '../../../support/config.ts'

describe('what an enabled feature needs', () => {
  const off = (feature: string) => `; Butler.${feature} stays off. Hint: set it, or switch Butler.${feature} off`
  test.each([
    ['influxDb: {enable: true}', [`2:3 error Butler.influxDb.hostIP: is missing${off('influxDb')}`]],
    [
      'influxDb: {enable: true, hostIP: i, version: 2, v2Config: {org: o}}',
      [
        `2:51 error Butler.influxDb.v2Config.bucket: is missing${off('influxDb')}`,
        `2:51 error Butler.influxDb.v2Config.token: is missing${off('influxDb')}`,
      ],
    ],
    [
      'influxDb: {enable: true, hostIP: i, version: 3}',
      [
        `2:3 error Butler.influxDb.v3Config.database: is missing${off('influxDb')}`,
        `2:3 error Butler.influxDb.v3Config.token: is missing${off('influxDb')}`,
      ],
    ],
    [
      'emailNotification: {enable: true, smtp: {port: 25}}',
      [`2:37 error Butler.emailNotification.smtp.host: is missing${off('emailNotification')}`],
    ],
    [
      'emailNotification: {enable: true, smtp: {host: m}, preloadTaskFailure: {enable: true, alertEnabledByEmailAddress: {customPropertyName: ""}}}',
      [
        `2:54 error Butler.emailNotification.preloadTaskFailure.recipients: needs at least one way to a recipient${off('emailNotification.preloadTaskFailure')}`,
      ],
    ],
    [
      'slackNotification: {enable: true, reloadTaskFailure: {enable: true}}',
      [
        `2:37 error Butler.slackNotification.reloadTaskFailure.webhookURL: is missing${off('slackNotification.reloadTaskFailure')}`,
      ],
    ],
    [
      'teamsNotification: {enable: true, reloadTaskAborted: {enable: true}}',
      [
        `2:37 error Butler.teamsNotification.reloadTaskAborted.webhookURL: is missing${off('teamsNotification.reloadTaskAborted')}`,
      ],
    ],
    [
      'webhookNotification: {enable: true, reloadTaskFailure: {webhooks: [{webhookURL: "http://a/"}, {description: b}]}}',
      [
        '2:97 error Butler.webhookNotification.reloadTaskFailure.webhooks[1].webhookURL: is missing; Butler.webhookNotification.reloadTaskFailure.webhooks[1] stays off. Hint: set it, or remove the webhook',
      ],
    ],
    ['mqttConfig: {enable: true}', [`2:3 error Butler.mqttConfig.brokerHost: is missing${off('mqttConfig')}`]],
    [
      'mqttConfig: {enable: true, brokerHost: b, azureEventGrid: {enable: true, clientId: c, clientKeyFile: k}}',
      [`2:45 error Butler.mqttConfig.azureEventGrid.clientCertFile: is missing${off('mqttConfig')}`],
    ],
    [
      'restServerConfig: {enable: true, serverHost: h, tls: {enable: true, cert: c}}',
      [`2:51 error Butler.restServerConfig.tls.key: is missing${off('restServerConfig')}`],
    ],
    ['heartbeat: {enable: true}', [`2:3 error Butler.heartbeat.remoteURL: is missing${off('heartbeat')}`]],
    [
      'serviceMonitor: {enable: true, monitor: [{host: h}]}',
      [`2:34 error Butler.serviceMonitor.monitor: needs at least one host with one service${off('serviceMonitor')}`],
    ],
    [
      'incidentTool: {signl4: {enable: true}}',
      [`2:18 error Butler.incidentTool.signl4.url: is missing${off('incidentTool.signl4')}`],
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
      'Butler.mqttConfig.enable:',
    ])
  })

  test('links to Qlik Cloud: a warning for each address that is missing, as those of the servers do not count', async () => {
    const tenant = 'id: t, tenantUrl: "https://t.example", auth: {jwt: {token: x}}'
    const cloud = (urls: string) => [
      'qlikSenseUrls: {qmc: "https://qs/qmc", hub: "https://qs/hub"}',
      'mqttConfig: {enable: true, brokerHost: b, qlikSenseCloud: {event: {mqttForward: {enable: true}}}}',
      `qlikSenseCloud: {enable: true, event: {mqtt: {tenant: {${tenant}, qlikSenseUrls: {${urls}}}}}}`,
    ]
    const lines = await linesOf(cloud('hub: "https://t.example/analytics/home"').join('\n'))
    expect(lines.join('\n')).toMatch(
      /warning Butler\.qlikSenseCloud\.event\.mqtt\.tenant\.qlikSenseUrls\.qmc: is missing: .*no such link\. Hint: .*\/console/,
    )
    expect(lines).toHaveLength(1)
    expect(await linesOf(cloud('qmc: "https://t.example/console", hub: "https://t.example"').join('\n'))).toEqual([])
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
    const headers = 'headers: {static: [{name: X-Qlik-User, value: UserDirectory=Internal;UserId=sa_repository}]}'
    const complete = `configQRS: {host: qs, ${headers}}\ncert: {clientCert: a, clientCertKey: b, clientCertCA: c}`
    expect(await loadButler(complete, { overrides: { qlikConnection: true } })).toMatchObject({
      qlikConnection: true,
      problems: [],
    })
    const plain = `configQRS: {host: qs, useSSL: false, ${headers}}`
    expect(await loadButler(plain, { overrides: { qlikConnection: true } })).toMatchObject({
      qlikConnection: true,
      problems: [],
    })
  })

  test('New Relic accounts must exist', async () => {
    const text =
      'thirdPartyToolsCredentials: {newRelic: [{accountName: a}]}\nincidentTool: {newRelic: {enable: true, destinationAccount: {event: [a, b]}}}'
    expect(await linesOf(text)).toEqual([
      '3:75 error Butler.incidentTool.newRelic.destinationAccount.event[1]: no New Relic account is called "b"; it stays off. Hint: add an account of that name to Butler.thirdPartyToolsCredentials.newRelic',
    ])
  })
})

describe('settings that do not fit each other', () => {
  test.each([
    [
      'restServerConfig: {enable: true, serverHost: h, serverPort: 3100}\nconfigVisualisation: {enable: true}',
      [
        '3:3 error Butler.configVisualisation.port: port 3100 is already used by Butler.restServerConfig.serverPort; Footman does not start. Hint: give each listener its own port',
      ],
    ],
    ['restServerConfig: {enable: true, serverHost: h, serverPort: 3100}\nconfigVisualisation: {enable: false}', []],
    [
      'mqttConfig: {enable: true, brokerHost: b, subscriptionRootTopic: butler/#}',
      [
        '2:3 warning Butler.mqttConfig.taskStartTopic: "qliksense/start_task" is outside of subscriptionRootTopic "butler/#", so Butler got no start requests; Footman subscribes to it besides. Hint: widen subscriptionRootTopic, or set taskStartTopic: \'\' when nothing is to be started',
      ],
    ],
    ['mqttConfig: {enable: true, brokerHost: b, subscriptionRootTopic: +/start_task}', []],
    [
      'mqttConfig: {enable: true, brokerHost: b, taskStartTopic: qliksense/+, taskFailureTopic: qliksense/failed, taskAbortedTopic: qliksense/a/b, taskAbortedFullTopic: qliksense/a/c, taskFailureFullTopic: q, qlikSenseServerLicenseTopic: q, qlikSenseServerLicenseExpireTopic: q, serviceRunningTopic: q, serviceStoppedTopic: q, serviceStatusTopic: q}',
      [
        '2:74 warning Butler.mqttConfig.taskFailureTopic: "qliksense/failed" lies within taskStartTopic "qliksense/+", so alerts are not sent to it: they would start tasks. Hint: give it a topic of its own',
      ],
    ],
    [
      'mqttConfig: {enable: true, brokerHost: b, subscriptionRootTopic: butler/#}\nfootman: {mqtt: {sharedGroup: g}}',
      [],
    ],
    [
      'heartbeat: {enable: true, remoteURL: "http://h/", frequency: every banana}',
      [
        '2:53 error CONFIG: "every banana" is not a valid frequency for Butler.heartbeat.frequency; Butler.heartbeat stays off. Hint: The text is not understood from "banana" on. Write for example "every 5 minutes", "at 10:15 am", a cron expression or a duration like PT90S.',
      ],
    ],
    [
      'heartbeat: {enable: false, frequency: banana}\nfootman: {compatibility: strict}',
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
      'qlikSenseLicense: {licenseRelease: {enable: true, licenseType: {analyzer: {releaseThresholdDays: 0}}}}',
      [
        '2:78 error Butler.qlikSenseLicense.licenseRelease.licenseType.analyzer.releaseThresholdDays: is 0: licences that are in use would be released; Butler.qlikSenseLicense.licenseRelease.licenseType.analyzer stays off. Hint: write at least 1, usually 30; or set enable: false',
      ],
    ],
    [
      'qlikSenseLicense: {licenseRelease: {enable: true, licenseType: {analyzer: {enable: false, releaseThresholdDays: 0}}}}',
      [],
    ],
    [
      'udpServerConfig: {enable: true, enableSourceValidation: true}\nfootman: {compatibility: strict}',
      [
        '2:3 error Butler.udpServerConfig.allowedSources: is empty, but enableSourceValidation is true: every message would be refused; Butler.udpServerConfig stays off. Hint: list the addresses of the Qlik Sense nodes, or set enableSourceValidation: false',
      ],
    ],
    [
      'udpServerConfig: {enable: true, enableSourceValidation: true, allowedSources: ["10.1.2.4/99", "10.1.2.0/24", "::1", qs1]}',
      [
        '2:82 warning Butler.udpServerConfig.allowedSources[0]: "10.1.2.4/99" is none, so no sender matches it. Hint: write an address like 10.1.2.4, a network like 10.1.2.0/24 or a host name',
      ],
    ],
    [
      'udpServerConfig: {enable: true, enableSourceValidation: true, allowedSources: ["<address>"]}',
      [
        '2:82 warning Butler.udpServerConfig.allowedSources[0]: "<address>" is none, so no sender matches it. Hint: write an address like 10.1.2.4, a network like 10.1.2.0/24 or a host name',
        '2:65 error Butler.udpServerConfig.allowedSources: names no sender, but enableSourceValidation is true: every message would be refused; Butler.udpServerConfig stays off. Hint: list the addresses of the Qlik Sense nodes, or set enableSourceValidation: false',
      ],
    ],
    [
      'configVisualisation: {enable: true, host: 0.0.0.0, obfuscate: false}',
      [
        '2:54 error Butler.configVisualisation.obfuscate: is false, but the page listens on 0.0.0.0: it would show secrets to everybody; Butler.configVisualisation stays off. Hint: set obfuscate: true or host: localhost',
      ],
    ],
    [
      'fileDeleteApprovedDirectories: ["C:\\\\"]',
      [
        '2:35 error Butler.fileDeleteApprovedDirectories[0]: "C:\\" is a whole drive and approves nothing; it stays off. Hint: name a folder, or set Butler.footman.files.allowRootApproval: true',
      ],
    ],
    ['fileDeleteApprovedDirectories: [/]\nfootman: {files: {allowRootApproval: true}}', []],
    [
      'footman: {files: {createDirApprovedDirectories: [/data, /]}}',
      [
        '2:59 error Butler.footman.files.createDirApprovedDirectories[1]: "/" is a whole drive and approves nothing; it stays off. Hint: name a folder, or set Butler.footman.files.allowRootApproval: true',
      ],
    ],
    [
      'emailNotification: {enable: true, smtp: {host: m, tls: {requireTLS: false}}, reloadTaskFailure: {enable: true, recipients: [a@b.c, Joe <j@b.c>, nobody]}}',
      [
        '2:147 warning Butler.emailNotification.reloadTaskFailure.recipients[2]: "nobody" is not a mail address. Hint: write it like ops@example.com',
      ],
    ],
    [
      'emailNotification: {enable: true, smtp: {host: m, port: 587, secure: true, tls: {requireTLS: false}}}',
      [
        '2:64 warning Butler.emailNotification.smtp.secure: is true, but servers begin without TLS on port 587 and change to it by STARTTLS. Hint: set it to false, or port to 465',
      ],
    ],
    [
      'emailNotification: {enable: true, smtp: {host: m, port: 465, secure: false, tls: {requireTLS: false}}}',
      [
        '2:64 warning Butler.emailNotification.smtp.secure: is false, but servers expect TLS from the first byte on port 465. Hint: set it to true, or port to 587',
      ],
    ],
    [
      'startTaskFilter: {enable: true}',
      [
        '2:3 warning Butler.startTaskFilter.allowTask: is empty, so no task at all may be started. Hint: name tasks in taskId, tag or customProperty, or set Butler.startTaskFilter.enable to false',
      ],
    ],
    [
      'restServerConfig: {enable: true, serverHost: h}\nrestServerEndpointsEnable: {fileDelete: true}\nfileDeleteApprovedDirectories: [data/qvd, "/data/qvd", "E:\\\\data", "\\\\\\\\fs01\\\\qvd", E:data]',
      [
        '4:35 warning Butler.fileDeleteApprovedDirectories[0]: "data/qvd" is a relative path: which folder it means depends on where Footman was started. Hint: write the whole path, from the drive or / on',
        '4:87 warning Butler.fileDeleteApprovedDirectories[4]: "E:data" is a relative path: which folder it means depends on where Footman was started. Hint: write the whole path, from the drive or / on',
      ],
    ],
    [
      'scheduler: {enable: true, configfile: "D:\\new\\temp.yaml"}',
      [
        '2:29 warning Butler.scheduler.configfile: "D:\\new\\temp.yaml" is not the path that it seems: in double quotes \\n and \\t mean a tab, line end or the like. Hint: take single quotes, write every backslash twice, or write /',
      ],
    ],
    [
      'scheduler: {enable: true, configfile: "D:\\Logs\\Projects\\New.yaml"}',
      [
        '2:29 warning Butler.scheduler.configfile: "D:\\Logs\\Projects\\New.yaml" is not the path that it seems: in double quotes \\L and \\P and \\N mean a tab, line end or the like. Hint: take single quotes, write every backslash twice, or write /',
      ],
    ],
    [
      'scheduler: {enable: true, configfile: "\\\\fs01\\backup"}',
      [
        '2:29 warning Butler.scheduler.configfile: "\\\\fs01\\backup" is not the path that it seems: in double quotes \\b means a tab, line end or the like. Hint: take single quotes, write every backslash twice, or write /',
      ],
    ],
    ['logLevel: INFO', ['2:13 warning Butler.logLevel: "INFO" is read as "info". Hint: write info']],
    [
      'startTaskFilter: {enable: true, allowTask: {taskId: [E3B27F50-b1c0-4879-88fc-c7cdd9c1cf3e, abc]}}',
      ['2:94 warning Butler.startTaskFilter.allowTask.taskId[1]: "abc" is not a task ID'],
    ],
    [
      'keyValueStore: {enable: false}\nrestServerConfig: {enable: true, serverHost: h}\nrestServerEndpointsEnable: {keyValueStore: true}',
      [
        '2:19 warning KEYVALUE: Butler.keyValueStore.enable is false but the REST endpoints are enabled; the store is active',
      ],
    ],
    [
      'incidentTool: {signl4: {enable: true, url: "https://s/", reloadTaskFailure: {enable: true, includeApp: {includeAll: false, appId: [x]}}}}',
      [
        "2:94 warning CONFIG: 'Butler.incidentTool.signl4.reloadTaskFailure.includeApp' is now honoured; Butler 16 ignored it: SIGNL4 hears of the 1 app in the list only, no longer of all",
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

  const HEADER = 'X-Qlik-User, value: UserDirectory=Internal;UserId=sa_repository'
  test.each([
    ['no headers', '', 'sets no X-Qlik-User, so Qlik Sense is asked as INTERNAL\\sa_repository'],
    ['an empty list', 'headers: {static: []}', 'sets no X-Qlik-User'],
    ['a list without a value', 'headers: {static: }', 'sets no X-Qlik-User'],
    ['an empty value', 'headers: {static: [{name: X-Qlik-User, value: ""}]}', 'has no X-Qlik-User'],
    ['a pair of another name', 'headerKey: A, headerValue: b', 'has no X-Qlik-User'],
    ['a pair without its value', 'headerKey: X-Qlik-User', 'sets no X-Qlik-User'],
    ['a mapping of another name', 'headers: {A: b}', 'has no X-Qlik-User'],
    ['the list', `headers: {static: [{name: ${HEADER}}]}`, null],
    ['the pair', 'headerKey: x-qlik-user, headerValue: "UserDirectory=A; UserId=b"', null],
    ['the mapping', 'headers: {X-Qlik-User: "UserDirectory=A; UserId=b"}', null],
  ])('the user of the repository in configQRS: %s', async (_what, text, wanted) => {
    const lines = await linesOf(`configQRS: {host: qs, useSSL: false${text && `, ${text}`}}`, { qlikConnection: true })
    const found = lines.filter((line) => line.includes('warning Butler.configQRS.headers'))
    expect(found).toEqual(wanted === null ? [] : [expect.stringContaining(wanted)])
    for (const line of found) expect(line).toContain(`add {name: ${HEADER}}`)
  })

  test('a REST server that only listens here says how to open it', async () => {
    const { problems } = await loadButler('restServerConfig: {enable: true}')
    expect(problems.map(({ message }) => message)).toEqual([
      "CONFIG: the REST API only listens on localhost; set 'Butler.restServerConfig.serverHost: 0.0.0.0' to open it",
    ])
  })
})
