/** What schedules of the executable do: tasks by tag, dumps of all apps, webhooks; and the commands about them. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { runToEnd } from '../support/binary.ts'
import { ALL_ENDPOINTS } from '../support/everything.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { needs } from '../support/servers.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const FILE = `butlerSchedule:
  - name: By tag
    id: by-tag
    cronSchedule: 0 6 * * *
    timezone: UTC
    qlikSenseTaskId: ''
    startupState: stopped
    target:
      tag: [financial-reports]
  - name: Backup
    id: backup
    cronSchedule: 0 6 * * *
    timezone: Europe/Stockholm
    qlikSenseTaskId: ''
    startupState: stopped
    action: {type: appDump, folder: nightly, keep: 2}
  - name: Sales apps
    id: sales
    cronSchedule: 0 6 * * *
    timezone: UTC
    qlikSenseTaskId: ''
    startupState: stopped
    action: {type: appDump, folder: sales, apps: {name: "Sales*"}}
  - name: Hook
    id: hook
    cronSchedule: 0 6 * * *
    timezone: UTC
    qlikSenseTaskId: ''
    startupState: stopped
    action: {type: webhook, destination: tickets, body: '{"what": "{{scheduleName}}", "run": "{{runId}}"}'}
`

interface RunView {
  readonly runId: string
  readonly state: string
  readonly outcome: string | null
  readonly detail: string | null
  readonly tasks: readonly {
    readonly taskId: string
    readonly executionId: string | null
    readonly outcome: string | null
  }[]
}

let site: TestSite
let sink: HttpSink
let product: Footman

beforeAll(async () => {
  site = await startSite()
  sink = await startHttpSink()
  product = await footman({
    simulator: site.simulator,
    config: {
      scheduler: { enable: true, configfile: 'schedule.yaml' },
      restServerEndpointsEnable: ALL_ENDPOINTS,
      configEngine: {
        engineVersion: '12.612.0',
        host: '127.0.0.1',
        port: site.simulator.ports.engine,
        useSSL: true,
        rejectUnauthorized: true,
        headers: { static: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }] },
      },
      footman: { destinations: { tickets: { type: 'webhook', url: `${sink.url}/tickets` } } },
    },
  })
  writeFileSync(product.directory.join('schedule.yaml'), FILE)
  await product.start()
}, 90_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await sink?.stop()
  await site?.[Symbol.asyncDispose]()
})

async function run(id: string): Promise<string> {
  const answer = await product.call('POST', `/v4/schedules/${id}/run`)
  expect(answer.status).toBe(202)
  return ((await answer.json()) as { runId: string }).runId
}

async function runsOf(id: string): Promise<readonly RunView[]> {
  return ((await (await product.call('GET', `/v4/schedules/${id}/runs`)).json()) as { runs: RunView[] }).runs
}

const finished = (id: string, runId: string): Promise<RunView> =>
  until(async () => (await runsOf(id)).find((one) => one.runId === runId && one.state === 'finished'), {
    timeout: 40_000,
    what: `the end of run ${runId} of ${id}`,
  })

test('a tag starts each of its tasks once, and the outcome of each is known', async () => {
  const { outcome, tasks } = await finished('by-tag', await run('by-tag'))
  expect(tasks.map(({ taskId }) => taskId).sort()).toEqual([
    'a8b4c123-def4-5678-9abc-def012345678',
    'b9c5d234-efe5-6789-abcd-ef0123456789',
  ])
  expect(new Set(tasks.map(({ executionId }) => executionId)).size).toBe(2)
  for (const task of tasks) expect(['success', 'failed', 'aborted']).toContain(task.outcome!)
  expect(['success', 'failed', 'aborted']).toContain(outcome!)
}, 60_000)

test('a webhook is one delivery through the outbox, with the body of the schedule', async () => {
  const runId = await run('hook')
  expect(await finished('hook', runId)).toMatchObject({
    outcome: 'success',
    detail: expect.stringContaining('delivery to '),
  })
  const [request] = await until(() => sink.requests.length > 0 && sink.requests, { timeout: 20_000 })
  expect(JSON.parse(request!.body)).toEqual({ what: 'Hook', run: runId })
}, 60_000)

const dumps = (folder: string): string[] => {
  const path = product.directory.join('data', 'appdump', folder)
  return existsSync(path) ? readdirSync(path).sort() : []
}

describe('dumps of apps', () => {
  test('all apps into a folder of their own, with an index; older ones go', async () => {
    const names: string[] = []
    for (let i = 0; i < 3; i += 1) {
      const { outcome, detail } = await finished('backup', await run('backup'))
      expect([outcome, detail]).toEqual(['success', expect.stringMatching(/^\d+ of \d+ apps dumped into /)])
      names.push(detail!.split(' ').at(-1)!)
    }
    expect(names[0]).toMatch(/^\d{4}-\d{2}-\d{2}_\d{6}$/)
    expect(dumps('nightly')).toEqual(names.slice(1))
    const folder = product.directory.join('data', 'appdump', 'nightly', names[2]!)
    const index = JSON.parse(readFileSync(`${folder}/index.json`, 'utf8')) as {
      apps: { appId: string; file: string }[]
    }
    expect(index.apps.length).toBeGreaterThan(5)
    for (const { appId, file } of index.apps) {
      const dump = JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as { appId: string; loadScript: string }
      expect(dump.appId).toBe(appId)
      expect(dump.loadScript).toBeString()
    }
  }, 90_000)

  test('only some apps', async () => {
    const { detail } = await finished('sales', await run('sales'))
    const index = JSON.parse(
      readFileSync(
        product.directory.join('data', 'appdump', 'sales', detail!.split(' ').at(-1)!, 'index.json'),
        'utf8',
      ),
    ) as { apps: { name: string }[] }
    expect(index.apps.length).toBeGreaterThan(0)
    for (const { name } of index.apps) expect(name).toStartWith('Sales')
  }, 60_000)

  test('killed in the middle: no half snapshot is to be seen, and the next one is complete', async () => {
    const before = dumps('nightly')
    await run('backup')
    await until(() => dumps('nightly').some((name) => name.endsWith('.partial')), { timeout: 20_000 })
    await product.process.kill9()
    expect(dumps('nightly').filter((name) => !name.startsWith('.'))).toEqual(before)
    await product.start()
    const [cut] = await until(
      async () => {
        const runs = await runsOf('backup')
        return runs.every(({ state }) => state === 'finished') && runs
      },
      { timeout: 20_000 },
    )
    expect(cut).toMatchObject({ outcome: 'failed', detail: 'Footman stopped while the dump was made' })
    expect((await finished('backup', await run('backup'))).outcome).toBe('success')
    expect(dumps('nightly').filter((name) => name.startsWith('.'))).toEqual([])
  }, 90_000)
})

describe('footman schedules', () => {
  function command(...args: string[]) {
    return runToEnd(['schedules', ...args, '-c', product.configFile], { cwd: product.directory.path })
  }

  test('list, preview, run and runs', async () => {
    const list = await command('list')
    expect([list.code, list.stdout]).toEqual([0, expect.stringContaining('By tag')])
    const preview = await command('preview', '0 6 * * 1-5', '--timezone', 'Europe/Stockholm', '--count', '2')
    expect(preview.code).toBe(0)
    expect(preview.stdout.trim().split('\n')).toEqual([
      'at 06:00, Monday to Friday (Europe/Stockholm)',
      expect.stringMatching(/^\d{4}-\d\d-\d\d 06:00:00 Europe\/Stockholm$/),
      expect.stringMatching(/^\d{4}-\d\d-\d\d 06:00:00 Europe\/Stockholm$/),
    ])
    const ran = await command('run', 'hook', '--json')
    const { runId } = JSON.parse(ran.stdout) as { runId: string }
    await finished('hook', runId)
    const runs = await command('runs', 'hook')
    expect([runs.code, runs.stdout]).toEqual([0, expect.stringContaining(runId.slice(0, 13))])
    expect((await command('runs', 'hook', '--wide')).stdout).toContain(runId)
  }, 60_000)

  test('add, edit, stop, start and delete', async () => {
    const added = await command(
      'add',
      '--name',
      'Mornings',
      '--cron',
      '0 6 * * 1-5',
      '--task',
      'sales etl hourly',
      '--timezone',
      'UTC',
    )
    expect([added.code, added.stderr]).toEqual([0, ''])
    const id = /^Created: (\S+)$/.exec(added.stdout)![1]!
    const stored = async () => {
      const list = JSON.parse((await command('list', '--json')).stdout) as { id: string }[]
      return list.find((one) => one.id === id)
    }
    expect(await stored()).toMatchObject({ name: 'Mornings', cronSchedule: '0 6 * * 1-5', startupState: 'started' })
    const edited = await command('edit', id.slice(0, 8), '--cron', '0 7 * * 1-5', '--tag', 'etl')
    expect([edited.code, edited.stderr]).toEqual([0, ''])
    expect(await stored()).toMatchObject({ name: 'Mornings', cronSchedule: '0 7 * * 1-5', tags: ['etl'] })
    expect((await command('stop', id)).stdout).toBe(`Stopped: ${id}`)
    expect(await stored()).toMatchObject({ lastKnownState: 'stopped' })
    expect((await command('start', id)).stdout).toBe(`Started: ${id}`)
    const deleted = await command('delete', id, '--json')
    expect([deleted.code, JSON.parse(deleted.stdout)]).toEqual([0, { id, deleted: true }])
    expect(await stored()).toBeUndefined()
  }, 60_000)

  test('exit codes of changes', async () => {
    for (const verb of ['start', 'stop', 'delete']) {
      const { code, stderr } = await command(verb, 'nothing-like-it')
      expect([verb, code, stderr]).toEqual([verb, 3, expect.stringContaining('there is no schedule with this id')])
    }
    expect((await command('edit', 'nothing-like-it', '--name', 'x')).code).toBe(3)
    expect(await command('edit', 'hook')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('say what to change'),
    })
    expect(await command('add', '--name', 'x')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('give --cron, --task'),
    })
    const wrong = await command('add', '--name', 'x', '--cron', '61 * * * *', '--task', 'sales etl hourly')
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('error: schedules add')])
  }, 60_000)

  test('exit codes: wrong cron 1, unknown schedule 3, nobody there 2', async () => {
    const wrong = await command('preview', '0 25 * * *')
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      expect.stringContaining('\n    0 25 * * *\n      ^^ hour 25 is out of range, hours are 0-23'),
    ])
    expect((await command('runs', 'nope')).code).toBe(3)
    expect((await command('run', 'nope')).code).toBe(3)
    expect((await command('list', '--url', 'http://127.0.0.1:9')).code).toBe(2)
    expect((await command('runs', 'hook', '--limit', 'x')).code).toBe(1)
  }, 60_000)
})
