/** Which custom properties a configuration relies on. */
import { describe, expect, test } from 'bun:test'
import { wantedProperties } from '../../../../src/app/config/custom-properties.ts'
import { loadButler } from '../../../support/config.ts'

async function wanted(yaml: string) {
  const { config } = await loadButler(yaml)
  return wantedProperties(config!)
}
const names = async (yaml: string) => (await wanted(yaml)).filter(({ required }) => required).map(({ name }) => name)

const POLICIES = 'footman: {retryPolicy: {enable: false}, watchdog: {enable: false}}\n'
const MAIL = 'enable: true, recipients: [a@b.example], fromAddress: a@b.example'

describe('none', () => {
  test.each([
    ['nothing', 'logLevel: info'],
    [
      'mails that are off',
      `emailNotification: {enable: false, reloadTaskFailure: {${MAIL}, alertEnableByCustomProperty: {enable: true}}}`,
    ],
    [
      'a kind of mail that is off',
      'emailNotification: {enable: true, smtp: {host: m}, reloadTaskFailure: {enable: false, alertEnableByCustomProperty: {enable: true}}}',
    ],
    [
      'InfluxDB that stores all tasks, whatever property they have',
      'influxDb: {enable: true, hostIP: i, reloadTaskSuccess: {enable: true, allReloadTasks: {enable: true}, byCustomProperty: {enable: true}}}',
    ],
    ['a start filter that is off', 'startTaskFilter: {allowTask: {customProperty: [{name: a, value: b}]}}'],
    [
      'a route that is off',
      'footman: {destinations: {d: {type: email, recipients: [a@b.example]}}, alertRoutes: [{name: r, enable: false, to: [d], match: {taskProperty: {a: b}}}]}',
    ],
  ])('for %s', async (_, yaml) => {
    expect(await names(yaml)).toEqual([])
  })
})

test('policies may be set on tasks; nothing depends on it', async () => {
  expect(await wanted('logLevel: info')).toEqual([
    {
      name: 'retryPolicy',
      values: [],
      objects: ['ExternalProgramTask', 'ReloadTask', 'UserSyncTask'],
      groups: [['ExternalProgramTask', 'ReloadTask', 'UserSyncTask']],
      required: false,
      keys: ['footman.retryPolicy.customPropertyName'],
      hint: 'retry policies like 3x/5m',
    },
    {
      name: 'watchPolicy',
      values: [],
      objects: ['ExternalProgramTask', 'ReloadTask', 'UserSyncTask'],
      groups: [['ExternalProgramTask', 'ReloadTask', 'UserSyncTask']],
      required: false,
      keys: ['footman.watchdog.customPropertyName'],
      hint: 'limits like late=30m; stuck=2h',
    },
  ])
  expect(await wanted(POLICIES)).toEqual([])
})

test('mails for marked tasks, and further recipients of a task', async () => {
  const yaml = `${POLICIES}emailNotification:
  enable: true
  smtp: {host: smtp}
  reloadTaskFailure: {${MAIL}, alertEnableByCustomProperty: {enable: true, customPropertyName: Mail, enabledValue: 'Yes'}, alertEnabledByEmailAddress: {customPropertyName: ''}}
  preloadTaskFailure: {${MAIL}, alertEnableByCustomProperty: {enable: true, customPropertyName: Mail, enabledValue: 'On'}}
`
  expect(await wanted(yaml)).toEqual([
    {
      name: 'Mail',
      values: ['On', 'Yes'],
      objects: ['ReloadTask'],
      groups: [['ReloadTask']],
      required: true,
      keys: [
        'emailNotification.reloadTaskFailure.alertEnableByCustomProperty.customPropertyName',
        'emailNotification.preloadTaskFailure.alertEnableByCustomProperty.customPropertyName',
      ],
    },
    {
      name: 'Butler_PreloadFailedAlertSendToEmail',
      values: [],
      objects: ['ReloadTask'],
      groups: [['ReloadTask']],
      required: false,
      keys: ['emailNotification.preloadTaskFailure.alertEnabledByEmailAddress.customPropertyName'],
      hint: 'e-mail addresses',
    },
  ])
})

test('the other features', async () => {
  const yaml = `
influxDb: {enable: true, hostIP: influx, version: 1, reloadTaskSuccess: {enable: true, byCustomProperty: {enable: true}}}
thirdPartyToolsCredentials: {newRelic: [{accountName: First, insertApiKey: k, accountId: 1}, {accountName: Second, insertApiKey: k, accountId: 2}]}
incidentTool:
  newRelic:
    enable: true
    reloadTaskFailure: {destination: {event: {enable: true, sendToAccount: {byCustomProperty: {enable: true, customPropertyName: NR}}}, log: {enable: false, sendToAccount: {byCustomProperty: {enable: true, customPropertyName: NRLog}}}}}
qlikSenseLicense: {licenseRelease: {enable: true, neverRelease: {customProperty: [{name: keep, value: licence}]}}}
startTaskFilter: {enable: true, allowTask: {customProperty: [{name: group, value: a}, {name: group, value: b}]}}
footman:
  retryPolicy: {enable: false}
  watchdog: {enable: false}
  access: {enable: true, keys: [{id: erp, hash: 'sha256:0000000000000000000000000000000000000000000000000000000000000001', scopes: [task:run], startFilter: {customProperty: [{name: group, value: c}]}}]}
  destinations: {mail: {type: email, recipientProperty: whom}, chat: {type: slack, webhookURL: 'https://h.example/x'}}
  alertRoutes:
    - {name: r, to: [chat], match: [{taskProperty: {kind: [x, 'y*']}}, {appProperty: {level: gold}}], except: {taskProperty: {level: silver}}}
  taskPolicies: [{name: p, match: {taskProperty: {priority: [high, 'u*']}}}]
`
  expect((await wanted(yaml)).map(({ name, values, objects, required }) => [name, values, objects, required])).toEqual([
    ['Butler_SuccessReloadTask_InfluxDB', ['Yes'], ['ReloadTask'], true],
    ['NR', ['First', 'Second'], ['ReloadTask'], true],
    ['keep', ['licence'], ['User'], true],
    ['group', ['a', 'b', 'c'], ['ExternalProgramTask', 'ReloadTask', 'UserSyncTask'], true],
    ['whom', [], ['ExternalProgramTask', 'ReloadTask', 'UserSyncTask'], true],
    ['kind', ['x'], ['ExternalProgramTask', 'ReloadTask', 'UserSyncTask'], true],
    ['level', ['gold', 'silver'], ['App', 'ExternalProgramTask', 'ReloadTask', 'UserSyncTask'], true],
    ['priority', ['high'], ['ExternalProgramTask', 'ReloadTask', 'UserSyncTask'], true],
  ])
})

test('each setting needs one of the kinds of objects that it looks at', async () => {
  const yaml = `${POLICIES}emailNotification: {enable: true, smtp: {host: m}, reloadTaskFailure: {${MAIL}, alertEnableByCustomProperty: {enable: true, customPropertyName: p}, alertEnabledByEmailAddress: {customPropertyName: p}}}
startTaskFilter: {enable: true, allowTask: {customProperty: [{name: p, value: a}]}}`
  expect((await wanted(yaml)).map(({ name, groups }) => [name, groups])).toEqual([
    ['p', [['ReloadTask'], ['ExternalProgramTask', 'ReloadTask', 'UserSyncTask']]],
  ])
})
