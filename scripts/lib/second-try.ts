/** Test files that had failures run a second time; what two runs say together. */
import type { TestCase, Verdict } from './junit.ts'

/** A file of the first run that runs again, alone; its verdict then. */
export type SecondRun = Pick<Verdict, 'cases' | 'missing' | 'problems'>

export interface TwoRuns {
  readonly verdict: Verdict
  /** One line each: what failed once and passed once. */
  readonly flaky: readonly string[]
}

/** With so many files the cause is not chance. */
const MOST_FILES = 15
/** How `bun test` names a hook that fails in the place of the tests behind it. */
const HOOK = '(unnamed)'

/** Files worth a second try. A run without a report, or whose failure has no test, has none. */
export function filesToTry({ cases, missing, problems }: Verdict): string[] {
  const failed = cases.flatMap(({ file, state }) => (state === 'failed' ? [file] : []))
  const files = [...new Set([...failed, ...missing])]
  return problems.length === 0 && files.length <= MOST_FILES ? files : []
}

/** A test has failed when it passed in no run. */
export function combine(first: Verdict, again: ReadonlyMap<string, SecondRun>): TwoRuns {
  const flaky: string[] = []
  const cases: TestCase[] = first.cases.filter(({ file }) => !again.has(file))
  const missing: string[] = first.missing.filter((file) => !again.has(file))
  for (const [file, second] of again) {
    const before = first.cases.filter((one) => one.file === file)
    if (second.missing.length + second.problems.length > 0) {
      cases.push(...before)
      if (before.length === 0) missing.push(file)
      continue
    }
    if (before.length === 0 && !second.cases.some(isFailed)) flaky.push(`${file} (loaded on the second try)`)
    cases.push(...combineFile(before, second.cases, (line) => flaky.push(line)))
  }
  return { verdict: { cases, missing, problems: first.problems }, flaky }
}

function combineFile(
  first: readonly TestCase[],
  second: readonly TestCase[],
  tellFlaky: (line: string) => void,
): TestCase[] {
  const clean = !second.some(isFailed)
  const names = new Set([...first, ...second].map(({ name }) => name))
  return [...names].flatMap((name) => {
    const before = first.filter((one) => one.name === name)
    const after = second.filter((one) => one.name === name)
    if (before.length === 0) return after
    const [failedBefore, failedAfter] = [before.some(isFailed), after.some(isFailed)]
    const { file } = before[0]!
    if (after.length === 0) {
      // The tests behind a hook that failed stand in the second report only.
      if (!(failedBefore && clean && name.endsWith(HOOK))) return before
      tellFlaky(`${file} > ${name} (passed on the second try)`)
      return []
    }
    if (failedBefore === failedAfter) return failedBefore ? after : before
    if (failedAfter) {
      tellFlaky(`${file} > ${name} (failed on the second try)`)
      return before
    }
    if (after.some(({ state }) => state !== 'passed')) return before
    tellFlaky(`${file} > ${name} (passed on the second try)`)
    return after
  })
}

const isFailed = ({ state }: TestCase): boolean => state === 'failed'

const MESSAGE_LINES = 15

/** What failed, for the end of the output. */
export function failureLines({ cases, missing, problems }: Verdict): string[] {
  return [
    ...cases.filter(isFailed).flatMap(({ file, name, message }) => {
      const lines = message.trim().split('\n')
      const shown = lines.length > MESSAGE_LINES ? [...lines.slice(0, MESSAGE_LINES), '...'] : lines
      return [`FAILED: ${file} > ${name}`, ...shown.map((line) => `    ${line}`.trimEnd())]
    }),
    ...missing.map((file) => `FAILED: ${file}: not in the report; it could not be loaded or holds no test`),
    ...problems.map((problem) => `FAILED: ${problem}`),
  ]
}
