/** The live view of `footman demo` as text. */

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createTally, type Happening, median } from '../../../src/cli/demo/happenings.ts'
import {
  closingText,
  elapsed,
  happeningText,
  mailText,
  type Page,
  pageText,
  type Style,
  styleOf,
  summaryText,
} from '../../../src/cli/demo/screen.ts'
import { commandLines, demoCommands, ROUND, ROUND_MS } from '../../../src/cli/demo/script.ts'
import { cut, fit } from '../../../src/cli/table.ts'

const plain = (width: number): Style => ({ width, colour: false })
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g')

const delivery: Happening = {
  where: 'email',
  what: 'delivered',
  tone: 'good',
  task: 'Financial Dashboard Reload',
  detail: 'ops@acme.example',
  note: '1,234 ms',
}

const page: Page = {
  version: '1.2.3',
  windows: false,
  groups: [{ heading: 'Receivers', places: [{ label: 'Webhook', address: 'http://127.0.0.1:40001', remark: 'here' }] }],
  commands: demoCommands({
    restUrl: 'http://127.0.0.1:8080',
    controlUrl: 'http://127.0.0.1:40002',
    program: './footman',
  }),
}

describe('style', () => {
  test('colour needs a terminal, and NO_COLOR wins', () => {
    expect(styleOf({ isTTY: true, columns: 100 }, {})).toEqual({ width: 99, colour: true })
    expect(styleOf({ isTTY: true, columns: 100 }, { NO_COLOR: '1', FORCE_COLOR: '1' }).colour).toBe(false)
    expect(styleOf({ isTTY: true, columns: 100 }, { TERM: 'dumb' }).colour).toBe(false)
    expect(styleOf({}, {})).toEqual({ width: 120, colour: false })
    expect(styleOf({}, { FORCE_COLOR: '1', COLUMNS: '90' })).toEqual({ width: 90, colour: true })
  })

  test('lines are never absurdly short or long', () => {
    expect(styleOf({ isTTY: true, columns: 20 }, {}).width).toBe(60)
    expect(styleOf({ isTTY: true, columns: 400 }, {}).width).toBe(120)
  })

  test('what is cut shows an ellipsis at the end or at the beginning', () => {
    expect(cut('Financial Dashboard', 10)).toBe('Financial…')
    expect(cut('qliksense/task_failure_full', 12, 'end')).toBe('…ailure_full')
    expect(fit('ab', 4)).toBe('ab  ')
  })

  test('control characters never reach the terminal', () => {
    expect(cut('a\x1b[2Jb\r\nc\u200b', 40)).toBe('a\\u001b[2Jb\\r\\nc\\u200b')
  })
})

describe('a line', () => {
  test('at 100 columns', () => {
    expect(happeningText(delivery, 65_000, plain(99))).toBe(
      '  1:05   email    delivered   Financial Dashboard Reload      ops@acme.example             1,234 ms',
    )
  })

  test('at 80 columns the columns move together and long names are cut', () => {
    expect(happeningText(delivery, 5000, plain(79))).toBe(
      '  0:05  email   delivered  Financial Dashboard R… ops@acme.example     1,234 ms',
    )
  })

  test('without a note the detail may use its room', () => {
    const received = { ...delivery, where: 'footman', what: 'received', detail: 'reload failed', note: '' }
    expect(happeningText(received, 0, plain(99))).toBe(
      '  0:00   footman  received    Financial Dashboard Reload      reload failed',
    )
  })

  test('colour changes nothing but the colour', () => {
    const coloured = happeningText(delivery, 0, { width: 99, colour: true })
    expect(coloured).toContain('\x1b[32mdelivered')
    expect(coloured.replace(ESCAPES, '')).toBe(happeningText(delivery, 0, plain(99)))
  })

  test('a name that stands in the line above is quiet', () => {
    const style = { width: 99, colour: true }
    expect(happeningText(delivery, 0, style)).not.toContain('\x1b[2mFinancial')
    expect(happeningText(delivery, 0, style, delivery.task)).toContain('\x1b[2mFinancial')
  })

  test('no line is longer than the terminal, whatever it holds', () => {
    const text = fc.string({ unit: 'grapheme-ascii', maxLength: 200 })
    fc.assert(
      fc.property(text, text, text, text, fc.integer({ min: 60, max: 120 }), (where, task, detail, note, width) => {
        const line = happeningText({ ...delivery, where, task, detail, note }, 3_600_000, plain(width))
        expect([...line].length).toBeLessThanOrEqual(width)
        expect(line).not.toContain('\n')
      }),
    )
  })

  test('times are minutes and seconds', () => {
    expect([0, 59_999, 60_000, 3_723_000].map(elapsed)).toEqual(['0:00', '0:59', '1:00', '62:03'])
  })
})

describe('the first page', () => {
  const lines = pageText(page, plain(120)).split('\n')

  test('shows what runs where', () => {
    expect(lines).toContain('    Webhook           http://127.0.0.1:40001    here')
  })

  test('shows commands to try', () => {
    expect(lines.filter((line) => line.trim().startsWith('curl '))).toHaveLength(2)
    expect(lines).toContain('    ./footman failures --url http://127.0.0.1:8080')
    expect(lines).toContain('    ./footman events list --url http://127.0.0.1:8080')
    expect(lines).toContain('    ./footman reports runs --url http://127.0.0.1:8080')
    expect(lines).toContain(`    curl -X POST http://127.0.0.1:40002/_sim/run -d '{"taskId":"Sales Report Update"}'`)
  })

  test.each([59, 79, 99, 120])('fits into %d columns', (width) => {
    for (const line of pageText(page, plain(width)).split('\n')) {
      // A command is never cut, it must stay whole.
      if (!/curl|-H|-d|--url/.test(line)) expect([...line].length).toBeLessThanOrEqual(width)
    }
  })
})

describe('commands', () => {
  const [, start] = page.commands

  test('a long one goes on in a second line', () => {
    expect(commandLines(start!, { windows: false, width: 80 })).toEqual([
      'curl -X POST http://127.0.0.1:8080/v4/reloadtask/-/start \\',
      `  -H 'Content-Type: application/json' -d '{"tag":["hourly-reload"]}'`,
    ])
  })

  test('for cmd.exe it is one line with its quotes', () => {
    expect(commandLines(start!, { windows: true, width: 80 })).toEqual([
      String.raw`curl -X POST http://127.0.0.1:8080/v4/reloadtask/-/start -H "Content-Type: application/json" -d "{\"tag\":[\"hourly-reload\"]}"`,
    ])
  })
})

describe('the first mail', () => {
  const mail = {
    kind: 'mail',
    from: 'Footman <f@acme.example>',
    to: 'ops@acme.example',
    subject: 'Failed',
    html: '',
    attachments: [],
  } as const
  const lines = (text: string) => mailText({ ...mail, text }, plain(60)).split('\n')

  test('its text stands between two rules', () => {
    expect(lines('Reload failed\r\n\r\nError: \x1b[2J')).toEqual([
      '',
      `  ── the mail ${'─'.repeat(46)}`,
      '  From: Footman <f@acme.example>',
      '  To: ops@acme.example',
      '  Failed',
      '',
      '  Reload failed',
      '',
      '  Error: \\u001b[2J',
      `  ── end of the mail ${'─'.repeat(39)}`,
      '',
    ])
  })

  test('long lines are cut, and a long mail ends with a hint', () => {
    const shown = lines(Array.from({ length: 50 }, () => 'x'.repeat(100)).join('\n'))
    for (const line of shown) expect([...line].length).toBeLessThanOrEqual(60)
    expect(shown).toContain('  ... 10 more lines: see the inbox')
  })
})

describe('totals', () => {
  function busy() {
    const tally = createTally()
    for (const end of ['succeeded', 'succeeded', 'failed', 'stopped'] as const) tally.task(end)
    for (let n = 0; n < 4; n++) tally.event()
    for (const latencyMs of [10, 30, 500]) tally.delivery({ destination: 'mqtt', state: 'delivered', latencyMs })
    tally.delivery({ destination: 'email', state: 'delivered', latencyMs: 600 })
    tally.delivery({ destination: 'email', state: 'suppressed', latencyMs: 1 })
    tally.delivery({ destination: 'webhook', state: 'pending', latencyMs: 1 })
    return tally.totals()
  }

  test('the median', () => {
    expect(median([])).toBeNull()
    expect(median([3])).toBe(3)
    expect(median([9, 1, 5])).toBe(5)
    expect(median([10, 30, 500, 600])).toBe(30)
  })

  test('in one line', () => {
    expect(summaryText(busy(), 20_000, plain(99))).toBe(
      '  0:20   4 tasks · delivered 1 email, 3 mqtt · median 30 ms · 1 suppressed · 4 events',
    )
    expect(summaryText(busy(), 20_000, plain(60))).toBe('  0:20   4 tasks · delivered 1 email, 3 mqtt · median 30 ms')
    expect(summaryText(createTally().totals(), 20_000, plain(99))).toBe(
      '  0:20   0 tasks · delivered nothing yet · median - · 0 events',
    )
  })

  test('at the end', () => {
    const received = new Map([
      ['mqtt', 3],
      ['email', 1],
    ])
    expect(closingText(busy(), received, 61_000, plain(99)).split('\n')).toEqual([
      '',
      '  Stopped after 1:01',
      '    Tasks run         4: 2 succeeded, 1 failed, 1 stopped',
      '    Events received   4',
      '    Delivered         1 email, 3 mqtt; median 30 ms after the event',
      '    Suppressed        1',
      '    Receivers got     1 email, 3 mqtt',
      '',
    ])
  })
})

test('the script stays within its round and begins with a task that fails', () => {
  const times = ROUND.map(({ at }) => at)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect(times.at(-1)!).toBeLessThan(ROUND_MS)
  expect(ROUND[0]!.task).toBe('Financial Dashboard Reload')
  expect(times[0]!).toBeLessThanOrEqual(1000)
})
