/** Errors, warnings and notes of the loader about a configuration file. */

export type ProblemSeverity = 'error' | 'warning' | 'info'

export interface Place {
  /** The path that the user gave. */
  readonly file: string
  /** From 1; 0 when the problem is not in a line. */
  readonly line: number
  /** From 1; 0 when the problem is not in a line. */
  readonly column: number
}

export interface Problem extends Place {
  readonly severity: ProblemSeverity
  /** `Butler.mqttConfig.brokerPort`; empty when the problem is not about a key. */
  readonly path: string
  readonly message: string
  /** The remedy. */
  readonly hint?: string
  /** Set when only this feature is affected: the path of its section. It stays off, the rest runs. */
  readonly feature?: string
  /** Set when the message is a whole sentence that names the key itself. */
  readonly standalone?: true
  /** About an older layout that is read as before: nothing needs to be done. */
  readonly older?: true
}

/** The consequence of a problem: it prevents the start, switches off the feature that it names, or only warns. */
export function consequenceOf({ severity, feature }: Problem): 'forbids-start' | 'switches-off' | 'warns' {
  if (severity !== 'error') return 'warns'
  return feature === undefined ? 'forbids-start' : 'switches-off'
}

/** The features that problems switch off, each once. */
export function switchedOff(problems: readonly Problem[]): readonly string[] {
  const features = problems
    .filter((problem) => consequenceOf(problem) === 'switches-off')
    .map(({ feature }) => feature!)
  return [...new Set(features)]
}

/** Collects problems in the order of the file. */
export interface ProblemList {
  add(problem: Problem): void
  readonly all: readonly Problem[]
}

export function createProblemList(): ProblemList {
  const all: Problem[] = []
  return { add: (problem) => void all.push(problem), all }
}

/** `config.yaml:12:5 error Butler.x.y: must be a number, found "abc". Hint: ...` */
export function renderProblem(problem: Problem): string {
  const where = problem.line > 0 ? `${problem.file}:${problem.line}:${problem.column}` : problem.file
  return [where, problem.severity, sentence(problem)].filter(Boolean).join(' ')
}

/**
 * The line for the log: `CONFIG: Butler.x.y: must be ... (config.yaml:12:5)`. `hasStarted`: Footman runs in spite of what
 * forbids its start (`--skip-config-verification`).
 */
export function logLineOf(problem: Problem, hasStarted = false): string {
  const said = sentence(problem, hasStarted)
  const text = problem.standalone && /^(CONFIG|KEYVALUE)/.test(problem.message) ? said : `CONFIG: ${said}`
  if (problem.severity === 'info' || problem.line === 0) return text
  return `${text} (${problem.file}:${problem.line}:${problem.column})`
}

/** The key, what is wrong with it, and the consequence: no start, or the feature that stays off. */
export function problemText(problem: Problem, hasStarted = false): string {
  const { path, message, standalone, feature } = problem
  const cost = {
    'forbids-start': hasStarted ? '' : '; Footman does not start',
    'switches-off': `; ${feature === path ? 'it' : feature} stays off`,
    warns: '',
  }[consequenceOf(problem)]
  const text = path === '' || standalone ? message : `${path}: ${message}`
  return cost === '' ? text : `${text.replace(/\.$/, '')}${cost}`
}

function sentence(problem: Problem, hasStarted = false): string {
  const { hint } = problem
  const text = problemText(problem, hasStarted)
  return hint ? `${/[.!?]$/.test(text) ? text : `${text}.`} Hint: ${hint}` : text
}

/** Errors first, then by line. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const rank = { error: 0, warning: 1, info: 2 }
  return [...problems].sort(
    (a, b) =>
      rank[a.severity] - rank[b.severity] || a.line - b.line || a.column - b.column || a.path.localeCompare(b.path),
  )
}
