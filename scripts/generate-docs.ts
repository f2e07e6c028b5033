/** Writes the pages, and parts of pages, that are made of the program: `npm run docs`. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { configReference } from '../src/app/config/reference.ts'
import { commandReference } from './lib/command-reference.ts'
import { withMetricList } from './lib/metric-list.ts'
import { helpOn } from './lib/usage.ts'

helpOn(`
npm run docs

Writes the pages of docs/ that are made from the program: command-line.md, configuration.md and the
lists of metrics.md.
`)

/** Each gets the page as it is. */
const PAGES: Readonly<Record<string, (page: string) => string>> = {
  'command-line.md': commandReference,
  'configuration.md': configReference,
  'metrics.md': withMetricList,
}

for (const [name, make] of Object.entries(PAGES)) {
  const path = join(import.meta.dirname, '../docs', name)
  writeFileSync(path, make(existsSync(path) ? readFileSync(path, 'utf8') : ''))
  console.log(`docs/${name}`)
}
