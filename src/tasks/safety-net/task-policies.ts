/**
 * The policy of a task: retries, limits of the watchdog and due times each come from its custom property, else from the first
 * entry of `Butler.footman.taskPolicies` that covers the task, else there is none.
 */
import { taskTypeOf } from '../../events/task-type.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { Use } from '../../platform/replaceable.ts'
import type { Logger } from '../../platform/types.ts'
import type { QrsTask } from '../../qlik/qrs/types.ts'
import {
  parseRetryPolicy,
  parseWatchPolicy,
  type RetryPolicy,
  type TaskMatch,
  type TaskPolicyConfig,
  type WatchPolicy,
  watchText,
} from './config-policies.ts'
import { eventAbout } from './events.ts'

/** The custom property of the task, or the policy, that a setting comes from. */
export interface PolicySource {
  readonly kind: 'customProperty' | 'policy'
  readonly name: string
}

export interface Applied<T> {
  readonly value: T
  /** The text in a custom property that means the same; null without one. */
  readonly text: string | null
  /** Null: the default. */
  readonly from: PolicySource | null
}

export interface TaskPolicies {
  /** Null: the task is not started again after a failure. */
  retryOf(task: QrsTask): Applied<RetryPolicy | null>
  watchOf(task: QrsTask): Applied<WatchPolicy>
  /** Texts of due times. */
  dueOf(task: QrsTask): Applied<readonly string[]>
  /** Policies of another configuration. */
  prepare(config: readonly TaskPolicyConfig[]): Use
}

/** Makes a test of events by matches of the kind that rules have; without matches every event passes. */
export type CompileMatches = (matches: readonly TaskMatch[] | undefined) => (event: TaskEvent, at: number) => boolean

export interface CompiledPolicy extends TaskPolicyConfig {
  readonly covers: ReturnType<CompileMatches>
}

interface Settings {
  readonly taskPolicies: readonly TaskPolicyConfig[]
  readonly retryPolicy: { readonly customPropertyName: string }
  readonly watchdog: { readonly customPropertyName: string }
}

export const DUE_PROPERTY = 'dueBy'

export function createTaskPolicies(
  { log, compile }: { readonly log: Logger; readonly compile: CompileMatches },
  { taskPolicies, retryPolicy, watchdog }: Settings,
): TaskPolicies {
  let policies = compilePolicies(taskPolicies, compile)
  /** Lists of a site are asked about again and again. */
  let known = new WeakMap<QrsTask, { readonly policy: CompiledPolicy | undefined }>()
  /** Values that make no sense, by property and task, so that each is logged once. */
  const complainedAbout = new Map<string, string>()

  function complain(prefix: string, property: string, task: QrsTask, value: string, error: string): void {
    const key = `${property} ${task.id.toLowerCase()}`
    if (complainedAbout.get(key) === value) return
    log.warn(`${prefix}: ${property} of task "${task.name}" (${task.id}) is ignored: ${error}`)
    complainedAbout.set(key, value)
  }

  function policyFor(task: QrsTask): CompiledPolicy | undefined {
    const found = known.get(task) ?? { policy: policyOf(policies, task) }
    known.set(task, found)
    return found.policy
  }

  return {
    retryOf(task) {
      const property = retryPolicy.customPropertyName
      const [text] = valuesOf(task, property)
      if (text !== undefined) {
        const parsed = parseRetryPolicy(text)
        if (parsed.ok) return { value: parsed.policy, text, from: { kind: 'customProperty', name: property } }
        complain('RETRY', property, task, text, parsed.error)
      }
      const policy = policyFor(task)
      if (policy?.retry === undefined) return { value: null, text: null, from: null }
      const parsed = parseRetryPolicy(policy.retry)
      return { value: parsed.ok ? parsed.policy : null, text: policy.retry, from: sourceOf(policy) }
    },
    watchOf(task) {
      const property = watchdog.customPropertyName
      const text = valuesOf(task, property).join('; ')
      if (text !== '') {
        const parsed = parseWatchPolicy(text)
        if (parsed.ok) return { value: parsed.policy, text, from: { kind: 'customProperty', name: property } }
        complain('WATCHDOG', property, task, text, parsed.error)
      }
      const policy = policyFor(task)
      const limits = policy && watchText(policy.watch)
      return policy && limits
        ? { value: policy.watch, text: limits, from: sourceOf(policy) }
        : { value: {}, text: null, from: null }
    },
    dueOf(task) {
      const values = valuesOf(task, DUE_PROPERTY)
      if (values.length > 0) return dueTimes(values, { kind: 'customProperty', name: DUE_PROPERTY })
      const policy = policyFor(task)
      return policy?.watch.dueBy ? dueTimes(policy.watch.dueBy, sourceOf(policy)) : dueTimes([], null)
    },
    prepare(config) {
      const next = compilePolicies(config, compile)
      return () => {
        policies = next
        known = new WeakMap()
      }
    },
  }
}

const sourceOf = ({ name }: TaskPolicyConfig): PolicySource => ({ kind: 'policy', name })

const dueTimes = (value: readonly string[], from: PolicySource | null): Applied<readonly string[]> => ({
  value,
  text: value.join('; ') || null,
  from,
})

const valuesOf = ({ customProperties }: QrsTask, property: string): string[] =>
  customProperties.flatMap(({ definition, value }) => (definition.name === property ? value : []))

export const compilePolicies = (config: readonly TaskPolicyConfig[], compile: CompileMatches): CompiledPolicy[] =>
  config.map((policy) => ({ ...policy, covers: compile(policy.match) }))

/** The form of a task that matches read; null for a kind of task that Footman does not have, which no policy covers. */
function eventOf(task: QrsTask): TaskEvent | null {
  const type = taskTypeOf(task.taskType)
  return type && eventAbout({ type, outcome: 'failed', taskId: task.id, taskName: task.name, task }, 0)
}

/** Whether the match of a policy holds for a task. */
export const matchesPolicy = (policy: CompiledPolicy, task: QrsTask): boolean => policyOf([policy], task) === policy

/** The first policy that covers the task. */
export function policyOf(policies: readonly CompiledPolicy[], task: QrsTask): CompiledPolicy | undefined {
  const event = eventOf(task)
  return event ? policies.find(({ covers }) => covers(event, event.receivedAt)) : undefined
}

/** The tasks that a policy covers, without those that one of the policies before it covers. */
export const tasksOfPolicy = (
  policy: CompiledPolicy,
  tasks: readonly QrsTask[],
  before: readonly CompiledPolicy[] = [],
): QrsTask[] => tasks.filter((task) => policyOf([...before, policy], task) === policy)
