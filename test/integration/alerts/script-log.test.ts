import { afterEach, describe, expect, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import {
  cloudLogFile,
  createScriptLogDestination,
  pathWithin,
  reloadLogFile,
  scriptLogRules,
} from '../../../src/alerts/destinations/scriptlog.ts'
import { sampleEvent } from '../../../src/alerts/sample-event.ts'
import { butler } from '../../../src/app/schema.ts'
import type { TaskEvent } from '../../../src/events/types.ts'
import { fullEvent, renderInput, STOCKHOLM, scriptLog } from '../../support/alerts.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'

const directories: TempDirectory[] = []
afterEach(() => {
  for (const directory of directories.splice(0)) directory.remove()
})

function store(more: object = {}) {
  const directory = tempDirectory()
  directories.push(directory)
  const log = recordingLog()
  const enable = { enable: true, logDirectory: 'logs/qseow' }
  const config = butler.parse({
    scriptLog: { storeOnDisk: { clientManaged: { reloadTaskFailure: enable }, qsCloud: { appReloadFailure: enable } } },
    qlikSenseCloud: { enable: true },
    ...more,
  })
  const output = (path: string) => directory.join(path)
  const destination = createScriptLogDestination({ log, times: STOCKHOLM, output }, config)
  const routes = scriptLogRules(config, STOCKHOLM)
  return {
    directory,
    log,
    routes,
    async save(event: TaskEvent) {
      const route = routes.find(({ when }) => when.types.includes(event.type))!
      const message = await destination.render(renderInput(route, event))
      const [result] = await destination.deliver([message], new AbortController().signal)
      return { result: result!, target: message.target, path: directory.join('logs/qseow', message.target) }
    },
  }
}

const EVENT = fullEvent({
  logTimeStamp: '2024-10-10 15:35:25,117',
  appId: 'b7e0d2f4-6a11-4c0e-8a7f-95d3c1f0aa10',
  taskId: '4a9f6c1e-2f0b-4d3c-9e55-0c7d1b6e8a21',
  scriptLog: scriptLog(['A', 'B å', 'C', '']),
})

describe('a script log of a failed reload', () => {
  test('is a file of its own in a folder of the day, lines ended by LF', async () => {
    const { save } = store()
    const { result, target, path } = await save(EVENT)
    expect(target).toBe(
      '2024-10-10/2024-10-10_15-35-25_appId=b7e0d2f4-6a11-4c0e-8a7f-95d3c1f0aa10_taskId=4a9f6c1e-2f0b-4d3c-9e55-0c7d1b6e8a21.log',
    )
    expect(result).toEqual({ outcome: 'delivered', detail: path })
    expect(readFileSync(path, 'utf8')).toBe('A\nB å\nC\n')
    expect(readdirSync(dirname(path))).toHaveLength(1)
  })

  test('replaces an older one', async () => {
    const { save } = store()
    await save(EVENT)
    const { path } = await save({ ...EVENT, scriptLog: scriptLog(['new']) })
    expect(readFileSync(path, 'utf8')).toBe('new')
  })

  test('that is short is stored with a warning', async () => {
    const { save, log } = store()
    await save(EVENT)
    expect(log.of('warn')).toContainEqual(expect.stringContaining('fewer than 10 lines'))
  })

  test('that cannot be written is tried again later', async () => {
    const { save, directory } = store()
    mkdirSync(directory.join('logs'))
    writeFileSync(directory.join('logs', 'qseow'), 'a file where the folder should be')
    const { result } = await save(EVENT)
    expect(result).toMatchObject({ outcome: 'retry', slow: true, detail: expect.stringContaining('cannot be written') })
  })

  test('that does not exist makes no file; nothing else needs to want it', () => {
    const [route] = store().routes
    expect(route!.plan({ ...EVENT, scriptLog: null })).toEqual([])
    expect(route!.needs).toEqual(['scriptLog'])
    expect(store({ scriptLog: {} }).routes).toEqual([])
  })

  test('of Qlik Cloud is named by its reload', async () => {
    const event = { ...sampleEvent('x', 'failed', Date.parse('2024-10-14T11:41:31.000Z'), 'cloudReload') }
    const { target, result } = await store().save(event)
    expect(target).toBe(
      '2026-01-15/2026-01-15T06-03-11_appId=66666666-7777-4888-8999-aaaaaaaaaaaa_reloadId=670e1df04cf4e529c035c902.log',
    )
    expect(result.outcome).toBe('delivered')
  })
})

describe('names of files', () => {
  test('a time stamp that is none is replaced by the time of receipt', () => {
    for (const logTimeStamp of ['', '../../../etc/passwd', '2024-99', '\\\\server\\share']) {
      const name = reloadLogFile({ ...EVENT, logTimeStamp }, STOCKHOLM)
      expect(name).toStartWith('2025-10-14/2025-10-14_09-28-43_appId=')
    }
  })

  test('ids lead nowhere else', () => {
    const evil = '../../..\\..\\evil:stream\0/x'
    const event = { ...EVENT, appId: evil, taskId: evil, executionId: evil }
    for (const name of [reloadLogFile(event, STOCKHOLM), cloudLogFile({ ...event, details: null })]) {
      expect(name).toMatch(/^\d{4}-\d\d-\d\d\/[\w=-]+\.log$/)
      expect(pathWithin('/data/logs', name)).toStartWith('/data/logs/')
    }
  })

  test('a path outside is refused', () => {
    for (const file of ['../x', '/etc/passwd', 'a/../../x', '']) expect(pathWithin('/data/logs', file)).toBeNull()
  })
})
