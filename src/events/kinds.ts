/** Types, outcomes, sources and severities of events, as configuration, API and database name them. */

/** The kinds of tasks, in the order of the QRS `taskType` numbers 0-4. */
export const TASK_TYPES = ['reload', 'externalProgram', 'userSync', 'distribute', 'preload'] as const

/**
 * The kinds of subjects of an event: a task, an app in Qlik Cloud, an app that was reloaded without a task (by a person in
 * the hub, by a program), a Windows service, the licence, Footman itself.
 */
export const EVENT_TYPES = [...TASK_TYPES, 'cloudReload', 'appReload', 'service', 'license', 'self'] as const

/** How an execution of a task ends. */
export const OUTCOMES = ['failed', 'aborted', 'success'] as const

export const EVENT_OUTCOMES = [
  ...OUTCOMES,
  'late',
  'stuck',
  'neverStarted',
  'stopped',
  'started',
  'unreachable',
  'status',
  'expiring',
  'expired',
  'raised',
  'cleared',
] as const

/** The part that noticed the event. */
export const EVENT_SOURCES = ['udp', 'cloud', 'monitor', 'reconciler', 'watchdog', 'self', 'test'] as const

/** Worst first. */
export const SEVERITIES = ['critical', 'error', 'warning', 'info'] as const

const SEVERITY: Readonly<Partial<Record<(typeof EVENT_OUTCOMES)[number], (typeof SEVERITIES)[number]>>> = {
  expired: 'critical',
  failed: 'error',
  stopped: 'error',
  unreachable: 'error',
  aborted: 'warning',
  late: 'warning',
  stuck: 'warning',
  neverStarted: 'warning',
  expiring: 'warning',
  raised: 'warning',
}

/** The default severity of an outcome; one that is not listed is good news. */
export function severityOf(outcome: (typeof EVENT_OUTCOMES)[number]): (typeof SEVERITIES)[number] {
  return SEVERITY[outcome] ?? 'info'
}
