/** No regular expression of the product takes more than linear time after its first character, over text from outside. */
import { expect, test } from 'bun:test'
import { hazardOf, regExpsOf, restarts } from '../../support/regexps.ts'
import { sourceFiles } from '../../support/source.ts'

const OWN_TEXT = 'text of the configuration, of an administrator at the command line, or of the machine'
const CANNOT_FAIL = 'what follows may be empty, so it never tries again'

/** Files with repetitions that share text, and why that is no harm: how many such expressions each has. */
const ALLOWED: Readonly<Record<string, readonly [count: number, reason: string]>> = {
  'src/alerts/destinations/chat.ts': [1, CANNOT_FAIL],
  'src/app/listeners.ts': [1, 'an error text of Footman'],
  'src/cli/doctor/site/site.ts': [1, OWN_TEXT],
  'src/cli/remote/fire.ts': [1, 'a mail that Footman wrote, at the command line'],
  'src/cli/remote/schedules.ts': [1, OWN_TEXT],
  'src/cli/service/folders.ts': [2, OWN_TEXT],
  'src/cli/service/windows/managers.ts': [1, OWN_TEXT],
  'src/cli/template.ts': [1, CANNOT_FAIL],
  'src/console/config-page/page.tsx': [2, OWN_TEXT],
  'src/files/paths.ts': [1, CANNOT_FAIL],
  'src/metrics/influxdb/server.ts': [1, CANNOT_FAIL],
  'src/monitors/services/windows-reader.ts': [3, OWN_TEXT],
  'src/platform/port-owner.ts': [1, OWN_TEXT],
  'src/qlik/qrs/execution.ts': [1, CANNOT_FAIL],
  'src/reports/linear-regexp.ts': [1, 'the built-in engine has refused a brace that is not closed before'],
  'src/reports/templates/converter.ts': [1, 'the version that LibreOffice prints'],
  'src/reports/templates/formats.ts': [1, 'at most 255 characters'],
  'simulator/engine/calc/parse.ts': [1, 'the simulator serves demonstrations'],
  'simulator/engine/selections.ts': [1, 'the simulator serves demonstrations'],
  'simulator/qrs/context.ts': [1, 'the simulator serves demonstrations'],
  'src/tasks/safety-net/config-policies.ts': [1, OWN_TEXT],
}

const WELL_FORMED = 'XML that was read as a whole before: every tag in it ends'

/** Files with searches that try again within the same run of characters, and why that is no harm: how many each has. */
const LINE = 'begins at the begin of a line, and stays in it'
const RESTARTING: Readonly<Record<string, readonly [count: number, reason: string]>> = {
  'src/alerts/config.ts': [1, OWN_TEXT],
  'src/alerts/destinations/newrelic.ts': [1, OWN_TEXT],
  'src/alerts/destinations/ntfy.ts': [1, OWN_TEXT],
  'src/alerts/destinations/otlp.ts': [1, OWN_TEXT],
  'src/alerts/template-context.ts': [1, OWN_TEXT],
  'src/alerts/templates/escape.ts': [1, LINE],
  'src/app/config/migrate/migrate.ts': [2, OWN_TEXT],
  'src/app/config/migrate/print.ts': [1, OWN_TEXT],
  'src/cli/check.ts': [1, OWN_TEXT],
  'src/cli/demo/inbox.tsx': [2, 'the demonstration shows its own mails'],
  'src/cli/doctor/index.ts': [1, OWN_TEXT],
  'src/cli/doctor/peers/http-servers.ts': [2, OWN_TEXT],
  'src/cli/doctor/peers/smtp.ts': [1, LINE],
  'src/cli/doctor/site/appender.ts': [1, OWN_TEXT],
  'src/cli/init/index.ts': [1, OWN_TEXT],
  'src/cli/remote/client.ts': [1, OWN_TEXT],
  'src/cli/remote/fire.ts': [3, 'a mail that Footman wrote, at the command line'],
  'src/cli/service/folders.ts': [1, OWN_TEXT],
  'src/cli/service/plan.ts': [2, OWN_TEXT],
  'src/cli/service/windows/places.ts': [1, OWN_TEXT],
  'src/cluster/sql.ts': [1, OWN_TEXT],
  'src/config/external.ts': [1, OWN_TEXT],
  'src/config/issues.ts': [1, OWN_TEXT],
  'src/config/legacy/context.ts': [1, OWN_TEXT],
  'src/config/yaml.ts': [1, LINE],
  'src/console/pages/now/scale.ts': [1, 'a date that Footman wrote'],
  'src/console/pages/reports/save.ts': [1, 'a header that Footman wrote'],
  'src/console/pages/tasks/task.tsx': [1, OWN_TEXT],
  'src/events/datagram.ts': [2, 'a host name of at most 500 characters'],
  'src/http/client-address.ts': [1, OWN_TEXT],
  'src/http/server.ts': [1, OWN_TEXT],
  'src/metrics/config.ts': [1, OWN_TEXT],
  'src/metrics/influxdb/connection.ts': [1, OWN_TEXT],
  'src/monitors/license/server.ts': [1, 'one line of the licence'],
  'src/monitors/services/windows-reader.ts': [2, OWN_TEXT],
  'src/qlik/cloud/client.ts': [1, OWN_TEXT],
  'src/qlik/cloud/variables.ts': [1, OWN_TEXT],
  'src/reports/documents/charts/svg.ts': [2, 'a drawing of the chart library'],
  'src/reports/documents/pdf.ts': [1, 'a drawing of the chart library'],
  'src/reports/documents/xlsx-parts.ts': [1, 'at most 31 characters'],
  'src/reports/templates/converter.ts': [1, 'the version that LibreOffice prints'],
  'src/reports/templates/workbook/charts.ts': [1, 'a formula of at most 8,192 characters'],
  'src/reports/templates/workbook/frame.ts': [1, 'at most 255 characters'],
  'src/reports/templates/workbook/plan.ts': [1, WELL_FORMED],
  'src/reports/templates/workbook/sheet.ts': [1, WELL_FORMED],
  'src/reports/templates/workbook/styles.ts': [6, WELL_FORMED],
  'src/reports/templates/xml.ts': [1, WELL_FORMED],
  'src/tasks/executions/http.ts': [1, 'the other choice takes the rest'],
  'src/tasks/schedule/file.ts': [3, OWN_TEXT],
}

/** Files that make expressions of texts, and of which. */
const CONSTRUCTED: Readonly<Record<string, string>> = {
  'src/alerts/rules/fields.ts': 'a pattern of the configuration, over one field',
  'src/cli/remote/events.ts': OWN_TEXT,
  'src/cli/service/watch.ts': OWN_TEXT,
  'src/cli/service/windows/places.ts': OWN_TEXT,
  'src/config/fields/selectors.ts': 'a pattern of the configuration is compiled, not used',
  'src/config/fields/time.ts': 'names of days',
  'src/http/config.ts': 'names of scopes',
  'src/platform/calendar-files.ts': 'names of days and numbers',
  'src/platform/log-file.ts': 'a date',
  'src/platform/log-mask.ts': 'escaped texts',
  'src/platform/visible.ts': 'one class of characters',
  'src/reports/linear-regexp.ts': 'a pattern of a user is compiled, or tried on one character',
  'src/reports/templates/workbook/formula.ts': 'read from its own place on, over formulas of at most 8,192 characters',
  'simulator/engine/selections.ts': 'the simulator serves demonstrations',
  'simulator/faults.ts': 'the simulator serves demonstrations',
  'simulator/qrs/qrs.ts': 'the simulator serves demonstrations',
}

const sources = ['src', 'simulator'].flatMap(sourceFiles)

test('repetitions that share text are listed with the reason why they do no harm', () => {
  const found: Record<string, string[]> = {}
  for (const { path, pattern, flags } of sources.flatMap(regExpsOf)) {
    const hazard = hazardOf(pattern, flags)
    if (hazard) found[path] = [...(found[path] ?? []), `${hazard}: /${pattern}/${flags}`]
  }
  const unlisted = Object.entries(found).filter(([path, all]) => all.length > (ALLOWED[path]?.[0] ?? 0))
  expect(unlisted).toEqual([])
  const outdated = Object.entries(ALLOWED).filter(([path, [count]]) => found[path]?.length !== count)
  expect(outdated).toEqual([])
}, 60_000)

test('searches that try again from many places are listed with the reason why they do no harm', () => {
  const found: Record<string, string[]> = {}
  for (const { path, pattern, flags } of sources.flatMap(regExpsOf)) {
    if (path.startsWith('simulator/') || !restarts(pattern, flags)) continue
    found[path] = [...(found[path] ?? []), `/${pattern}/${flags}`]
  }
  const unlisted = Object.entries(found).filter(([path, all]) => all.length > (RESTARTING[path]?.[0] ?? 0))
  expect(unlisted).toEqual([])
  const outdated = Object.entries(RESTARTING).filter(([path, [count]]) => found[path]?.length !== count)
  expect(outdated).toEqual([])
}, 60_000)

test('expressions made of texts are listed with what they are made of', () => {
  const found = sources.filter(({ text }) => /\bnew RegExp\(|[^.\w]RegExp\(/.test(text)).map(({ path }) => path)
  expect(found).toEqual(Object.keys(CONSTRUCTED))
})

test.each<[string, ReturnType<typeof hazardOf>]>([
  ['(a+)+b', 'nested'],
  ['(a*)*b', 'nested'],
  ['(a|a)*b', 'nested'],
  ['(a|ab|b)*c', 'nested'],
  ['(?:[^>]|"[^"]*")*>', 'nested'],
  ['a*a*b', 'adjacent'],
  ['\\s*,?\\s*$', 'adjacent'],
  ['\\w*[^<>]*>', 'adjacent'],
  ['[^@]+@.+\\..+x', 'adjacent'],
  ['a{2,}a{3,}b', 'adjacent'],
  ['a+b', null],
  ['a*b*c', null],
  ['a{1,3}a{1,3}b', null],
  ['(?:[^>"]|"[^"]*")*>', null],
  ['(?:\\s+N\\s*=)*\\s*>', null],
  ['[^\\]]+\\][^\\]]', null],
])('%s: %s', (pattern, hazard) => expect(hazardOf(pattern, '')).toBe(hazard))

test.each([
  ['\\s+$', true],
  ['<[^>]*>', true],
  ['a+b', true],
  ['\\d+(?=x)', true],
  ['[^\\s@]+@', true],
  ['^[\\s.]+|[\\s.]+$', true],
  ['<[^<>]*>', false],
  ['(?<!\\d)\\d+$', false],
  ['^\\s+$', false],
  ['\\s+', false],
  ['a[^b]*', false],
])('%s tries again: %p', (pattern, expected) => expect(restarts(pattern, '')).toBe(expected))

test('literals are found in code of every form', () => {
  const text = [
    'const a = /a\\/b[/]/g // not /this/',
    'const b = x / y / z, c = "/no/" + `/no/ $' + '{d.match(/b/u)} /no/`',
    'return /c/.test(e) ? f(/d/) : /e/i',
    "const g = <p>don't</p>; if (!/f/.test(h)) i = j ?? /g/",
    '/* /no/ */ k => /h/',
  ].join('\n')
  expect(regExpsOf({ path: 'x.tsx', text }).map(({ pattern }) => pattern)).toEqual([
    'a\\/b[/]',
    'b',
    'c',
    'd',
    'e',
    'f',
    'g',
    'h',
  ])
})
