/** Starts tasks of the simulated site: the same tasks in the same order, again and again. */
import type { Simulator, SimulatorSettings } from '../../simulator/index.ts'

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

export interface CurlCommand {
  /** Purpose of the command, for the line above it. */
  readonly purpose: string
  readonly url: string
  /** Sent by POST; absent = GET. */
  readonly body?: unknown
  /** Send the content type of JSON. */
  readonly contentType?: boolean
}

interface CommandPlaces {
  readonly restUrl: string
  readonly controlUrl: string
}

export function demoCommands({ restUrl, controlUrl }: CommandPlaces): readonly CurlCommand[] {
  return [
    {
      purpose: `Start the six tasks that have the tag ${DEMO_TAG}`,
      url: `${restUrl}/v4/reloadtask/-/start`,
      body: { tag: [DEMO_TAG] },
      contentType: true,
    },
    {
      purpose: 'Make a task fail in the simulated site, and see the alerts leave',
      url: `${controlUrl}/_sim/run`,
      body: { taskId: FAILING_TASK },
    },
    { purpose: 'Ask whether Footman is on duty', url: `${restUrl}/v4/butlerping` },
  ]
}

interface CurlOptions {
  /** Quotes for cmd.exe instead of a POSIX shell. */
  readonly windows: boolean
  /** Columns; a longer command is continued on a second line where the shell allows it. */
  readonly width: number
}

/** The command as one line, or as two with a backslash between them. */
export function curlLines(command: CurlCommand, { windows, width }: CurlOptions): readonly string[] {
  const quote = windows ? quoteForCmd : quoteForShell
  const request = command.body === undefined ? `curl ${command.url}` : `curl -X POST ${command.url}`
  const header = command.contentType ? [`-H ${quote('Content-Type: application/json')}`] : []
  const data = command.body === undefined ? [] : [`-d ${quote(JSON.stringify(command.body))}`]
  const rest = [...header, ...data].join(' ')
  const whole = rest === '' ? request : `${request} ${rest}`
  if (whole.length <= width || rest === '' || windows) return [whole]
  return [`${request} \\`, `  ${rest}`]
}

const quoteForShell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
const quoteForCmd = (text: string) => `"${text.replaceAll('"', '\\"')}"`
