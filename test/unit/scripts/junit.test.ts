import { describe, expect, test } from 'bun:test'
import { count, judge, readCases } from '../../../scripts/lib/junit.ts'

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="4" assertions="2" failures="1" skipped="1" time="0.04">
  <testsuite name="test/unit/a.test.ts" file="test/unit/a.test.ts" tests="3" failures="1" skipped="1" time="0.01">
    <testsuite name="group" file="test/unit/a.test.ts" line="2" tests="2" failures="1" skipped="1" time="0">
      <testcase name="a &lt;failure&gt; in &quot;a name&quot; > b" classname="group" time="0" file="test/unit/a.test.ts" line="2" assertions="1" />
      <testcase name="left out" classname="group" time="0" file="test/unit/a.test.ts" line="3" assertions="0">
        <skipped />
      </testcase>
      <testcase name="broken" classname="group" time="0" file="test/unit/a.test.ts" line="4" assertions="1">
        <failure type="AssertionError" message="expect(received)">at &lt;testcase&gt;</failure>
      </testcase>
    </testsuite>
  </testsuite>
  <testsuite name="test/unit/b.test.ts" file="test/unit/b.test.ts" tests="1" failures="0" skipped="0" time="0.01">
    <testcase name="fine" classname="" time="0" file="test/unit/b.test.ts" line="2" assertions="1" />
  </testsuite>
</testsuites>`

const PASSING = `<testsuites><testsuite name="b" file="test/unit/b.test.ts">
<testcase name="fine" classname="" time="0" file="test/unit/b.test.ts" line="2" assertions="1" />
</testsuite></testsuites>`

const FILES = ['test/unit/b.test.ts']

describe('the verdict on a test run', () => {
  test('counts test cases, not the summary attributes', () => {
    const verdict = judge({ exitCode: 1, xml: REPORT, expectedFiles: ['test/unit/a.test.ts', ...FILES] })
    expect(count(verdict)).toEqual({ passed: 2, failed: 1, skipped: 1 })
    expect([verdict.missing, verdict.problems]).toEqual([[], []])
  })

  test('passes when exit code, report and files agree', () => {
    const verdict = judge({ exitCode: 0, xml: PASSING, expectedFiles: FILES })
    expect(count(verdict)).toEqual({ passed: 1, failed: 0, skipped: 0 })
  })

  test('a file that could not be loaded is a failure', () => {
    const verdict = judge({ exitCode: 1, xml: PASSING, expectedFiles: [...FILES, 'test/unit/broken-import.test.ts'] })
    expect(count(verdict)).toEqual({ passed: 1, failed: 1, skipped: 0 })
    expect(verdict.missing).toEqual(['test/unit/broken-import.test.ts'])
  })

  test('a missing report is a failure even with exit code 0', () => {
    const verdict = judge({ exitCode: 0, xml: null, expectedFiles: FILES })
    expect(verdict).toEqual({ cases: [], missing: [], problems: ['no test report was written (exit code 0)'] })
    expect(count(verdict).failed).toBe(1)
  })

  test('an exit code without a reported failure is a failure', () => {
    const verdict = judge({ exitCode: 1, xml: PASSING, expectedFiles: FILES })
    expect(count(verdict)).toMatchObject({ passed: 1, failed: 1 })
    expect(count(judge({ exitCode: null, xml: PASSING, expectedFiles: FILES })).failed).toBe(1)
  })
})

test('names with their groups, states and messages', () => {
  expect(readCases(REPORT)).toEqual([
    { file: 'test/unit/a.test.ts', name: 'group > a <failure> in "a name" > b', state: 'passed', message: '' },
    { file: 'test/unit/a.test.ts', name: 'group > left out', state: 'skipped', message: '' },
    { file: 'test/unit/a.test.ts', name: 'group > broken', state: 'failed', message: 'at <testcase>' },
    { file: 'test/unit/b.test.ts', name: 'fine', state: 'passed', message: '' },
  ])
  const nested = `<testcase name="n" classname="inner &gt; outer" file="a.test.ts">
    <failure type="TimeoutError" message="test timed out&#10;after 50 ms" /></testcase>`
  expect(readCases(nested)).toEqual([
    { file: 'a.test.ts', name: 'outer > inner > n', state: 'failed', message: 'test timed out\nafter 50 ms' },
  ])
})
