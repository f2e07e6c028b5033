/** The repository client against the simulated site: what the parts say to each other, and every fault of the site. */
import { describe, expect, test } from 'bun:test'
import { createQrsClient } from '../../../src/qlik/qrs/client.ts'
import { QrsError } from '../../../src/qlik/qrs/errors.ts'
import { eq } from '../../../src/qlik/qrs/filter.ts'
import type { QrsSettings } from '../../../src/qlik/qrs/transport.ts'
import type { QrsClient } from '../../../src/qlik/qrs/types.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

const ALONE = '70000000-0000-4000-8000-000000000003'
const UNKNOWN = 'ffffffff-0000-4000-8000-000000000000'

interface Tools extends AsyncDisposable {
  readonly site: TestSite
  readonly qrs: QrsClient
}

async function tools(settings: Parameters<typeof startSite>[0] = {}, own: Partial<QrsSettings> = {}): Promise<Tools> {
  const site = await startSite(settings)
  const { ca, client } = site.simulator.certificates.pem
  const qrs = createQrsClient(
    { log: recordingLog() },
    {
      host: '127.0.0.1',
      port: site.simulator.ports.qrs,
      useSSL: true,
      headers: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }],
      rejectUnauthorized: true,
      certificates: { ca: ca.pem, cert: client.cert.pem, key: client.key.pem },
      timeoutMs: 2000,
      ...own,
    },
  )
  return {
    site,
    qrs,
    async [Symbol.asyncDispose]() {
      qrs.close()
      await site[Symbol.asyncDispose]()
    },
  }
}

describe('a working site', () => {
  test('tasks by id and by tags with awkward characters, apps with owners, ping', async () => {
    await using it = await tools()
    await it.qrs.ping()
    const task = (await it.qrs.taskById(ALONE))!
    expect([task.id, task.name, task.taskType]).toEqual([ALONE, 'HR Insights daily', 0])
    expect(await it.qrs.taskById(UNKNOWN)).toBeNull()

    const tags = [...it.site.simulator.site.tags.values()].filter(({ name }) => /['&#+%\\ ]/.test(name))
    expect(tags.length).toBeGreaterThan(0)
    for (const { name } of tags) {
      const expected = [...it.site.simulator.site.tasks.values()].filter(({ tags: own }) =>
        own.some((tag) => tag.name === name),
      )
      expect((await it.qrs.tasks(eq('tags.name', name))).map(({ id }) => id).sort()).toEqual(
        expected.map(({ id }) => id).sort(),
      )
    }

    const app = (await it.qrs.appById(task.app!.id))!
    expect(app.name).toBe('HR Insights')
    const owner = (await it.qrs.owner(app.owner!.id))!
    expect([owner.directory, owner.userId]).toEqual([app.owner!.userDirectory, app.owner!.userId])
    expect(await it.qrs.owner(UNKNOWN)).toBeNull()
  })

  test.each(['both', 'old-removed', 'new-missing'] as const)(
    'start, result and script log (log API: %s)',
    async (api) => {
      await using it = await tools({
        tasks: { [ALONE]: { durationMs: 30, outcome: 'fail' } },
        modes: { scriptLog: { api, delayMs: 0, byteOrderMark: true } },
      })
      const ended = it.site.simulator.ended(ALONE)
      const started = await it.qrs.startTask(ALONE)
      const { executionID } = await ended
      expect(started).toEqual({ started: true, executionId: executionID })
      const [result] = await it.qrs.executionResults(executionID)
      expect([result!.status, result!.taskID]).toEqual([8, ALONE])
      expect(result!.details.length).toBeGreaterThan(3)
      const log = await until(() => it.qrs.scriptLog(ALONE, result!))
      expect(log).toContain('Execution started.\r\n')
      expect(log).not.toContain('\uFEFF')
    },
  )

  test('a disabled and an unknown task do not start', async () => {
    await using it = await tools()
    it.site.simulator.setTask(ALONE, { enabled: false })
    expect((await it.qrs.startTask(ALONE)).started).toBe(false)
    expect(await it.qrs.startTask(UNKNOWN)).toEqual({ started: false, reason: 'the task does not exist' })
  })

  test('lists are complete although the site cuts them', async () => {
    await using it = await tools({ modes: { qrs: { maxRecordLimit: 100 } } })
    it.site.simulator.addTasks(250)
    const all = [...it.site.simulator.site.tasks.keys()]
    const found = await it.qrs.tasks(eq('enabled', true))
    const enabled = all.filter((id) => it.site.simulator.site.tasks.get(id)!.enabled)
    expect(found.map(({ id }) => id).sort()).toEqual(enabled.sort())
  })

  test('a hundred parallel look-ups share few connections', async () => {
    await using it = await tools({}, { maxSockets: 8 })
    it.site.simulator.clearRequests()
    await Promise.all(Array.from({ length: 100 }, () => it.qrs.taskById(ALONE)))
    const requests = it.site.simulator.requests({ listener: 'qrs' })
    expect(requests.length).toBe(100)
    expect(new Set(requests.map(({ connection }) => connection)).size).toBeLessThanOrEqual(8)
    expect(new Set(requests.map(({ clientSubject }) => clientSubject))).toEqual(new Set(['CN=QlikClient']))
  })
})

describe('faults', () => {
  const faults: readonly (readonly [mode: string, args: readonly unknown[], kinds: readonly string[]])[] = [
    ['refuse', [], ['unreachable']],
    ['reset', [], ['unreachable']],
    ['hang', [], ['timeout']],
    ['slow-body', [1], ['timeout']],
    ['tls-expired', [], ['unreachable']],
    ['tls-unknown-ca', [], ['unreachable']],
    ['tls-require-client-cert', [], ['unreachable']],
    ['status', [401], ['status']],
    ['status', [500], ['status']],
    ['status', [502], ['status']],
    ['status', [503], ['status']],
    ['xrf', [], ['status']],
    ['html', [], ['notJson']],
    ['empty', [], ['notJson']],
    ['truncated-json', [], ['notJson']],
  ]

  test.each(faults)('%s %p', async (mode, args, kinds) => {
    const isSlow = kinds.includes('timeout')
    await using it = await tools({}, { timeoutMs: isSlow ? 800 : 10_000 })
    it.site.simulator.fault({ listener: 'qrs', mode, args })
    const error = await it.qrs.taskById(ALONE).catch((caught) => caught)
    expect(error).toBeInstanceOf(QrsError)
    expect(kinds).toContain(error.kind)
    it.site.simulator.clearFaults()
    await until(() => it.qrs.taskById(ALONE))
  })

  test('a wrong content type does no harm', async () => {
    await using it = await tools()
    it.site.simulator.fault({ listener: 'qrs', mode: 'wrong-content-type' })
    expect((await it.qrs.taskById(ALONE))?.id).toBe(ALONE)
  })

  test('a short hiccup is not noticed', async () => {
    await using it = await tools()
    it.site.simulator.fault({ listener: 'qrs', mode: 'status', args: [503], times: 2 })
    expect((await it.qrs.taskById(ALONE))?.id).toBe(ALONE)
  })

  test('a start under a fault reaches the site once', async () => {
    await using it = await tools({}, { timeoutMs: 2000 })
    for (const [mode, args] of [
      ['status', [503]],
      ['reset', []],
      ['hang', []],
    ] as const) {
      it.site.simulator.clearRequests()
      it.site.simulator.fault({ listener: 'qrs', mode, args })
      await expect(it.qrs.startTask(ALONE)).rejects.toThrow(QrsError)
      const posts = it.site.simulator.requests({ listener: 'qrs' }).filter(({ method }) => method === 'POST')
      expect([mode, posts.length]).toEqual([mode, 1])
      it.site.simulator.clearFaults()
    }
  })
})
