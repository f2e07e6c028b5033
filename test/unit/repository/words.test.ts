/** Words and sentences that names, comments, texts and pages of Footman avoid. */
import { expect, test } from 'bun:test'
import { globSync } from 'node:fs'
import { readRepositoryFile, repositoryRoot } from '../../support/source.ts'

interface WordRule {
  readonly pattern: RegExp
  /** Words to write instead. */
  readonly instead: string
}

/** A word with its endings, alone or as a part of a name: `wish`, `wishOf`, `anyWish`. */
const inNames = (word: string, endings = '') =>
  new RegExp(`(?:(?<![A-Za-z])${word[0]}|${word[0]!.toUpperCase()})${word.slice(1)}(?:${endings})?(?![a-z])`)

/** Applied line by line. */
const RULES: readonly WordRule[] = [
  {
    pattern: /\b(whoever|nobody|somebody)\b/i,
    instead: 'the thing itself: the caller, the sender, the operator, the process',
  },
  { pattern: /\bwhatever\b/i, instead: 'any, every, all, regardless of' },
  { pattern: /\b(told|tells?|telling)\b/i, instead: 'log, report, return, print, warn, send, notify, show' },
  {
    pattern: /(?:^|['"`]|(?:\/\/|[*.:;]) )(What|Who|Whose)\b(?![^?]*\?)/,
    instead: 'a noun as the subject: "The settings of ..." (questions are fine)',
  },
  { pattern: inNames('carefully'), instead: 'withFallback, a fallback value' },
  { pattern: inNames('mend', 's|ed|ing'), instead: 'repair' },
  { pattern: inNames('passage', 's'), instead: 'context, part' },
  { pattern: inNames('wish', 'es|ed'), instead: 'selection, request' },
  { pattern: inNames('lookout'), instead: 'execution-status cache' },
  { pattern: inNames('agenda'), instead: 'firing timer, schedule repository' },
  { pattern: inNames('upkeep'), instead: 'recurring job, retention, pruning' },
  { pattern: /\.\.\.\{ ?\w+(, \w+)*,? ?\}/, instead: 'the properties, written out' },
  { pattern: /\.\.\.\[[^[\]]*\](?=[,)\]}])/, instead: 'the items, written out' },
]

interface Exception {
  readonly path: string
  /** Part of the line. */
  readonly text: string
  readonly reason: string
}

const UNKNOWN_USER = 'user id of the example'
const MAIL = 'text of the built-in mail'
const STORED = 'the target of a stored delivery without recipients'
const COLUMN = 'column of a table in databases of installations'

const EXCEPTIONS: readonly Exception[] = [
  { path: 'docs/troubleshooting.md', text: 'Internal\\nobody', reason: UNKNOWN_USER },
  { path: 'test/support/planted/site.ts', text: 'UserId=nobody', reason: UNKNOWN_USER },
  { path: 'test/support/planted/site.ts', text: 'LAB\\\\nobody', reason: UNKNOWN_USER },
  { path: 'src/alerts/destinations/email/view.ts', text: "'What went wrong'", reason: MAIL },
  { path: 'src/alerts/destinations/email/notices.ts', text: 'What you were alerted about is over.', reason: MAIL },
  { path: 'src/alerts/butler-sections/email.ts', text: "'(nobody)'", reason: STORED },
  { path: 'src/alerts/destinations/email/index.ts', text: "'(nobody)'", reason: STORED },
  { path: 'src/alerts/outbox/migrations.ts', text: 'ADD COLUMN told', reason: COLUMN },
  { path: 'src/alerts/outbox/rate-limit.ts', text: 'told = 0', reason: COLUMN },
  { path: 'src/alerts/outbox/rate-limit.ts', text: 'SET told = ', reason: COLUMN },
  { path: 'src/alerts/outbox/rate-limit.ts', text: 'suppressed <= told', reason: COLUMN },
]

interface Line {
  readonly path: string
  readonly number: number
  readonly text: string
}

const FILES = [
  '{README,SECURITY,CHANGELOG}.md',
  '{src,scripts,test/support,docs,templates}/**/*.{ts,tsx,js,mjs,md,eta}',
]

const lines: readonly Line[] = globSync(FILES, { cwd: repositoryRoot })
  .map((path) => path.replaceAll('\\', '/'))
  .sort()
  .flatMap((path) =>
    readRepositoryFile(path)
      .split('\n')
      .map((text, index) => ({ path, number: index + 1, text: withoutTestNames(path, text) })),
  )

/** A line of the page about promises without the names of tests, which stand behind `›`. */
function withoutTestNames(path: string, text: string): string {
  return path === 'docs/internals/promises.md' ? text.replaceAll(/›.*?(?=<br>| \||$)/g, '') : text
}

const findings = lines.flatMap((line) =>
  RULES.filter(({ pattern }) => pattern.test(line.text)).map(({ instead }) => ({ ...line, instead })),
)

const isExcepted = (line: Line, { path, text }: Exception) => line.path === path && line.text.includes(text)

test('source, comments and pages use plain technical English', () => {
  expect(lines.length).toBeGreaterThan(50_000)
  const found = findings
    .filter((line) => !EXCEPTIONS.some((exception) => isExcepted(line, exception)))
    .map(({ path, number, text, instead }) => `${path}:${number}: ${text.trim().slice(0, 140)} -> write: ${instead}`)
  expect(found).toEqual([])
})

test('every exception is still needed', () => {
  const needless = EXCEPTIONS.filter((exception) => !findings.some((line) => isExcepted(line, exception)))
  expect(needless).toEqual([])
})

test.each([
  ['/** Nobody waits for it. */', true],
  ['log.warn("the operator is told")', true],
  ['// What stays is deleted.', true],
  ['What to do?', false],
  ['/** Returns what the caller asked for. */', false],
  ['const passageOf = 1', true],
  ['f({ ...{ a, b }, c })', true],
  ["[...['a', 'b'], c]", true],
  ["[...['a', 'b'].map(f), c]", false],
  ['recommended settings, text.trimEnd()', false],
  ["section('What may be done.')", true],
  ['const anyWish = wishOf(a)', true],
])('%j breaks a rule: %p', (text, expected) => {
  expect(RULES.some(({ pattern }) => pattern.test(text))).toBe(expected)
})
