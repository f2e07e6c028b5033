/** Older layouts, what they mean and what is said about them. */
import { NEW_RELIC_CASES } from './legacy-new-relic.ts'
import { type LegacyCase, readAs, slip } from './legacy-notes.ts'

export const LEGACY_CASES: readonly LegacyCase[] = [
  ...NEW_RELIC_CASES,
  {
    name: 'the flat InfluxDB settings are only mentioned',
    text: 'influxDb: {hostIP: i1, dbName: b2, auth: {enable: true, username: u, password: p}}',
    expected: { influxDb: { version: 1, v1Config: { dbName: 'b2', auth: { enable: true, username: 'u' } } } },
    notes: ['info CONFIG: using the flat InfluxDB v1 settings'],
  },
  {
    name: 'instanceTag',
    text: 'influxDb: {instanceTag: DEV, tag: {static: [{name: a, value: b}]}}',
    expected: {
      influxDb: {
        tag: {
          static: [
            { name: 'a', value: 'b' },
            { name: 'butler_instance', value: 'DEV' },
          ],
        },
      },
    },
    notes: [readAs('influxDb.instanceTag', '9.0–12.4', 'influxDb.tag.static')],
  },
  {
    name: 'instanceTag beside a tag of that name',
    text: 'influxDb: {instanceTag: DEV, tag: {static: [{name: butler_instance, value: b}]}}',
    expected: { influxDb: { tag: { static: [{ name: 'butler_instance', value: 'b' }] } } },
    notes: [readAs('influxDb.instanceTag', '9.0–12.4', 'influxDb.tag.static')],
  },
  {
    name: 'InfluxDB below the uptime monitor',
    text: 'uptimeMonitor:\n  storeInInfluxdb:\n    enable: true\n    hostIP: i1\n    hostPort: 8087\n    dbName: d\n    instanceTag: X',
    expected: {
      influxDb: {
        enable: true,
        hostIP: 'i1',
        hostPort: 8087,
        version: 1,
        v1Config: { dbName: 'd' },
        tag: { static: [{ name: 'butler_instance', value: 'X' }] },
      },
      uptimeMonitor: { storeInInfluxdb: { enable: true } },
    },
    notes: [
      readAs('uptimeMonitor.storeInInfluxdb.hostIP', '4.0–8.6', 'influxDb.hostIP'),
      readAs('uptimeMonitor.storeInInfluxdb.hostPort', '4.0–8.6', 'influxDb.hostPort'),
      readAs('uptimeMonitor.storeInInfluxdb.dbName', '4.0–8.6', 'influxDb.dbName'),
      'info CONFIG: using the flat InfluxDB v1 settings',
      readAs('uptimeMonitor.storeInInfluxdb.instanceTag', '4.0–8.6', 'influxDb.instanceTag'),
      readAs('influxDb.instanceTag', '9.0–12.4', 'influxDb.tag.static'),
    ],
  },
  {
    name: 'a misspelt endpoint',
    text: 'restServerEndpointsEnable: {apiListEnbledEndpoints: true}',
    expected: { restServerEndpointsEnable: { apiListEnabledEndpoints: true } },
    notes: [
      readAs(
        'restServerEndpointsEnable.apiListEnbledEndpoints',
        '4.0–13.1',
        'restServerEndpointsEnable.apiListEnabledEndpoints',
      ),
    ],
  },
  {
    name: 'headers as a mapping',
    text: 'configEngine: {headers: {X-Qlik-User: "UserDirectory=A; UserId=b"}}',
    expected: { configEngine: { headers: { static: [{ name: 'X-Qlik-User', value: 'UserDirectory=A; UserId=b' }] } } },
    notes: [readAs('configEngine.headers.X-Qlik-User', '2.0–12.4', 'configEngine.headers.static')],
  },
  {
    name: 'headerKey and headerValue',
    text: 'configQRS: {headerKey: X-Qlik-User, headerValue: "UserDirectory=A; UserId=b"}',
    expected: { configQRS: { headers: { static: [{ name: 'X-Qlik-User', value: 'UserDirectory=A; UserId=b' }] } } },
    notes: [readAs('configQRS.headerKey', '2.0–12.4', 'configQRS.headers.static')],
  },
  {
    name: 'fromAdress',
    text: 'emailNotification: {reloadTaskFailure: {fromAdress: a@b.c}, serviceStopped: {fromAdress: d@e.f}}',
    expected: {
      emailNotification: { reloadTaskFailure: { fromAddress: 'a@b.c' }, serviceStopped: { fromAddress: 'd@e.f' } },
    },
    notes: [
      readAs(
        'emailNotification.reloadTaskFailure.fromAdress',
        '5.0–12.4',
        'emailNotification.reloadTaskFailure.fromAddress',
      ),
      readAs('emailNotification.serviceStopped.fromAdress', '5.0–12.4', 'emailNotification.serviceStopped.fromAddress'),
    ],
  },
  {
    name: 'script logs before Qlik Cloud',
    text: 'scriptLog: {storeOnDisk: {reloadTaskFailure: {enable: true, logDirectory: /l}}}',
    expected: {
      scriptLog: { storeOnDisk: { clientManaged: { reloadTaskFailure: { enable: true, logDirectory: '/l' } } } },
    },
    notes: [
      readAs(
        'scriptLog.storeOnDisk.reloadTaskFailure',
        '7.2–12.4',
        'scriptLog.storeOnDisk.clientManaged.reloadTaskFailure',
      ),
    ],
  },
  {
    name: 'neverReleaseUsers means real releases',
    text: 'qlikSenseLicense: {licenseRelease: {neverReleaseUsers: [{userDir: A, userId: b}]}}',
    expected: {
      qlikSenseLicense: { licenseRelease: { dryRun: false, neverRelease: { user: [{ userDir: 'A', userId: 'b' }] } } },
    },
    notes: [
      readAs(
        'qlikSenseLicense.licenseRelease.neverReleaseUsers',
        '11.1–12.1',
        'qlikSenseLicense.licenseRelease.neverRelease.user',
      ),
      "warning CONFIG DEPRECATED: 'Butler.qlikSenseLicense.licenseRelease.dryRun' is missing and the section is of a Butler that knew no dry run: licences are really released.",
    ],
  },
  {
    name: 'neverReleaseUsers with dryRun',
    text: 'qlikSenseLicense: {licenseRelease: {dryRun: true, neverReleaseUsers: []}}',
    expected: { qlikSenseLicense: { licenseRelease: { dryRun: true } } },
    notes: [
      readAs(
        'qlikSenseLicense.licenseRelease.neverReleaseUsers',
        '11.1–12.1',
        'qlikSenseLicense.licenseRelease.neverRelease.user',
      ),
    ],
  },
  {
    name: 'a refused Slack endpoint',
    text: 'slackNotification: {restMessage: {enable: false}}\nrestServerEndpointsEnable: {slackPostMessage: true}',
    expected: { restServerEndpointsEnable: { slackPostMessage: false } },
    notes: [readAs('slackNotification.restMessage.enable', '5.0–7.3', 'restServerEndpointsEnable.slackPostMessage')],
  },
  {
    name: 'cert.rejectUnauthorized',
    text: 'cert: {rejectUnauthorized: true}',
    expected: { configQRS: { rejectUnauthorized: true }, configEngine: { rejectUnauthorized: true } },
    notes: [readAs('cert.rejectUnauthorized', '6.0–6.1', 'configQRS.rejectUnauthorized')],
  },
  {
    name: 'Slack of Butler 4',
    text: 'slackConfig: {enable: true, webhookURL: "https://s/x", taskFailureChannel: f, taskAbortedChannel: a, loginNotificationChannel: l}',
    expected: {
      slackNotification: {
        enable: true,
        restMessage: { webhookURL: 'https://s/x' },
        reloadTaskFailure: { enable: true, webhookURL: 'https://s/x', channel: 'f', messageType: 'basic' },
        reloadTaskAborted: { enable: true, webhookURL: 'https://s/x', channel: 'a', messageType: 'basic' },
      },
    },
    notes: [
      readAs('slackConfig.enable', '2.0–4.3', 'slackNotification.enable'),
      readAs('slackConfig.webhookURL', '2.0–4.3', 'slackNotification.restMessage.webhookURL'),
      readAs('slackConfig.taskFailureChannel', '2.0–4.3', 'slackNotification.reloadTaskFailure.channel'),
      readAs('slackConfig.taskAbortedChannel', '2.0–4.3', 'slackNotification.reloadTaskAborted.channel'),
      "warning CONFIG: 'Butler.slackConfig.loginNotificationChannel' belongs to a feature that no longer exists; ignored.",
    ],
  },
  {
    name: 'Slack of Butler 2 has no switch',
    text: 'slackConfig: {webhookURL: "https://s/x", taskFailureChannel: f}',
    expected: { slackNotification: { enable: true, reloadTaskFailure: { enable: true, channel: 'f' } } },
    notes: [
      readAs('slackConfig.webhookURL', '2.0–4.3', 'slackNotification.restMessage.webhookURL'),
      readAs('slackConfig.taskFailureChannel', '2.0–4.3', 'slackNotification.reloadTaskFailure.channel'),
    ],
  },
  {
    name: 'Teams of Butler 4',
    text: 'teamsConfig: {enable: true, taskFailureWebhookURL: "https://t/x"}',
    expected: {
      teamsNotification: {
        enable: true,
        reloadTaskFailure: { enable: true, webhookURL: 'https://t/x', messageType: 'basic' },
      },
    },
    notes: [
      readAs('teamsConfig.enable', '4.2–4.3', 'teamsNotification.enable'),
      readAs('teamsConfig.taskFailureWebhookURL', '4.2–4.3', 'teamsNotification.reloadTaskFailure.webhookURL'),
    ],
  },
  {
    name: 'mail of Butler 4',
    text: 'emailNotification: {reladTaskFailure: {enable: false, toAdress: [a@b.c]}}',
    expected: { emailNotification: { reloadTaskFailure: { recipients: ['a@b.c'] } } },
    notes: [
      readAs('emailNotification.reladTaskFailure', '4.2–4.3', 'emailNotification.reloadTaskFailure'),
      readAs(
        'emailNotification.reloadTaskFailure.toAdress',
        '4.2–4.3',
        'emailNotification.reloadTaskFailure.recipients',
      ),
    ],
  },
  {
    name: 'heartbeat.enabled',
    text: 'heartbeat: {enabled: true, remoteURL: "http://h/"}',
    expected: { heartbeat: { enable: true } },
    notes: [readAs('heartbeat.enabled', '3.1', 'heartbeat.enable')],
  },
  {
    name: 'both names: the new one wins',
    text: 'heartbeat: {enabled: true, enable: false}',
    expected: { heartbeat: { enable: false } },
    notes: [
      "warning CONFIG DEPRECATED: 'Butler.heartbeat.enabled' is ignored because 'Butler.heartbeat.enable' is set.",
    ],
  },
  {
    name: 'Butler 2',
    text: "configEngine: {server: qs1, serverPort: '4747', isSecure: 'true', cert: /e.pem, key: /e.key}\nconfigQRS: {host: qs1, cert: /c.pem, key: /c.key, ca: /ca.pem, port: '4242'}\nqvdPath: /qvd\nmqttConfig: {brokerIP: 10.0.0.1, sessionStartTopic: x}\nudpServerConfig: {serverIP: 10.0.0.2, portSessionConnectionEvents: 9997}\nrestServerConfig: {serverPort: 8180}\ngitHub: {host: api.github.com}",
    expected: {
      configEngine: { host: 'qs1', port: 4747, useSSL: true },
      configQRS: { port: 4242 },
      cert: { clientCert: '/c.pem', clientCertKey: '/c.key', clientCertCA: '/ca.pem' },
      configDirectories: { qvdPath: '/qvd' },
      mqttConfig: { enable: true, brokerHost: '10.0.0.1' },
      udpServerConfig: { enable: true, serverHost: '10.0.0.2' },
      restServerConfig: { enable: true, serverHost: '0.0.0.0', serverPort: 8180 },
    },
    notes: [
      readAs('configEngine.server', '2.0–2.2', 'configEngine.host'),
      readAs('configEngine.serverPort', '2.0–2.2', 'configEngine.port'),
      'warning CONFIG DEPRECATED: \'Butler.configEngine.port\' is the text "4747"; it is read as a number.',
      readAs('configEngine.isSecure', '2.0–2.2', 'configEngine.useSSL'),
      'warning CONFIG DEPRECATED: \'Butler.configEngine.useSSL\' is the text "true"; it is read as true.',
      "warning CONFIG DEPRECATED: 'Butler.configEngine.cert' is ignored because 'Butler.cert.clientCert' is set.",
      "warning CONFIG DEPRECATED: 'Butler.configEngine.key' is ignored because 'Butler.cert.clientCertKey' is set.",
      readAs('configQRS.cert', '2.0–2.2', 'cert.clientCert'),
      readAs('configQRS.key', '2.0–2.2', 'cert.clientCertKey'),
      readAs('configQRS.ca', '2.0–2.2', 'cert.clientCertCA'),
      'warning CONFIG DEPRECATED: \'Butler.configQRS.port\' is the text "4242"; it is read as a number.',
      readAs('qvdPath', '2.0–2.2', 'configDirectories.qvdPath'),
      "warning CONFIG DEPRECATED: 'Butler.mqttConfig' (Butler 2.x) has no 'enable'; it is read as on. Please update the config file.",
      readAs('mqttConfig.brokerIP', '2.0', 'mqttConfig.brokerHost'),
      "warning CONFIG: 'Butler.mqttConfig.sessionStartTopic' belongs to a feature that no longer exists; ignored.",
      "warning CONFIG DEPRECATED: 'Butler.udpServerConfig' (Butler 2.x) has no 'enable'; it is read as on. Please update the config file.",
      readAs('udpServerConfig.serverIP', '2.0–2.2', 'udpServerConfig.serverHost'),
      "warning CONFIG: 'Butler.udpServerConfig.portSessionConnectionEvents' belongs to a feature that no longer exists; ignored.",
      "warning CONFIG DEPRECATED: 'Butler.restServerConfig' (Butler 2.x) has no 'enable'; it is read as on. Please update the config file.",
      "warning CONFIG: 'Butler.gitHub' belongs to a feature that no longer exists; ignored.",
    ],
  },
  {
    name: 'slips of the manuals',
    text: 'scheduler: {configFile: s.yaml}\nudpServerConfig: {enabled: true, deduplicationEnable: false, deduplicationTtlMinutes: 5}\nincidetTool: {signl4: {enable: false}}\nmqttConfig: {serviceStartedTopic: a, serviceStateTopic: b}\nemailNotification: {reloadTaskFailure: {alertEnableByEmailAddress: {customPropertyName: P}}}\nwebhookNotification: {rateLimit: 9, serviceMonitor: {rateLimit: 8}}',
    expected: {
      scheduler: { configfile: 's.yaml' },
      udpServerConfig: { enable: true, deduplication: { enable: false, ttlMinutes: 5 } },
      mqttConfig: { serviceRunningTopic: 'a', serviceStatusTopic: 'b' },
      emailNotification: { reloadTaskFailure: { alertEnabledByEmailAddress: { customPropertyName: 'P' } } },
      webhookNotification: { reloadTaskFailure: { rateLimit: 9 }, serviceMonitor: { rateLimit: 8 } },
    },
    notes: [
      slip('scheduler.configFile', 'scheduler.configfile'),
      slip('udpServerConfig.enabled', 'udpServerConfig.enable'),
      slip('udpServerConfig.deduplicationEnable', 'udpServerConfig.deduplication.enable'),
      slip('udpServerConfig.deduplicationTtlMinutes', 'udpServerConfig.deduplication.ttlMinutes'),
      slip('incidetTool', 'incidentTool'),
      slip('mqttConfig.serviceStartedTopic', 'mqttConfig.serviceRunningTopic'),
      slip('mqttConfig.serviceStateTopic', 'mqttConfig.serviceStatusTopic'),
      slip(
        'emailNotification.reloadTaskFailure.alertEnableByEmailAddress',
        'emailNotification.reloadTaskFailure.alertEnabledByEmailAddress',
      ),
      "info CONFIG: 'Butler.webhookNotification.rateLimit' is read as the rateLimit of every block that has none",
    ],
  },
  {
    name: 'endpoints and sessions of removed features',
    text: 'restServerEndpointsEnable: {activeUserCount: true, activeUsers: true}\nslackNotification: {userSessionEvents: {x: 1}}',
    expected: { restServerEndpointsEnable: { butlerping: true } },
    notes: [
      "warning CONFIG: 'Butler.restServerEndpointsEnable.activeUserCount' belongs to a feature that no longer exists; ignored.",
      "warning CONFIG: 'Butler.restServerEndpointsEnable.activeUsers' belongs to a feature that no longer exists; ignored.",
      "warning CONFIG: 'Butler.slackNotification.userSessionEvents' belongs to a feature that no longer exists; ignored.",
    ],
  },
  {
    name: 'what did not exist has its default',
    text: 'udpServerConfig: {enable: true, serverHost: 0.0.0.0, portTaskFailure: 9998}\nwebhookNotification: {enable: true, reloadTaskFailure: {webhooks: [{webhookURL: "https://w/", httpMethod: GET}]}}\nincidentTool: {signl4: {reloadTaskFailure: {enable: true}}}',
    expected: {
      udpServerConfig: { messageQueue: { maxSize: 200 }, deduplication: { enable: true } },
      webhookNotification: { reloadTaskFailure: { webhooks: [{ cert: { enable: false, rejectUnauthorized: true } }] } },
      incidentTool: { signl4: { reloadTaskFailure: { includeApp: { includeAll: true, appId: [] } } } },
    },
    notes: [],
  },
]
