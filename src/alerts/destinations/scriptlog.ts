/** Script logs of failed reloads as files: a folder per day, ids in the names. */
import { mkdir } from 'node:fs/promises'
import { dirname, isAbsolute, relative, resolve } from 'node:path'
import type { QlikSenseCloudConfig, ScriptLogConfig as ScriptLogSection } from '../../events/config.ts'
import type { EventType, ScriptLog, TaskEvent } from '../../events/types.ts'
import { errorText } from '../../platform/errors.ts'
import { writeFileAtomic } from '../../platform/files.ts'
import type { Logger } from '../../platform/types.ts'
import { appIdOf } from '../message-text/labels.ts'
import type { TimeFormatter } from '../times.ts'
import type { DeliveryResult, Destination, Message, Rule } from '../types.ts'

interface ScriptLogConfig {
  readonly scriptLog: ScriptLogSection
  readonly qlikSenseCloud: QlikSenseCloudConfig
}

interface ScriptLogDeps {
  readonly log: Logger
  readonly times: TimeFormatter
  /** Where a path of the configuration leads. */
  readonly output: (path: string) => string
}

interface Row {
  readonly routeName: string
  readonly type: EventType
  readonly directory: string
  readonly enable: boolean
  readonly file: (event: TaskEvent, times: TimeFormatter) => string
}

interface StoredLog {
  readonly directory: string
  readonly content: string
}

/** Shorter logs usually mean that a reload could not even begin. */
const FEW_LINES = 10

function rowsOf({ scriptLog: { storeOnDisk }, qlikSenseCloud }: ScriptLogConfig): readonly Row[] {
  const own = storeOnDisk.clientManaged.reloadTaskFailure
  const cloud = storeOnDisk.qsCloud.appReloadFailure
  return [
    {
      routeName: 'butler.scriptLog.clientManaged.reloadTaskFailure',
      type: 'reload',
      directory: own.logDirectory,
      enable: own.enable,
      file: reloadLogFile,
    },
    {
      routeName: 'butler.scriptLog.qsCloud.appReloadFailure',
      type: 'cloudReload',
      directory: cloud.logDirectory,
      enable: cloud.enable && qlikSenseCloud.enable,
      file: cloudLogFile,
    },
  ]
}

/** An event without a script log makes no file; its other messages say that the log is missing. */
export function scriptLogRules(config: ScriptLogConfig, times: TimeFormatter): Rule[] {
  return rowsOf(config)
    .filter(({ enable }) => enable)
    .map(({ routeName, type, file }) => ({
      name: routeName,
      destination: 'scriptlog',
      when: { types: [type], outcomes: ['failed'] },
      phase: 'enriched',
      needs: type === 'reload' ? ['scriptLog'] : [],
      plan: (event) => (event.scriptLog ? [{ target: file(event, times), lane: 'scriptlog' }] : []),
    }))
}

export function createScriptLogDestination(deps: ScriptLogDeps, config: ScriptLogConfig): Destination {
  const { log, output } = deps
  const directories = new Map(rowsOf(config).map(({ routeName, directory }) => [routeName, output(directory)]))

  async function store({ target, payload }: Message): Promise<DeliveryResult> {
    const { directory, content } = payload as StoredLog
    const path = pathWithin(directory, target)
    if (!path) return { outcome: 'rejected', detail: `${target} would lie outside ${directory}` }
    try {
      await mkdir(dirname(path), { recursive: true })
      await writeFileAtomic(path, content)
      return { outcome: 'delivered', detail: path }
    } catch (error) {
      return { outcome: 'retry', detail: `${path} cannot be written: ${errorText(error)}`, slow: true }
    }
  }

  return {
    name: 'scriptlog',
    type: 'scriptlog',
    async render({ event, rule, target, deliveryId }) {
      const directory = directories.get(rule.name)
      const { scriptLog } = event
      if (directory === undefined) throw new Error(`rule ${rule.name} has no section in the configuration`)
      if (!scriptLog) throw new Error('the script log is not there any more')
      if (scriptLog.lines.length < FEW_LINES) {
        log.warn(
          `[QSEOW] SCRIPT LOG STORE: the script log of "${event.taskName || event.appName}" has fewer than ${FEW_LINES} lines`,
        )
      }
      const payload: StoredLog = { directory, content: contentOf(scriptLog) }
      return { deliveryId, target, subject: null, body: target, payload }
    },
    // One after the other: many writers would only slow down a slow disk.
    async deliver(batch) {
      const results: DeliveryResult[] = []
      for (const message of batch) results.push(await store(message))
      return results
    },
  }
}

function contentOf({ lines }: ScriptLog): string {
  return lines.join('\n')
}

const TIME = /^(\d{4}-\d\d-\d\d)[ T]\d\d:\d\d:\d\d/

/** `2024-10-10/2024-10-10_15-35-25_appId=<id>_taskId=<id>.log`, with slashes on every system. */
export function reloadLogFile(event: TaskEvent, times: TimeFormatter): string {
  const time = TIME.test(event.logTimeStamp) ? event.logTimeStamp : times.sortable(event.receivedAt)
  const name = `${time.slice(0, 19).replace(/[ T]/, '_').replaceAll(':', '-')}`
  return `${time.slice(0, 10)}/${name}_appId=${safe(appIdOf(event))}_taskId=${safe(event.taskId)}.log`
}

/** `2024-10-14/2024-10-14T11-41-31_appId=<id>_reloadId=<id>.log` */
export function cloudLogFile(event: TaskEvent): string {
  const { logTimeStamp, receivedAt, appId, executionId, details } = event
  const time = TIME.test(logTimeStamp) ? logTimeStamp : new Date(receivedAt).toISOString()
  const name = time.slice(0, 19).replace(' ', 'T').replaceAll(':', '-')
  const reloadId = details?.kind === 'cloudReload' ? String(details.variables.reloadId || executionId) : executionId
  return `${time.slice(0, 10)}/${name}_appId=${safe(appId)}_reloadId=${safe(reloadId)}.log`
}

/** Ids hold letters, digits and hyphens; any other character becomes `_`, so that no id changes the path. */
function safe(id: string): string {
  return id.replace(/[^A-Za-z0-9-]/g, '_').slice(0, 64)
}

/** The absolute path of `file` in `directory`; null when it would lie outside. */
export function pathWithin(directory: string, file: string): string | null {
  const root = resolve(directory)
  const path = resolve(root, file)
  const inside = relative(root, path)
  return inside === '' || inside.startsWith('..') || isAbsolute(inside) ? null : path
}
