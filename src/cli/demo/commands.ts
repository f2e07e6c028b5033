/** The commands that the user can copy. */

export interface CurlCommand {
  /** What it does, for the line above it. */
  readonly purpose: string
  readonly url: string
  /** Sent by POST; absent = GET. */
  readonly body?: unknown
  /** Tell the server that the body is JSON. */
  readonly contentType?: boolean
}

export interface CommandPlaces {
  readonly restUrl: string
  readonly controlUrl: string
}

/** This task is nobody else's: it always fails, and the demo never starts it by itself. */
export const FAILING_TASK = 'Sales Report Update'
export const DEMO_TAG = 'hourly-reload'

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

export interface CurlOptions {
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
