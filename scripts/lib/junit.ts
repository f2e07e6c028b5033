/** Reads the report of `bun test`, and checks that it is complete. */

export interface TestCase {
  /** Relative to the repository, with forward slashes. */
  readonly file: string
  /** With its groups: `group > inner group > name`. */
  readonly name: string
  readonly state: 'passed' | 'failed' | 'skipped'
  /** Why it failed; '' for the others. */
  readonly message: string
}

export interface Verdict {
  readonly cases: readonly TestCase[]
  /** Files that were to run and are not in the report. */
  readonly missing: readonly string[]
  /** One sentence each: failures that belong to no test and no file. */
  readonly problems: readonly string[]
}

export interface SuiteRun {
  /** Null when the run was ended by a signal. */
  readonly exitCode: number | null
  /** The JUnit file; null when none was written. */
  readonly xml: string | null
  /** Every test file that was to run, as paths relative to the repository with forward slashes. */
  readonly expectedFiles: readonly string[]
}

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/**
 * Exit code, report and list of files must agree. `bun test` omits a file that could not be loaded from its report and
 * writes none at all when a test ends the process; each such gap counts as a failure.
 */
export function judge(run: SuiteRun): Verdict {
  if (run.xml === null) {
    return { cases: [], missing: [], problems: [`no test report was written (exit code ${run.exitCode})`] }
  }
  const cases = readCases(run.xml)
  const reported = new Set(cases.map(({ file }) => file))
  const missing = run.expectedFiles.filter((file) => !reported.has(file))
  const failed = cases.some(({ state }) => state === 'failed')
  const unexplained = run.exitCode !== 0 && !failed && missing.length === 0
  const problems = unexplained ? [`exit code ${run.exitCode}, although no test is reported as failed`] : []
  return { cases, missing, problems }
}

export function count({ cases, missing, problems }: Verdict): Counts {
  const of = (state: TestCase['state']): number => cases.filter((one) => one.state === state).length
  return { passed: of('passed'), failed: of('failed') + missing.length + problems.length, skipped: of('skipped') }
}

/** The test cases of a JUnit file, in order. */
export function readCases(xml: string): TestCase[] {
  const found = xml.matchAll(/<testcase\b((?:\s+[\w:-]+="[^"]*")*)\s*(?:(\/)>|>([\s\S]*?)<\/testcase>)/g)
  return [...found].map(([, attributes = '', , body = '']) => {
    const state = /<(failure|error)\b/.test(body) ? 'failed' : /<skipped\b/.test(body) ? 'skipped' : 'passed'
    const message = state === 'failed' ? failureText(body) : ''
    return { file: attribute(attributes, 'file').replaceAll('\\', '/'), name: nameOf(attributes), state, message }
  })
}

/** With the place in the source, where the report has it. */
const failureText = (body: string): string =>
  decoded(/<(failure|error)\b[^>]*[^/]>([\s\S]*?)<\/\1>/.exec(body)?.[2] ?? attribute(body, 'message')).trim()

/** The report names the innermost group first. */
function nameOf(attributes: string): string {
  const groups = attribute(attributes, 'classname').split(' > ').reverse()
  return [...groups.filter((group) => group !== ''), attribute(attributes, 'name')].join(' > ')
}

const attribute = (text: string, name: string): string =>
  decoded(new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(text)?.[1] ?? '')

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }

const decoded = (text: string): string =>
  text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole
    return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal))
  })
