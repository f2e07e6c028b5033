/** Times have one form: no page makes its own from an instant. */
import { expect, test } from 'bun:test'
import { globSync } from 'node:fs'
import { readRepositoryFile, repositoryRoot } from '../../support/source.ts'

/** The places that make texts of times, and those that compute with wall clocks for addresses and fields. */
const ALLOWED: Readonly<Record<string, RegExp>> = {
  'src/console/ui/text.tsx': /./,
  // The same forms in the zone of the reader.
  'src/console/assets/frame.js': /toLocale/,
  'src/console/assets/schedule.js': /toLocale|DateTimeFormat/,
  // Values of inputs, and days of addresses.
  'src/console/pages/system/maintenance.tsx': /createZone/,
  'src/console/pages/schedules/calendar.tsx': /new Date\(wall\)/,
  'src/console/pages/schedules/week.ts': /getUTC(Day|FullYear)|offsets\.at/,
}
const OWN_FORM =
  /DateTimeFormat\((?!\)\.resolvedOptions)|toLocale\w*String|\.get(?:UTC)?(?:Hours|Minutes|Seconds|Date|Day|Month|FullYear)\(|toISOString\(\)\.(?:slice|replace|split)|slice\(0, 1[0469]\)\.replace\('T'|toUTCString|<time\b/

test('pages show times by the functions of ui/text.tsx only', () => {
  const files = globSync(['src/console/**/*.{ts,tsx,js}'], { cwd: repositoryRoot })
  const found = files.flatMap((path) => {
    const file = path.replaceAll('\\', '/')
    return readRepositoryFile(file)
      .split('\n')
      .filter((line) => OWN_FORM.test(line) && !ALLOWED[file]?.test(line))
      .map((line) => `${file}: ${line.trim()}`)
  })
  expect(files.length).toBeGreaterThan(100)
  expect(found).toEqual([])
})

test.each([
  "until.slice(0, 16).replace('T', ' ')",
  'new Intl.DateTimeFormat("en-GB", { timeZone }).format(at)',
  'at.toLocaleTimeString()',
  '<time datetime={at}>{at}</time>',
  'new Date(at).getHours()',
])('finds %s', (line) => {
  expect(OWN_FORM.test(line)).toBe(true)
})
