import { DEFAULT_BEHAVIOUR, NEVER_MS } from '../entities.ts'
import { neverRun, ZERO_GUID } from '../site.ts'
import type {
  SimCompositeEvent,
  SimCompositeRule,
  SimEntity,
  SimSchemaEvent,
  SimTask,
  SimulatedSite,
  TaskType,
} from '../types.ts'
import { Refusal, text } from './replies.ts'
import { SHAPES } from './shapes.ts'
import { applyBody, taskOf } from './write.ts'

type Json = Readonly<Record<string, unknown>>

function base(site: SimulatedSite, prefix: string, by: string): SimEntity {
  const now = site.clock.now()
  return { id: site.nextId(prefix), createdDate: now, modifiedDate: now, modifiedByUserName: by }
}

/** A new task from a body such as `{"name":...,"app":{"id":...}}`; the caller stores it. */
export function createTask(site: SimulatedSite, taskType: TaskType, body: Json, by: string): SimTask {
  const entity = base(site, '75', by)
  const task: SimTask = {
    ...entity,
    name: 'New task',
    taskType,
    enabled: true,
    taskSessionTimeout: 1440,
    maxRetries: 0,
    tags: [],
    customProperties: [],
    app: null,
    isManuallyTriggered: false,
    isPartialReload: false,
    timeToLive: 0,
    preloadNodes: null,
    path: '',
    parameters: '',
    qlikUser: null,
    userDirectory: null,
    operational: {
      id: site.nextId('0b'),
      lastExecutionResult: neverRun(site, entity.id, ZERO_GUID),
      nextExecution: NEVER_MS,
    },
    behaviour: { ...DEFAULT_BEHAVIOUR },
  }
  applyBody(site, task, SHAPES.Task!, body, by)
  if (taskType === 0 && !task.app)
    throw new Refusal(text(400, 'The request contains an invalid property app with EMPTY GuID'))
  return task
}

/** A new schema event; `task` wins over what the body names. */
export function createSchemaEvent(site: SimulatedSite, body: Json, by: string, task?: SimTask): SimSchemaEvent {
  if (body.operational) throw new Refusal(text(400, 'The request contains an invalid property operational'))
  const target = task ?? taskOf(site, body)
  if (!target) throw new Refusal(text(400, 'The request contains an invalid property reloadTask'))
  const event: SimSchemaEvent = {
    ...base(site, '46', by),
    name: 'New schedule',
    enabled: true,
    timeZone: site.timeZone,
    daylightSavingTime: 0,
    startDate: site.clock.now(),
    expirationDate: Date.UTC(9999, 11, 30, 23, 59, 59),
    schemaFilterDescription: ['* * - * * * * *'],
    incrementDescription: '0 0 1 0',
    incrementOption: 2,
    task: target,
    operational: { id: site.nextId('42'), nextExecution: NEVER_MS, timesTriggered: 0 },
  }
  applyBody(site, event, SHAPES.SchemaEvent!, body, by)
  return event
}

/** A new composite event; its rules name their tasks themselves. */
export function createCompositeEvent(site: SimulatedSite, body: Json, by: string, task?: SimTask): SimCompositeEvent {
  const target = task ?? taskOf(site, body)
  const rules = Array.isArray(body.compositeRules) ? (body.compositeRules as Json[]) : []
  if (!target || rules.length === 0)
    throw new Refusal(text(400, 'The request contains an invalid property compositeRules'))
  const event: SimCompositeEvent = {
    ...base(site, '47', by),
    name: 'New chain',
    enabled: true,
    timeConstraint: { days: 0, hours: 0, minutes: 360, seconds: 0 },
    compositeRules: rules.map((rule) => createRule(site, rule)),
    task: target,
  }
  applyBody(site, event, SHAPES.CompositeEvent!, body, by)
  return event
}

function createRule(site: SimulatedSite, rule: Json): SimCompositeRule {
  const task = taskOf(site, rule)
  if (!task) throw new Refusal(text(400, 'The request contains an invalid property compositeRules'))
  return {
    id: site.nextId('44'),
    ruleState: Number(rule.ruleState ?? 1),
    task,
    operational: { id: site.nextId('45'), timeStamp: NEVER_MS, currentState: 0 },
  }
}

/** New objects that consist of plain fields. */
export const SIMPLE_CREATORS: Readonly<Record<string, (site: SimulatedSite, by: string) => SimEntity>> = {
  tag: (site, by) => Object.assign(base(site, '61', by), { name: '' }),
  custompropertydefinition: (site, by) =>
    Object.assign(base(site, 'c1', by), {
      ...{ name: '', description: '', valueType: 'Text' },
      choiceValues: [] as string[],
      objectTypes: [] as string[],
    }),
}
