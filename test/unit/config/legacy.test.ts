import { describe, expect, test } from 'bun:test'
import { butler } from '../../../src/app/schema.ts'
import { matchCase } from '../../../src/config/keys.ts'
import { translateLegacy } from '../../../src/config/legacy/translate.ts'
import { createProblemList, type Problem, renderProblem } from '../../../src/config/problems.ts'
import { type MapNode, nodeAt } from '../../../src/config/tree.ts'
import { readYaml } from '../../../src/config/yaml.ts'
import { configOf, errorsOf, loadButler } from '../../support/config.ts'
import { LEGACY_CASES } from '../../support/legacy-cases.ts'
import { OLDER_FILES, olderText } from '../../support/older.ts'

/** Old keys of each file, as the manuals of that time name them. */
const DEPRECATED: Readonly<Record<string, readonly string[]>> = {
  'butler-2': [
    'configEngine.server',
    'configEngine.serverPort',
    'configEngine.isSecure',
    'configEngine.headers.X-Qlik-User',
    'configEngine.cert',
    'configEngine.key',
    'configQRS.headerKey',
    'configQRS.port',
    'configQRS.cert',
    'configQRS.key',
    'configQRS.ca',
    'qvdPath',
    'slackConfig.webhookURL',
    'slackConfig.taskFailureChannel',
    'mqttConfig',
    'mqttConfig.brokerIP',
    'udpServerConfig',
    'udpServerConfig.serverIP',
    'restServerConfig',
  ],
  'butler-3': [
    'heartbeat.enabled',
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
    'slackConfig.enable',
    'slackConfig.webhookURL',
    'slackConfig.taskFailureChannel',
  ],
  'butler-4': [
    ...['hostIP', 'hostPort', 'auth', 'dbName', 'instanceTag', 'retentionPolicy'].map(
      (key) => `uptimeMonitor.storeInInfluxdb.${key}`,
    ),
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
    ...['enable', 'webhookURL', 'taskFailureChannel', 'taskAbortedChannel'].map((key) => `slackConfig.${key}`),
    'teamsConfig.enable',
    'teamsConfig.taskFailureWebhookURL',
    'emailNotification.reladTaskAborted',
    'emailNotification.reladTaskFailure',
    'restServerEndpointsEnable.apiListEnbledEndpoints',
  ],
  'butler-5': [
    'cert.rejectUnauthorized',
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
    'slackNotification.restMessage.enable',
    'emailNotification.reloadTaskFailure.fromAdress',
    'emailNotification.serviceStopped.fromAdress',
  ],
  'butler-7': [
    'thirdPartyToolsCredentials.newRelic',
    'scriptLog.storeOnDisk.reloadTaskFailure',
    'incidentTool.newRelic.url',
    ...['enable', 'rateLimit', 'header', 'attribute.static'].map(
      (key) => `incidentTool.newRelic.reloadTaskFailure.${key}`,
    ),
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
  ],
  'butler-9': [
    'influxDb.instanceTag',
    'incidentTool.newRelic',
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
    'emailNotification.serviceStarted.fromAdress',
    'restServerEndpointsEnable.apiListEnbledEndpoints',
  ],
  'butler-11': [
    'qlikSenseLicense.licenseRelease.neverReleaseUsers',
    'scriptLog.storeOnDisk.reloadTaskFailure',
    'influxDb.instanceTag',
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
  ],
  'butler-12': [
    'influxDb.instanceTag',
    'emailNotification.reloadTaskFailure.fromAdress',
    'configEngine.headers.X-Qlik-User',
    'configQRS.headerKey',
    'restServerEndpointsEnable.apiListEnbledEndpoints',
  ],
  'butler-13': ['restServerEndpointsEnable.apiListEnbledEndpoints'],
  'butler-14': [],
  'butler-15': [],
  'butler-16': [],
  documents: [],
}

/** The notes about old layouts, without places. */
function notesOf(text: string): string[] {
  const file = `Butler:\n${text.replace(/^(?=.)/gm, '  ')}`
  return problemsOf(file).map(({ severity, message }) => `${severity} ${message}`)
}

function problemsOf(file: string): readonly Problem[] {
  const problems = createProblemList()
  const root = readYaml(file, 'butler.yaml', problems) as MapNode
  matchCase(nodeAt(root, ['Butler'])!, butler, problems)
  translateLegacy(root, { withoutSwitchIsOn: true }, problems)
  return problems.all
}

describe('older layouts', () => {
  test.each([...LEGACY_CASES])('$name', async ({ text, expected, notes }) => {
    expect(await configOf(loadButler(text))).toMatchObject(expected)
    expect(notesOf(text)).toEqual([...notes])
  })

  test('leave no unknown key behind', async () => {
    for (const { text } of LEGACY_CASES) {
      const { problems } = await loadButler(text)
      expect(problems.filter(({ message }) => message.includes('unknown key'))).toEqual([])
    }
  })

  test('a problem of a moved key names the line where it stands', async () => {
    const result = await loadButler('logLevel: info\nudpServerConfig:\n  enable: true\n  deduplicationTtlMinutes: soon')
    expect(errorsOf(result)).toMatchObject([
      {
        line: 5,
        column: 5,
        path: 'Butler.udpServerConfig.deduplication.ttlMinutes',
        message: 'must be a number, found "soon"',
      },
    ])
  })

  test('a value in the way is not overwritten but reported', async () => {
    const result = await loadButler('cert: text\nconfigQRS: {cert: /c.pem}')
    expect(errorsOf(result).map(({ path }) => path)).toEqual(['Butler.cert'])
  })

  test('are one line, with their number and the command that shows them', async () => {
    const text = 'heartbeat: {enabled: false}\nqvdPath: /q\nconfigEngine: {server: qs1}'
    const { problems } = await loadButler(text)
    expect(problems.filter(({ message }) => message.includes('DEPRECATED')).map(renderProblem)).toEqual([
      'config.yaml:2:15 warning CONFIG DEPRECATED: 3 settings stand where older Butlers had them; they are read as before. Hint: "footman migrate-config config.yaml" shows and writes the present layout',
    ])
  })

  test('sections without a switch are on as in Butler 2, or off', async () => {
    const text =
      'configEngine: {server: qs1}\nrestServerConfig: {serverPort: 8080}\nslackConfig: {webhookURL: "https://s/"}'
    const on = await configOf(loadButler(text))
    expect(on).toMatchObject({
      restServerConfig: { enable: true, serverHost: '0.0.0.0' },
      restServerEndpointsEnable: { senseStartTask: true, createDir: true, slackPostMessage: true, fileDelete: false },
      slackNotification: { enable: true },
      footman: { compatibility: 'butler' },
    })
    const off = await configOf(loadButler(`${text}\nfootman: {compatibility: strict}`))
    expect(off).toMatchObject({
      restServerConfig: { enable: false },
      restServerEndpointsEnable: { senseStartTask: false },
      slackNotification: { enable: false },
    })
  })
})

test('there is a file for each generation', () => {
  expect([...OLDER_FILES].sort()).toEqual(Object.keys(DEPRECATED).sort())
})

test.each([...OLDER_FILES])('the old keys of %s', (name) => {
  const older = problemsOf(olderText(name)).filter(({ message }) => message.startsWith('CONFIG DEPRECATED'))
  const keys = older.map(({ path }) => path.replace('Butler.', ''))
  expect([...new Set(keys)].filter((key) => !isFollowUp(key, name)).sort()).toEqual([...DEPRECATED[name]!].sort())
})

/** A key that a translation made of another old one. */
function isFollowUp(key: string, name: string): boolean {
  const made: Readonly<Record<string, readonly string[]>> = {
    'butler-2': ['configEngine.port', 'configEngine.useSSL'],
    'butler-4': [
      'influxDb.instanceTag',
      'emailNotification.reloadTaskAborted.toAdress',
      'emailNotification.reloadTaskFailure.toAdress',
    ],
  }
  return made[name]?.includes(key) ?? false
}
