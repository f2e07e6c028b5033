/** The point about one execution of a task, with the names, types and spellings that dashboards query. */
import type { TaskEvent } from '../../../events/types.ts'
import type { InfluxPoint } from '../../../metrics/influxdb/types.ts'
import { STATUS_TEXTS } from '../../../qlik/qrs/status.ts'
import type { QrsExecutionResult, QrsNamed } from '../../../qlik/qrs/types.ts'
import { durationParts, type TimeFormatter, utcParts } from '../../times.ts'
import { failureText, NO_LOG, successText } from './log-text.ts'
import type { InfluxSection, TaskKind } from './sections.ts'

type Tags = Record<string, string | number | null | undefined>
type Fields = InfluxPoint['fields']

/** `withDynamicTags`: false for databases that take no new tags. */
export function taskPoint(
  event: TaskEvent,
  section: InfluxSection,
  times: TimeFormatter,
  withDynamicTags = true,
): InfluxPoint {
  const tags: Tags = {
    ...messageTags(event),
    ...appTags(event, section.kind),
    ...executionTags(event, section),
    ...(withDynamicTags ? dynamicTags(event, section) : {}),
  }
  for (const { name, value } of section.staticTags) if (value !== '') tags[name] = value
  return {
    measurement: section.measurement,
    tags,
    fields: {
      log_timestamp: event.logTimeStamp,
      execution_id: event.executionId,
      log_message: event.logMessage,
      ...(event.execution ? executionFields(event.execution, section.kind, times) : {}),
      ...logFields(event, section),
    },
    time: event.receivedAt,
  }
}

function messageTags({ host, user, taskId, taskName, logLevel }: TaskEvent): Tags {
  return { host, user: user.replaceAll('\\', '/'), task_id: taskId, task_name: taskName, log_level: logLevel }
}

function appTags({ appId, appName, task }: TaskEvent, { app }: TaskKind): Tags {
  if (app === null) return {}
  return app === 'message' ? { app_id: appId, app_name: appName } : { app_id: task?.app?.id, app_name: task?.app?.name }
}

/** The misspelled name is the one that published dashboards use. */
function statusText(text: string): Tags {
  return { task_exeuctionStatusText: text, task_executionStatusText: text }
}

function executionTags({ execution }: TaskEvent, { kind, outcome }: InfluxSection): Tags {
  if (execution) {
    return {
      task_executingNodeName: execution.executingNodeName,
      task_executionStatusNum: execution.status,
      ...statusText(STATUS_TEXTS[execution.status] ?? ''),
    }
  }
  if (kind.type !== 'reload' || outcome === 'success') return {}
  return { task_executingNodeName: 'unknown', task_executionStatusNum: -1, ...statusText(NO_LOG) }
}

function dynamicTags({ app, task }: TaskEvent, { useAppTags, useTaskTags }: InfluxSection): Tags {
  const flags = (prefix: string, named: readonly QrsNamed[] | undefined) =>
    Object.fromEntries((named ?? []).map(({ name }) => [`${prefix}_${name}`, 'true']))
  return { ...(useAppTags ? flags('appTag', app?.tags) : {}), ...(useTaskTags ? flags('taskTag', task?.tags) : {}) }
}

function executionFields(
  { startTime, stopTime, duration }: QrsExecutionResult,
  { times: shape }: TaskKind,
  times: TimeFormatter,
): Fields {
  const instant = (name: string, iso: string) =>
    JSON.stringify(shape === 'texts' ? times.variants(name, iso) : utcParts(iso))
  return {
    task_executionStartTime_json: instant('startTime', startTime),
    task_executionStopTime_json: instant('stopTime', stopTime),
    ...durationFields(duration),
  }
}

function durationFields(duration: number): Fields {
  const { hours, minutes, seconds } = durationParts(duration)
  if (hours === '' || minutes === '' || seconds === '') return {}
  return {
    task_executionDuration_json: JSON.stringify({ hours, minutes, seconds }),
    task_executionDuration_sec: hours * 3600 + minutes * 60 + seconds,
    task_executionDuration_min: hours * 60 + minutes + seconds / 60,
    task_executionDuration_h: hours + minutes / 60 + seconds / 3600,
  }
}

function logFields(event: TaskEvent, section: InfluxSection): Fields {
  if (section.kind.type !== 'reload') return {}
  return section.outcome === 'success' ? successLogFields(event, section) : failureLogFields(event, section)
}

/** The text stands in two fields, as older dashboards read one of them and newer ones the other. */
function failureLogFields({ execution, scriptLog }: TaskEvent, { scriptLog: lines }: InfluxSection): Fields {
  if (!execution || !lines) return { task_scriptLogSize: 0, task_scriptLogTailCount: 0, scriptLog: NO_LOG }
  const text = failureText(execution, scriptLog, lines)
  return {
    task_scriptLogSize: scriptLog ? execution.scriptLogSize || scriptLog.characters : 0,
    task_scriptLogTailCount: lines.tailLines,
    scriptLog: text,
    reload_log: text,
  }
}

function successLogFields({ execution, scriptLog }: TaskEvent, { scriptLog: lines }: InfluxSection): Fields {
  const counts = (headLines: number, tailLines: number, size: number) => ({
    task_scriptLogSize: size,
    task_scriptLogHeadCount: headLines,
    task_scriptLogTailCount: tailLines,
  })
  if (!lines) return counts(0, 0, execution?.scriptLogSize ?? 0)
  if (!scriptLog) return { ...counts(0, 0, 0), scriptLog: NO_LOG }
  const text = successText(execution, scriptLog, lines)
  const size = execution?.scriptLogSize || scriptLog.characters
  return { ...counts(lines.headLines, lines.tailLines, size), scriptLog: text, reload_log: text }
}
