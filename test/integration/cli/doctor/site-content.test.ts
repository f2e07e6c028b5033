import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { codes } from '../../../support/doctor.ts'
import { complaints, diagnoseSite, finding, siteConfig } from '../../../support/doctor-site.ts'
import { startSite, type TestSite } from '../../../support/simulator.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'

type Tree = Record<string, unknown>

let site: TestSite
let directory: TempDirectory

beforeAll(async () => {
  site = await startSite()
  directory = tempDirectory()
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
  directory.remove()
})

const look = (group: string, more: Tree = {}, qrs: Tree = {}) =>
  diagnoseSite({ ...siteConfig(site.simulator, { qrs }), ...more }, [group])

const MAIL = {
  enable: true,
  smtp: { host: '127.0.0.1', port: 25 },
  reloadTaskFailure: { enable: true, recipients: ['ops@acme.example'], fromAddress: 'footman@acme.example' },
}
const FAILED_GATE = 'Butler_FailedAlertEnableEmail'

function mail(gate: Tree): Tree {
  const reloadTaskFailure = { ...MAIL.reloadTaskFailure, alertEnableByCustomProperty: { enable: true, ...gate } }
  return { emailNotification: { ...MAIL, reloadTaskFailure } }
}

describe('the clock', () => {
  test('the same time here and there', async () => {
    expect(codes(await look('clock'))).toEqual(['clock.same'])
  })

  test('two minutes are a warning, ten an error; both clocks are shown', async () => {
    await using late = await startSite()
    const found = () => diagnoseSite(siteConfig(late.simulator), ['clock'])
    late.simulator.advance(2 * 60_000)
    expect(finding(await found(), 'clock.skew').level).toBe('warning')
    late.simulator.advance(8 * 60_000)
    const skew = finding(await found(), 'clock.skew')
    expect(skew.level).toBe('error')
    expect(skew.message).toMatch(/the server shows .* UTC, this machine .* UTC: 10 minutes ahead/)
    expect(skew.fix).toContain('time server')
  })
})

describe('rights', () => {
  const as = (user: string) => ({ headers: { static: [{ name: 'X-Qlik-User', value: user }] } })
  const starts = { restServerConfig: { enable: true }, restServerEndpointsEnable: { senseStartTask: true } }

  test('an administrator may read and start', async () => {
    const found = await look('rights', starts, as('UserDirectory=LAB;UserId=anna'))
    expect(finding(found, 'rights.start').message).toBe('may start tasks (ContentAdmin)')
  })

  test('somebody without a role is warned about, where tasks are started', async () => {
    const found = await look('rights', starts, as('UserDirectory=LAB;UserId=bertil'))
    expect(complaints(found)).toEqual(['warning rights.start'])
    expect(finding(found, 'rights.start').fix).toContain('ContentAdmin')
  })

  test.each([
    ['executionresult', 'ExecutionResult_*', 'script logs are missing'],
    ['executionsession', 'ExecutionSession_*', 'running executions are not followed'],
  ])(
    'a 403 about %s is an error that names the right, and not the silence of Qlik Sense',
    async (entity, right, what) => {
      await using refusing = await startSite()
      refusing.simulator.fault({ listener: 'qrs', match: `/${entity}`, mode: 'status', args: [403] })
      const found = await diagnoseSite(siteConfig(refusing.simulator), ['rights'])
      expect(complaints(found)).toEqual(['error rights.no-right'])
      const { message, fix } = finding(found, 'rights.no-right')
      expect(message).toContain(what)
      expect(message).toContain(`QRS answered 403: the user in Butler.configQRS.headers.static (X-Qlik-User)`)
      expect(message).toEndWith(`to read ${right}`)
      expect(fix).toContain('security rule')
    },
  )

  test('a probe whose question is refused says so, with the right', async () => {
    await using refusing = await startSite()
    refusing.simulator.fault({ listener: 'qrs', match: '/task/', mode: 'status', args: [403] })
    const found = await diagnoseSite(siteConfig(refusing.simulator), ['script-log', 'rights'])
    expect(complaints(found)).toEqual(['error rights.no-right', 'error script-log.no-right'])
    expect(finding(found, 'script-log.no-right').message).toMatch(
      /^was not examined: QRS answered 403: .* ReloadTask_\*$/,
    )
  })

  test('nothing is written and nothing started to find out', async () => {
    site.simulator.clearRequests()
    await look('rights', starts)
    expect(site.simulator.requests().map(({ method }) => method)).not.toContain('POST')
  })
})

describe('custom properties', () => {
  test('all there: one finding, and what is optional is only mentioned', async () => {
    const found = await look('property', mail({ customPropertyName: FAILED_GATE, enabledValue: 'Yes' }))
    expect(complaints(found)).toEqual([])
    expect(codes(found)).toContain('property.complete')
  })

  test('one that does not exist', async () => {
    const found = await look('property', mail({ customPropertyName: 'Butler_Missing' }))
    expect(finding(found, 'property.missing')).toMatchObject({ level: 'error', target: 'Butler_Missing' })
    expect(finding(found, 'property.missing').fix).toContain('"Butler_Missing" in the QMC')
  })

  test('one without the configured value', async () => {
    const found = await look('property', mail({ customPropertyName: FAILED_GATE, enabledValue: 'Ja' }))
    expect(finding(found, 'property.value').message).toBe('does not offer the value "Ja"; it has "Yes"')
    expect(finding(found, 'property.value').key).toBe(
      'emailNotification.reloadTaskFailure.alertEnableByCustomProperty.customPropertyName',
    )
  })

  test('one in other letters, upper and lower', async () => {
    const found = await look('property', mail({ customPropertyName: FAILED_GATE.toUpperCase() }))
    expect(finding(found, 'property.case').fix).toContain(FAILED_GATE)
  })

  test('one for objects of another kind', async () => {
    await using mine = await startSite()
    const definitions = mine.simulator.site.customPropertyDefinitions
    for (const one of definitions.values()) if (one.name === FAILED_GATE) one.objectTypes = ['App']
    const found = await diagnoseSite({ ...siteConfig(mine.simulator), ...mail({ customPropertyName: FAILED_GATE }) }, [
      'property',
    ])
    expect(finding(found, 'property.object-type').fix).toContain('reload tasks')
    expect(finding(found, 'property.object-type').level).toBe('error')
  })

  test('the gate of InfluxDB', async () => {
    const byCustomProperty = {
      enable: true,
      customPropertyName: 'Butler_SuccessReloadTask_InfluxDB',
      enabledValue: 'Maybe',
    }
    const influxDb = {
      enable: true,
      version: 1,
      hostIP: '127.0.0.1',
      hostPort: 8086,
      reloadTaskSuccess: { enable: true, byCustomProperty },
    }
    expect(finding(await look('property', { influxDb }), 'property.value').message).toContain('"Maybe"')
  })

  test('an account of New Relic that a task can choose and nobody configured', async () => {
    const event = {
      enable: true,
      sendToAccount: {
        byCustomProperty: { enable: true, customPropertyName: 'Butler_FailedTask_Event_NewRelicAccount' },
      },
    }
    const newRelic = { enable: true, reloadTaskFailure: { destination: { event } } }
    const accounts = [{ accountName: 'First NR account', insertApiKey: 'k', accountId: 1 }]
    const found = await look('property', {
      incidentTool: { newRelic },
      thirdPartyToolsCredentials: { newRelic: accounts },
    })
    expect(finding(found, 'property.account').fix).toContain('Butler.thirdPartyToolsCredentials.newRelic')
  })

  test('what routes match', async () => {
    const alertRoutes = [{ name: 'finance', match: { taskProperty: { department: 'sales' } }, to: ['mail'] }]
    const destinations = { mail: { type: 'ntfy', url: 'https://ntfy.example', topic: 't' } }
    const found = await look('property', { footman: { alertRoutes, destinations } })
    expect(finding(found, 'property.value').message).toContain('"sales"')
  })
})

describe('what the configuration names', () => {
  const UNKNOWN = '99999999-0000-4000-8000-000000000001'
  const KNOWN = '70000000-0000-4000-8000-000000000001'

  test('ids and tags of the start filter', async () => {
    const allowTask = { taskId: [KNOWN, UNKNOWN], tag: ['startTask1', 'STARTTASK1'], customProperty: [] }
    const found = await look('selection', { startTaskFilter: { enable: true, allowTask } })
    expect(complaints(found)).toEqual(['warning selection.task', 'warning selection.tag'])
    expect(finding(found, 'selection.task').key).toBe('startTaskFilter.allowTask.taskId[1]')
    expect(finding(found, 'selection.tag').target).toBe('STARTTASK1')
  })

  test('is found on a site that cuts its lists', async () => {
    site.simulator.setModes({ qrs: { maxRecordLimit: 2 } })
    const match = { appId: 'a1000000-0000-4000-8000-000000000009', taskTag: ['daily-reports', 'license-keep'] }
    const footman = {
      alertRoutes: [{ name: 'r', match, to: ['mail'] }],
      destinations: { mail: { type: 'ntfy', url: 'https://ntfy.example', topic: 't' } },
    }
    const found = await look('selection', { footman })
    site.simulator.setModes({ qrs: { maxRecordLimit: 0 } })
    expect(codes(found)).toEqual(['selection.known'])
  })

  test('tasks of policies', async () => {
    const taskPolicies = [{ name: 'p', match: { taskId: [KNOWN, UNKNOWN] }, retry: '1x/1m' }]
    const found = await look('selection', { footman: { taskPolicies } })
    expect(complaints(found)).toEqual(['warning selection.task'])
    expect(finding(found, 'selection.task').key).toBe('footman.taskPolicies[0].match.taskId')
  })

  test('tasks of the schedule file, tags and apps of routes', async () => {
    const configfile = directory.join('schedule.yaml')
    const schedule = { name: 'nightly', cronSchedule: '0 1 * * *', timezone: 'Europe/Paris', startupState: 'started' }
    writeFileSync(configfile, JSON.stringify({ butlerSchedule: [{ ...schedule, id: 'a', qlikSenseTaskId: UNKNOWN }] }))
    const match = { taskTag: 'No such tag', appId: UNKNOWN }
    const footman = {
      alertRoutes: [{ name: 'r', match, to: ['mail'] }],
      destinations: { mail: { type: 'ntfy', url: 'https://ntfy.example', topic: 't' } },
    }
    const found = await look('selection', { scheduler: { enable: true, configfile }, footman })
    const targets = found.findings
      .filter(({ code }) => code.startsWith('selection.'))
      .map(({ code, target }) => [code, target])
    expect(targets).toEqual([
      ['selection.app', UNKNOWN],
      ['selection.tag', 'No such tag'],
      ['selection.task', UNKNOWN],
    ])
    expect(found.findings.at(-1)!.message).toContain('the schedule "nightly"')
  })
})

test('";" in names: told, with what Footman makes of it', async () => {
  const found = await look('names')
  expect(finding(found, 'names.task')).toMatchObject({ level: 'info' })
  expect(finding(found, 'names.task').message).toContain('"Name; with semicolon"')
})

test('a script log can be fetched', async () => {
  expect(finding(await look('script-log'), 'script-log.read').message).toMatch(/\d+ characters/)
})

test('a script log that is not there', async () => {
  site.simulator.fault({
    listener: 'qrs',
    match: 'scriptlog|ScriptLog|download|fileReference',
    mode: 'status',
    args: [404],
  })
  const found = await look('script-log')
  site.simulator.clearFaults()
  expect(finding(found, 'script-log.missing').fix).toContain('ArchivedLogs')
})

describe('the licence', () => {
  test.each([
    ['valid', 'ok licence.valid'],
    ['expires-in-10-days', 'warning licence.ends-soon'],
    ['expired-yesterday', 'error licence.expired'],
  ])('%s', async (variant, expected) => {
    site.simulator.setServerLicence(variant)
    const [found] = (await look('licence')).findings
    site.simulator.setServerLicence('valid')
    expect(`${found?.level} ${found?.code}`).toBe(expected)
  })
})
