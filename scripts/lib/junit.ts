/** Reads what `bun test` reports, and doubts it. */

export interface Verdict {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** One sentence each: failures that the report itself does not show. */
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

/**
 * Exit code, report and list of files must agree. `bun test` omits a file that could not be loaded from its report and
 * writes none at all when a test ends the process; each such gap counts as a failure.
 */
export function judge(run: SuiteRun): Verdict {
  if (run.xml === null) {
    return { passed: 0, failed: 1, skipped: 0, problems: [`no test report was written (exit code ${run.exitCode})`] }
  }
  const report = summarise(run.xml)
  const problems = run.expectedFiles
    .filter((file) => !report.files.has(file))
    .map((file) => `${file}: not in the report; it could not be loaded or holds no test`)
  if (run.exitCode !== 0 && report.failed + problems.length === 0) {
    problems.push(`exit code ${run.exitCode}, although no test is reported as failed`)
  }
  const { passed, failed, skipped } = report
  return { passed, failed: failed + problems.length, skipped, problems }
}

/** Counts of the test cases in a JUnit file, and the files that they stand in. */
export function summarise(xml: string): { passed: number; failed: number; skipped: number; files: Set<string> } {
  const files = new Set<string>()
  let [passed, failed, skipped] = [0, 0, 0]
  for (const [, attributes = '', selfClosing, body = ''] of xml.matchAll(
    /<testcase\b((?:\s+[\w:-]+="[^"]*")*)\s*(?:(\/)>|>([\s\S]*?)<\/testcase>)/g,
  )) {
    const file = /\sfile="([^"]*)"/.exec(attributes)?.[1]
    if (file) files.add(file.replaceAll('\\', '/'))
    if (!selfClosing && /<(failure|error)\b/.test(body)) failed++
    else if (!selfClosing && /<skipped\b/.test(body)) skipped++
    else passed++
  }
  return { passed, failed, skipped, files }
}
