/**
 * Words and sentences that names, comments, texts and pages of Footman avoid: a warning for each, with what to write instead.
 * Part of `npm run lint`, which they do not fail.
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

interface WordRule {
  readonly pattern: RegExp
  /** Words to write instead. */
  readonly instead: string
}

/** A word with its endings, alone or as a part of a name: `wish`, `wishOf`, `anyWish`. */
const inNames = (word: string, endings = '') =>
  new RegExp(`(?:(?<![A-Za-z])${word[0]}|${word[0]!.toUpperCase()})${word.slice(1)}(?:${endings})?(?![a-z])`)

/** Applied line by line. */
export const RULES: readonly WordRule[] = [
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
  { pattern: /(?:\/\*\*|\/\/|^\s*\*) (Of|As)\b/, instead: 'a subject: "The status of ..."' },
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

/** This file, which quotes what it finds. */
const OWN = 'scripts/words.ts'
const FILES = [
  '{README,SECURITY,CHANGELOG}.md',
  '{src,simulator,scripts,test/support,docs,templates}/**/*.{ts,tsx,js,mjs,md,eta}',
]

const lines = (): readonly Line[] =>
  globSync(FILES, { cwd: ROOT })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path !== OWN)
    .sort()
    .flatMap((path) =>
      readFileSync(join(ROOT, path), 'utf8')
        .split('\n')
        .map((text, index) => ({ path, number: index + 1, text: withoutTestNames(path, text) })),
    )

/** A line of the page about promises without the names of tests, which stand behind `›`. */
function withoutTestNames(path: string, text: string): string {
  return path === 'docs/internals/promises.md' ? text.replaceAll(/›.*?(?=<br>| \||$)/g, '') : text
}

const isExcepted = (line: Line, { path, text }: Exception) => line.path === path && line.text.includes(text)

function warn(): void {
  const used = new Set<Exception>()
  for (const line of lines()) {
    for (const { pattern, instead } of RULES) {
      if (!pattern.test(line.text)) continue
      const exception = EXCEPTIONS.find((one) => isExcepted(line, one))
      if (exception) used.add(exception)
      else console.warn(`${line.path}:${line.number}: ${line.text.trim().slice(0, 140)} -> write: ${instead}`)
    }
  }
  for (const { path, text } of EXCEPTIONS.filter((one) => !used.has(one))) {
    console.warn(`${OWN}: the exception for "${text}" in ${path} is not needed`)
  }
}

if (import.meta.main) warn()
