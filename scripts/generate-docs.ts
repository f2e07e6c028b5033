/** Writes the pages, and parts of pages, that are generated from the program: `npm run docs`. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { commandReference } from './lib/command-reference.ts'
import { configReference } from './lib/config-reference.ts'
import { withMetricList } from './lib/metric-list.ts'
import { helpOn } from './lib/usage.ts'

helpOn(`
npm run docs

Writes the pages of docs/ that are made from the program: command-line.md, configuration.md and the
lists of metrics.md.
`)

/** By path below `docs/`; each function gets the page as it is. */
const PAGES: Readonly<Record<string, (page: string) => string>> = {
  'command-line.md': commandReference,
  'metrics.md': withMetricList,
  ...Object.fromEntries(Object.entries(configReference()).map(([path, text]) => [path, () => text])),
}

for (const [name, make] of Object.entries(PAGES)) {
  const path = join(import.meta.dirname, '../docs', name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, make(existsSync(path) ? readFileSync(path, 'utf8') : ''))
  console.log(`docs/${name}`)
}
