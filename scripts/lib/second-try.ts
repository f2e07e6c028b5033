/**
 * Test files with failures run a second time; the verdict of both runs. A flaky test passes in one run only. In a continuous
 * build it has failed, unless `test/quarantine.json` lists it.
 */
import { z } from 'zod'
import type { TestCase, Verdict } from './junit.ts'

/** A file of the first run that runs again, alone; its verdict then. */
export type SecondRun = Pick<Verdict, 'cases' | 'missing' | 'problems'>

export interface FlakyTest {
  /** `test/unit/a.test.ts > group > name`; the path alone for a file that could not be loaded in the first run. */
  readonly name: string
  readonly how: 'passed on the second try' | 'failed on the second try' | 'loaded on the second try'
  /** Failure message; '' for a file. */
  readonly message: string
}

export interface TwoRuns {
  /** A flaky test counts as passed here; `failFlaky` changes that. */
  readonly verdict: Verdict
  readonly flaky: readonly FlakyTest[]
}

/** With more files the cause is not chance. */
const MOST_FILES = 15
/** How `bun test` names a hook that fails in the place of the tests behind it. */
const HOOK = '(unnamed)'

/** Files worth a second try. A run without a report, or whose failure has no test, has none. */
export function filesToTry({ cases, missing, problems }: Verdict): string[] {
  const failed = cases.flatMap(({ file, state }) => (state === 'failed' ? [file] : []))
  const files = [...new Set([...failed, ...missing])]
  return problems.length === 0 && files.length <= MOST_FILES ? files : []
}

/** The verdict of both runs: a test has failed when it passed in none. */
export function combine(first: Verdict, again: ReadonlyMap<string, SecondRun>): TwoRuns {
  const flaky: FlakyTest[] = []
  const cases: TestCase[] = first.cases.filter(({ file }) => !again.has(file))
  const missing: string[] = first.missing.filter((file) => !again.has(file))
  for (const [file, second] of again) {
    const before = first.cases.filter((one) => one.file === file)
    if (second.missing.length + second.problems.length > 0) {
      cases.push(...before)
      if (before.length === 0) missing.push(file)
      continue
    }
    if (before.length === 0 && !second.cases.some(isFailed)) {
      flaky.push({ name: file, how: 'loaded on the second try', message: '' })
    }
    cases.push(...combineFile(before, second.cases, (one) => flaky.push(one)))
  }
  return { verdict: { cases, missing, problems: first.problems }, flaky }
}

function combineFile(
  first: readonly TestCase[],
  second: readonly TestCase[],
  addFlaky: (test: FlakyTest) => void,
): TestCase[] {
  const clean = !second.some(isFailed)
  const names = new Set([...first, ...second].map(({ name }) => name))
  return [...names].flatMap((name) => {
    const before = first.filter((one) => one.name === name)
    const after = second.filter((one) => one.name === name)
    if (before.length === 0) return after
    const [failedBefore, failedAfter] = [before.some(isFailed), after.some(isFailed)]
    const flakyTest = (how: FlakyTest['how'], runs: readonly TestCase[]): FlakyTest => {
      const failed = runs.find(isFailed)
      return { name: `${before[0]!.file} > ${name}`, how, message: failed?.message ?? '' }
    }
    if (after.length === 0) {
      // The tests behind a hook that failed stand in the second report only.
      if (!(failedBefore && clean && name.endsWith(HOOK))) return before
      addFlaky(flakyTest('passed on the second try', before))
      return []
    }
    if (failedBefore === failedAfter) return failedBefore ? after : before
    if (failedAfter) {
      addFlaky(flakyTest('failed on the second try', after))
      return before
    }
    if (after.some(({ state }) => state !== 'passed')) return before
    addFlaky(flakyTest('passed on the second try', before))
    return after
  })
}

const isFailed = ({ state }: TestCase): boolean => state === 'failed'

const quarantineFile = z.array(
  z.strictObject({
    /** The test as the `FLAKY:` line names it: `test/unit/a.test.ts > group > name`. */
    name: z.string().regex(/^test\/\S+\.test\.tsx?( > .+)?$/),
    /** Why it may stay flaky for now. */
    reason: z.string().min(1),
    /** Day of the entry, `2026-01-31`. */
    date: z.iso.date(),
  }),
)

export type QuarantinedTest = z.output<typeof quarantineFile>[number]

/** The entries of `test/quarantine.json`. Throws with the position of the mistake when the text is not such a file. */
export function parseQuarantine(text: string): readonly QuarantinedTest[] {
  const read = quarantineFile.safeParse(JSON.parse(text))
  if (read.success) return read.data
  throw new Error(`test/quarantine.json is not valid:\n${z.prettifyError(read.error)}`)
}

/** The verdict of a continuous build: a flaky test that is not in quarantine has failed. */
export function failFlaky({ verdict, flaky }: TwoRuns, quarantine: readonly QuarantinedTest[]): Verdict {
  const known = new Set(quarantine.map(({ name }) => name))
  const counted = new Map(flaky.filter(({ name }) => !known.has(name)).map((test) => [test.name, test]))
  const nameOf = ({ file, name }: TestCase) => `${file} > ${name}`
  const stable = verdict.cases.filter((one) => !counted.has(nameOf(one)))
  const failed = [...counted.values()].map(({ name, how, message }): TestCase => {
    const [file = '', ...groups] = name.split(' > ')
    const text = `flaky: ${how}${message === '' ? '' : `\n${message}`}`
    return { file, name: groups.join(' > ') || '(the file)', state: 'failed', message: text }
  })
  return { ...verdict, cases: [...stable, ...failed] }
}

/** One line for each flaky test, with the reason of its quarantine. */
export function flakyLines(flaky: readonly FlakyTest[], quarantine: readonly QuarantinedTest[]): string[] {
  return flaky.map(({ name, how }) => {
    const known = quarantine.find((one) => one.name === name)
    return `FLAKY: ${name} (${how}${known ? `; in quarantine since ${known.date}: ${known.reason}` : ''})`
  })
}

const MESSAGE_LINES = 15

/** The failed tests, for the end of the output. */
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
