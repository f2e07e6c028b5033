import { describe, expect, test } from 'bun:test'
import { judge, summarise } from '../../../scripts/lib/junit.ts'

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

describe('the verdict on a test run', () => {
  test('counts test cases, not the summary attributes', () => {
    const { passed, failed, skipped, files } = summarise(REPORT)
    expect({ passed, failed, skipped }).toEqual({ passed: 2, failed: 1, skipped: 1 })
    expect([...files]).toEqual(['test/unit/a.test.ts', 'test/unit/b.test.ts'])
  })

  test('passes when exit code, report and files agree', () => {
    expect(judge({ exitCode: 0, xml: PASSING, expectedFiles: ['test/unit/b.test.ts'] })).toEqual({
      passed: 1,
      failed: 0,
      skipped: 0,
      problems: [],
    })
  })

  test('a file that could not be loaded is a failure', () => {
    const verdict = judge({
      exitCode: 1,
      xml: PASSING,
      expectedFiles: ['test/unit/b.test.ts', 'test/unit/broken-import.test.ts'],
    })
    expect(verdict.failed).toBe(1)
    expect(verdict.problems).toEqual([
      'test/unit/broken-import.test.ts: not in the report; it could not be loaded or holds no test',
    ])
  })

  test('a missing report is a failure even with exit code 0', () => {
    expect(judge({ exitCode: 0, xml: null, expectedFiles: ['test/unit/b.test.ts'] })).toEqual({
      passed: 0,
      failed: 1,
      skipped: 0,
      problems: ['no test report was written (exit code 0)'],
    })
  })

  test('an exit code without a reported failure is a failure', () => {
    const verdict = judge({ exitCode: 1, xml: PASSING, expectedFiles: ['test/unit/b.test.ts'] })
    expect(verdict).toMatchObject({ passed: 1, failed: 1 })
    expect(judge({ exitCode: null, xml: PASSING, expectedFiles: ['test/unit/b.test.ts'] }).failed).toBe(1)
  })
})
