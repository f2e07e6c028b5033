/** Starts tasks of the simulated site: the same tasks in the same order, again and again. */
import type { Simulator, SimulatorSettings } from '../../../simulator/index.ts'

/** Task for the commands of the first page: it always fails, and the demo never starts it by itself. */
const FAILING_TASK = 'Sales Report Update'
const DEMO_TAG = 'hourly-reload'

interface Step {
  /** Milliseconds after the beginning of the round. */
  readonly at: number
  readonly task: string
  readonly act: 'start' | 'stop'
}

/** How tasks of the demo behave; the others do as the simulated site says. */
export const BEHAVIOUR: SimulatorSettings['tasks'] = {
  'Financial Dashboard Reload': { outcome: 'fail', durationMs: 700 },
  [FAILING_TASK]: { outcome: 'fail', durationMs: 900 },
  'Manually triggered reload of Test failing reloads 2': { outcome: 'fail', durationMs: 1200 },
  'Flaky reload': { durationMs: 700 },
}

/** Tasks with the tag of the start command are left to the user. The second failure comes within the rate limit. */
export const ROUND: readonly Step[] = [
  { at: 500, task: 'Financial Dashboard Reload', act: 'start' },
  { at: 4500, task: 'Finance QVD nightly', act: 'start' },
  { at: 7500, task: 'Financial Dashboard Reload', act: 'start' },
  { at: 12_000, task: 'Slow Warehouse Load', act: 'start' },
  { at: 14_500, task: 'Slow Warehouse Load', act: 'stop' },
  { at: 18_500, task: 'HR Insights daily', act: 'start' },
  { at: 23_500, task: 'Manually triggered reload of Test failing reloads 2', act: 'start' },
  { at: 29_500, task: 'R&D weekly', act: 'start' },
]
export const ROUND_MS = 35_000

const STOPPED_BY = 'LAB\\anna'

export interface Script {
  start(): void
  stop(): void
}

export function createScript({ simulator }: { simulator: Simulator }): Script {
  const timers = new Set<ReturnType<typeof setTimeout>>()

  function later(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer)
      act()
    }, delayMs)
    timers.add(timer)
  }

  function playRound(): void {
    for (const step of ROUND) later(step.at, () => play(step))
    later(ROUND_MS, playRound)
  }

  function play({ task, act }: Step): void {
    // The task may have been renamed over the control API: its turn is skipped.
    if (![...simulator.site.tasks.values()].some(({ name }) => name === task)) return
    if (act === 'start') simulator.runTask(task)
    else simulator.abort(task, STOPPED_BY)
  }

  return {
    start: playRound,
    stop() {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}

/** A command of the first page: a call with curl, or one of Footman. */
export type DemoCommand = {
  /** Purpose of the command, for the line above it. */
  readonly purpose: string
} & (
  | {
      readonly url: string
      /** JSON, sent by POST. */
      readonly body: unknown
      /** Send the content type of JSON. */
      readonly contentType?: boolean
    }
  | { readonly footman: readonly string[] }
)

interface CommandPlaces {
  readonly restUrl: string
  readonly controlUrl: string
  /** Name or path of the executable, as it is typed. */
  readonly program: string
}

export function demoCommands({ restUrl, controlUrl, program }: CommandPlaces): readonly DemoCommand[] {
  return [
    {
      purpose: 'Make a task fail in the simulated site, and see the alerts leave',
      url: `${controlUrl}/_sim/run`,
      body: { taskId: FAILING_TASK },
    },
    {
      purpose: `Start the six tasks that have the tag ${DEMO_TAG}`,
      url: `${restUrl}/v4/reloadtask/-/start`,
      body: { tag: [DEMO_TAG] },
      contentType: true,
    },
    { purpose: 'List the failed tasks', footman: [program, 'failures', '--url', restUrl] },
    { purpose: 'List the events, with the deliveries of each', footman: [program, 'events', 'list', '--url', restUrl] },
    { purpose: 'List the runs of report tasks', footman: [program, 'reports', 'runs', '--url', restUrl] },
  ]
}

interface CommandOptions {
  /** Quotes for cmd.exe instead of a POSIX shell. */
  readonly windows: boolean
  /** Columns; a longer call is continued on a second line where the shell allows it. */
  readonly width: number
}

/** The command as one line, or as two with a backslash between them. */
export function commandLines(command: DemoCommand, { windows, width }: CommandOptions): readonly string[] {
  if ('footman' in command) return [command.footman.join(' ')]
  const quote = windows ? quoteForCmd : quoteForShell
  const request = `curl -X POST ${command.url}`
  const header = command.contentType ? [`-H ${quote('Content-Type: application/json')}`] : []
  const rest = [...header, `-d ${quote(JSON.stringify(command.body))}`].join(' ')
  const whole = `${request} ${rest}`
  return whole.length <= width || windows ? [whole] : [`${request} \\`, `  ${rest}`]
}

const quoteForShell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
const quoteForCmd = (text: string) => `"${text.replaceAll('"', '\\"')}"`
