import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { count, type TestCase, type Verdict } from '../../../scripts/lib/junit.ts'
import {
  combine,
  failFlaky,
  failureLines,
  filesToTry,
  flakyLines,
  parseQuarantine,
} from '../../../scripts/lib/second-try.ts'
import { readRepositoryFile, repositoryRoot } from '../../support/source.ts'

const A = 'test/unit/a.test.ts'
const B = 'test/unit/b.test.ts'

/** `one:passed` in file A, `b/two:failed` in file B. */
function runOf(texts: string, rest: Partial<Verdict> = {}): Verdict {
  const cases = texts.split(' ').flatMap((text): TestCase[] => {
    const [, inB, name, state] = /^(b\/)?(.+):(\w+)$/.exec(text) ?? []
    if (!name) return []
    const message = state === 'failed' ? `${name} is broken` : ''
    return [{ file: inB ? B : A, name, state: state as TestCase['state'], message }]
  })
  return { cases, missing: [], problems: [], ...rest }
}

const twoRuns = (first: Verdict, second: string | Partial<Verdict>, file = A) =>
  combine(first, new Map([[file, typeof second === 'string' ? runOf(second) : runOf('', second)]]))

const both = (first: Verdict, second: string | Partial<Verdict>, file = A) => {
  const { verdict, flaky } = twoRuns(first, second, file)
  return { ...count(verdict), flaky: flaky.map(({ name, how }) => `${name} (${how})`) }
}

describe('which files run again', () => {
  test('those with a failed test or without any', () => {
    expect(filesToTry(runOf('one:passed b/two:failed b/three:failed', { missing: ['test/unit/c.test.ts'] }))).toEqual([
      B,
      'test/unit/c.test.ts',
    ])
    expect(filesToTry(runOf('one:passed b/two:skipped'))).toEqual([])
  })

  test('none when the run as a whole failed, or nearly everything did', () => {
    expect(filesToTry(runOf('one:failed', { problems: ['no report'] }))).toEqual([])
    expect(filesToTry(runOf('', { missing: Array.from({ length: 16 }, (_, n) => `${n}.test.ts`) }))).toEqual([])
  })
})

describe('two runs together', () => {
  test('a test that passes the second time has passed, and is named', () => {
    expect(both(runOf('one:passed two:failed b/three:passed'), 'one:passed two:passed')).toEqual({
      passed: 3,
      failed: 0,
      skipped: 0,
      flaky: [`${A} > two (passed on the second try)`],
    })
  })

  test('a test that fails twice has failed', () => {
    expect(both(runOf('one:passed two:failed'), 'one:passed two:failed')).toEqual({
      passed: 1,
      failed: 1,
      skipped: 0,
      flaky: [],
    })
  })

  test('a test that fails only the second time is named', () => {
    expect(both(runOf('one:passed two:failed'), 'one:failed two:passed')).toEqual({
      passed: 2,
      failed: 0,
      skipped: 0,
      flaky: [`${A} > one (failed on the second try)`, `${A} > two (passed on the second try)`],
    })
  })

  test('a test that was not run again has failed', () => {
    expect(both(runOf('one:passed two:failed'), 'one:passed')).toMatchObject({ failed: 1, flaky: [] })
    expect(both(runOf('one:passed two:failed'), 'one:passed two:skipped')).toMatchObject({ failed: 1, flaky: [] })
    expect(both(runOf('two:failed'), { problems: ['no test report was written'] })).toMatchObject({ failed: 1 })
    expect(both(runOf('two:failed'), { missing: [A] })).toMatchObject({ failed: 1, flaky: [] })
  })

  test('of several tests with one name none may fail', () => {
    expect(both(runOf('two:failed two:passed'), 'two:passed two:failed')).toMatchObject({ failed: 1, flaky: [] })
    expect(both(runOf('two:failed two:passed'), 'two:passed two:passed')).toMatchObject({ passed: 2, failed: 0 })
  })

  test('a hook that failed hides its tests until the second run', () => {
    expect(both(runOf('g(unnamed):failed'), 'one:passed two:passed')).toEqual({
      passed: 2,
      failed: 0,
      skipped: 0,
      flaky: [`${A} > g(unnamed) (passed on the second try)`],
    })
    expect(both(runOf('g(unnamed):failed'), 'one:passed two:failed')).toMatchObject({ passed: 1, failed: 2 })
  })

  test('a file that is loaded only the second time', () => {
    const first = runOf('one:passed', { missing: [B] })
    expect(both(first, 'b/two:passed', B)).toEqual({
      passed: 2,
      failed: 0,
      skipped: 0,
      flaky: [`${B} (loaded on the second try)`],
    })
    expect(both(first, { missing: [B] }, B)).toMatchObject({ passed: 1, failed: 1, flaky: [] })
  })
})

describe('a continuous build', () => {
  const runs = twoRuns(runOf('one:passed two:failed b/three:passed'), 'one:failed two:passed')
  const entry = (name: string) => ({ name, reason: 'the broker is slow', date: '2026-01-31' })

  test('counts a flaky test as failed and shows why it failed', () => {
    const verdict = failFlaky(runs, [])
    expect(count(verdict)).toEqual({ passed: 1, failed: 2, skipped: 0 })
    expect(failureLines(verdict)).toEqual([
      `FAILED: ${A} > one`,
      '    flaky: failed on the second try',
      '    one is broken',
      `FAILED: ${A} > two`,
      '    flaky: passed on the second try',
      '    two is broken',
    ])
  })

  test('counts a test in quarantine as passed and names it with the reason', () => {
    const quarantine = [entry(`${A} > two`), entry(`${B} > two`)]
    expect(count(failFlaky(runs, quarantine))).toEqual({ passed: 2, failed: 1, skipped: 0 })
    expect(flakyLines(runs.flaky, quarantine)).toEqual([
      `FLAKY: ${A} > one (failed on the second try)`,
      `FLAKY: ${A} > two (passed on the second try; in quarantine since 2026-01-31: the broker is slow)`,
    ])
  })

  test('counts a flaky hook and a file that loads only once as one failure each', () => {
    const hook = twoRuns(runOf('g(unnamed):failed'), 'one:passed two:passed')
    expect(count(failFlaky(hook, []))).toEqual({ passed: 2, failed: 1, skipped: 0 })
    const file = twoRuns(runOf('one:passed', { missing: [B] }), 'b/two:passed', B)
    expect(count(failFlaky(file, []))).toEqual({ passed: 2, failed: 1, skipped: 0 })
    expect(count(failFlaky(file, [entry(B)]))).toEqual({ passed: 2, failed: 0, skipped: 0 })
  })

  test('leaves tests that failed twice, and problems of the run, as they are', () => {
    const verdict = runOf('one:failed', { problems: ['exit code 3'] })
    expect(failFlaky({ verdict, flaky: [] }, [])).toEqual(verdict)
  })
})

describe('test/quarantine.json', () => {
  test('lists tests of existing files', () => {
    const entries = parseQuarantine(readRepositoryFile('test/quarantine.json'))
    const files = entries.map(({ name }) => name.split(' > ')[0]!)
    expect(files.filter((file) => !existsSync(join(repositoryRoot, file)))).toEqual([])
  })

  test.each([
    ['{}', 'expected array'],
    ['[{"name": "test/unit/a.test.ts > one", "date": "2026-01-31"}]', 'reason'],
    ['[{"name": "one", "reason": "slow", "date": "2026-01-31"}]', 'name'],
    ['[{"name": "test/unit/a.test.ts > one", "reason": "slow", "date": "soon"}]', 'date'],
    ['[{"name": "test/unit/a.test.ts", "reason": "slow", "date": "2026-01-31", "until": "x"}]', 'until'],
  ])('%s is refused', (text, mistake) => {
    expect(() => parseQuarantine(text)).toThrow(mistake)
  })
})

test('failures are listed with file, name and message', () => {
  const lines = failureLines({ ...runOf('one:passed b/two:failed'), missing: ['c.test.ts'], problems: ['exit code 3'] })
  expect(lines).toEqual([
    `FAILED: ${B} > two`,
    '    two is broken',
    'FAILED: c.test.ts: not in the report; it could not be loaded or holds no test',
    'FAILED: exit code 3',
  ])
  const long = { ...runOf('one:failed').cases[0]!, message: 'x\n'.repeat(50) }
  expect(failureLines({ cases: [long], missing: [], problems: [] })).toHaveLength(17)
})
