/** `footman custom-properties` against the simulated site. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { runToEnd } from '../support/binary.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { type TempDirectory, tempDirectory } from '../support/temp.ts'

let site: TestSite
let directory: TempDirectory
beforeEach(async () => {
  site = await startSite()
  directory = tempDirectory()
})
afterEach(async () => {
  directory.remove()
  await site[Symbol.asyncDispose]()
})

const MARKED = { enable: true, alertEnableByCustomProperty: { enable: true, enabledValue: 'Yes' } }
const gate = (customPropertyName: string, enabledValue = 'Yes') => ({
  enable: true,
  recipients: ['a@acme.example'],
  fromAddress: 'a@acme.example',
  alertEnableByCustomProperty: { ...MARKED.alertEnableByCustomProperty, customPropertyName, enabledValue },
  alertEnabledByEmailAddress: { customPropertyName: '' },
})

/** What there is: priority with high and low for reload tasks; department for reload tasks, apps and users. */
const NEEDS = {
  emailNotification: {
    enable: true,
    smtp: { host: 'smtp.acme.example' },
    reloadTaskFailure: gate('Footman_Mail'),
    reloadTaskAborted: gate('priority', 'middle'),
    preloadTaskFailure: gate('Department', 'it'),
  },
  startTaskFilter: { enable: true, allowTask: { customProperty: [{ name: 'department', value: 'it' }] } },
}

function configure(
  butler: object = NEEDS,
  user = 'UserDirectory=INTERNAL; UserId=sa_repository',
  more: object = {},
): void {
  const { certificates, ports } = site.simulator
  const { clientCert, clientCertKey, clientCertCA } = certificates
  const connection = { host: '127.0.0.1', port: ports.qrs, headers: { static: [{ name: 'X-Qlik-User', value: user }] } }
  const config = { cert: { clientCert, clientCertKey, clientCertCA }, configQRS: { ...connection, ...more }, ...butler }
  writeFileSync(directory.join('c.yaml'), JSON.stringify({ Butler: config }))
}
const run = (...args: readonly string[]) =>
  runToEnd(['custom-properties', '-c', 'c.yaml', ...args], { cwd: directory.path })

interface Definition {
  readonly id: string
  readonly name: string
  readonly choiceValues: string[]
  readonly objectTypes: string[]
}
const definitions = async () => (await site.qrs('GET', 'custompropertydefinition/full')).json<Definition[]>()
const named = async (name: string) => (await definitions()).find((one) => one.name === name)

describe('looking', () => {
  test('lists what is needed beside what is there, and changes nothing', async () => {
    const people = { name: 'forPeople', valueType: 'Text', choiceValues: ['x'], objectTypes: ['User'] }
    await site.qrs('POST', 'custompropertydefinition', { body: people })
    configure({
      ...NEEDS,
      emailNotification: { ...NEEDS.emailNotification, distributeTaskFailure: gate('forPeople', 'x') },
    })
    const before = await definitions()
    const { code, stdout, stderr } = await run('--wide')
    expect({ code, stderr }).toEqual({ code: 3, stderr: '' })
    const [table] = (await run()).stdout.split('\n\n')
    expect(table!.split('\n').filter((text) => text.length > 100)).toEqual([])
    const line = (name: string) => stdout.split('\n').find((text) => text.startsWith(`${name} `))
    expect(line('NAME')).toMatch(/^NAME +VALUES +FOR +NEEDED +IN QLIK SENSE +USED BY$/)
    expect(line('Footman_Mail')).toMatch(
      /Yes +ReloadTask +yes +missing +Butler\.emailNotification\.reloadTaskFailure\.alertEnableByCustomProperty\./,
    )
    expect(line('priority')).toMatch(/middle +ReloadTask +yes +lacks middle /)
    expect(line('Department')).toContain('other case: department')
    expect(line('department')).toMatch(/it +ExternalProgramTask, ReloadTask, UserSyncTask +yes +there /)
    expect(line('retryPolicy')).toMatch(/optional +missing/)
    expect(stdout).toContain('"Department" is called "department" in Qlik Sense')
    expect(line('forPeople')).toMatch(/x +ReloadTask +yes +not for ReloadTask/)
    expect(stdout).toContain('"forPeople" cannot be given to ReloadTask: tick that in the QMC')
    expect(stdout).toContain('--create adds what is missing')
    expect(await definitions()).toEqual(before)
  })

  test('without Qlik Sense only what is needed; as JSON', async () => {
    configure()
    const { code, stdout } = await run('--no-qs-connection', '--json')
    expect(code).toBe(0)
    const listed = JSON.parse(stdout) as { name: string; state: unknown; values: string[] }[]
    expect(listed.map(({ name, state }) => [name, state])).toEqual([
      ['priority', null],
      ['Footman_Mail', null],
      ['Department', null],
      ['department', null],
      ['retryPolicy', null],
      ['watchPolicy', null],
    ])
  })

  test('nothing to do ends with 0', async () => {
    configure({ footman: { retryPolicy: { enable: false }, watchdog: { enable: false } } })
    expect(await run()).toMatchObject({ code: 0, stdout: 'The configuration uses no custom properties.' })
    configure({
      emailNotification: {
        ...NEEDS.emailNotification,
        reloadTaskFailure: gate('priority', 'low'),
        reloadTaskAborted: { enable: false },
        preloadTaskFailure: { enable: false },
      },
    })
    expect((await run()).code).toBe(0)
  })
})

describe('creating', () => {
  test('first says what it would do; without somebody to ask it does nothing', async () => {
    configure()
    const before = await definitions()
    const dry = await run('--create', '--dry-run')
    expect(dry.stdout).toContain('create Footman_Mail (values Yes; for ReloadTask)\n')
    expect(dry.stdout).not.toContain('created')
    const refused = await run('--create')
    expect({ code: refused.code, stderr: refused.stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('there is no terminal to ask on: give --yes to do it, or --dry-run'),
    })
    expect(await definitions()).toEqual(before)
  })

  test('adds properties and values, and leaves everything else', async () => {
    configure()
    const before = await definitions()
    const { code, stdout, stderr } = await run('--create', '--yes')
    expect(stdout).toContain('created Footman_Mail')
    expect(stdout).toContain('added to priority: middle')
    // What only a person can do is left.
    expect({ code, stderr }).toEqual({ code: 3, stderr: '' })
    expect(await named('Footman_Mail')).toMatchObject({
      choiceValues: ['Yes'],
      objectTypes: ['ReloadTask'],
      valueType: 'Text',
    })
    expect((await named('priority'))?.choiceValues).toEqual(['high', 'low', 'middle'])
    expect(await named('retryPolicy')).toBeUndefined()
    const others = (list: Definition[]) => list.filter(({ name }) => !['Footman_Mail', 'priority'].includes(name))
    expect(others(await definitions())).toEqual(others(before))
    expect((await run('--create', '--yes')).stdout).toContain('Nothing has to be created.')
  })

  test('makes what is only optional when it is named, or asked for', async () => {
    configure()
    const { code, stdout } = await run('retryPolicy', '--create', '--yes')
    expect(code).toBe(0)
    expect(stdout).toContain('"retryPolicy" has no values yet: add the retry policies like 3x/5m')
    expect(await named('retryPolicy')).toMatchObject({
      choiceValues: [],
      objectTypes: ['ExternalProgramTask', 'ReloadTask', 'UserSyncTask'],
    })
    expect(await named('Footman_Mail')).toBeUndefined()
    await run('--create', '--yes', '--optional')
    expect(await named('watchPolicy')).toBeDefined()
    expect(await run('Fotman')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('does not use "Fotman", but'),
    })
  })

  test('a user without the right is named, with what to do', async () => {
    configure(NEEDS, 'UserDirectory=LAB;UserId=bertil')
    const { code, stderr } = await run('--create', '--yes')
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^error: custom-properties: Qlik Sense refuses this to UserDirectory=LAB;UserId=bertil: give that user a role/,
    )
    expect(await named('Footman_Mail')).toBeUndefined()
  })
})

describe('trouble', () => {
  test('Qlik Sense that does not answer', async () => {
    configure(NEEDS, undefined, { port: 1 })
    const refused = await run()
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/^error: custom-properties: 127\.0\.0\.1:1: .*for details: footman doctor$/)
  })
  test('a configuration that has errors', async () => {
    writeFileSync(directory.join('c.yaml'), 'Butler:\n  logLevel: [\n')
    expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining('the configuration has errors') })
    writeFileSync(directory.join('c.yaml'), 'Butler:\n  logLevel: info\n')
    expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining('configQRS.host') })
  })
})
