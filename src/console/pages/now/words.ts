/** How items of the attention list are called, and where they lead. */

import type { AttentionItem, AttentionKind } from '../../../tasks/overview/contract.ts'
import type { State } from '../../ui/marks.tsx'
import { counted, durationText, usuallyText } from '../../ui/text.tsx'

interface KindWords {
  /** Name of the chip that filters by it; kinds with the same name share one. */
  readonly chip: 'Tasks' | 'Delivery' | 'Reports' | 'Schedules' | 'System'
  readonly mark: State
  /** Term of the time since when. */
  readonly since: string
  readonly state: (item: AttentionItem, now: number) => string
  /** Page about it, below the console. */
  readonly path: (item: AttentionItem) => string
}

const task = { chip: 'Tasks', path: ({ task }: AttentionItem) => `/tasks/${task?.taskId ?? ''}` } as const
const tail = ({ key }: AttentionItem) => encodeURIComponent(key.slice(key.indexOf(':') + 1))
const always = (text: string) => () => text

export const KINDS: Readonly<Record<AttentionKind, KindWords>> = {
  taskFailed: {
    ...task,
    mark: 'failed',
    since: 'Failing since',
    state: ({ count, outcome }) => {
      const ended = outcome === 'aborted' ? 'Aborted' : 'Failed'
      return count > 1 ? `${ended}, ${count} in a row` : ended
    },
  },
  neverStarted: {
    ...task,
    mark: 'missing',
    since: 'Expected',
    state: ({ count }) => (count > 1 ? `Never started, ${count} times` : 'Never started'),
  },
  stuck: { ...task, mark: 'late', since: 'Since', state: running('Stuck') },
  late: { ...task, mark: 'late', since: 'Since', state: running('Late') },
  overdue: {
    ...task,
    mark: 'late',
    since: 'Due',
    state: ({ dueAt }, now) => (dueAt ? `${durationText(now - Date.parse(dueAt), true)} overdue` : 'Overdue'),
  },
  overUsual: { ...task, mark: 'late', since: 'Started', state: running('Late') },
  deadDeliveries: {
    chip: 'Delivery',
    mark: 'failed',
    since: 'Since',
    state: ({ count }) => counted(count, 'failed delivery', 'failed deliveries'),
    path: (item) => `/deliveries?state=dead&destination=${tail(item)}`,
  },
  destinationDown: {
    chip: 'Delivery',
    mark: 'failed',
    since: 'Since',
    state: always('Down'),
    path: (item) => `/destinations/${tail(item)}`,
  },
  self: { chip: 'System', mark: 'warning', since: 'Since', state: always('Self-alert'), path: always('/system') },
  service: { chip: 'System', mark: 'failed', since: 'Since', state: always('Not running'), path: always('/system') },
  licence: { chip: 'System', mark: 'warning', since: 'Seen', state: always('Ends soon'), path: always('/system') },
  reportFailed: {
    chip: 'Reports',
    mark: 'failed',
    since: 'Since',
    state: always('Report failed'),
    path: (item) => `/reports/tasks/${tail(item)}`,
  },
  reportHeld: {
    chip: 'Reports',
    mark: 'warning',
    since: 'Since',
    state: ({ count }) => `${counted(count, 'mail')} held`,
    path: (item) => `/reports/tasks/${tail(item)}`,
  },
  scheduleInvalid: {
    chip: 'Schedules',
    mark: 'warning',
    since: 'Seen',
    state: always('Not valid'),
    path: (item) => `/schedules/${tail(item)}`,
  },
  dropped: {
    chip: 'System',
    mark: 'warning',
    since: 'First',
    state: ({ count }) => `${counted(count, 'message')} refused`,
    path: always('/events/dropped'),
  },
}

/** `Running 22 min, usually 18 min`, or the word alone when it does not run any more. */
function running(word: string) {
  return ({ runningAgain, usualMs }: AttentionItem, now: number): string => {
    if (runningAgain?.state !== 'running') return word
    return `Running ${durationText(now - Date.parse(runningAgain.startedAt), true)}${usuallyText(usualMs, ', ')}`
  }
}
