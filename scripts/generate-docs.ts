/** Writes the pages that are made of the program: `npm run docs`. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { configReference } from '../src/config/reference.ts'

const PAGES: Readonly<Record<string, () => string>> = { 'configuration.md': configReference }

for (const [name, page] of Object.entries(PAGES)) {
  writeFileSync(join(import.meta.dirname, '../docs', name), page())
  console.log(`docs/${name}`)
}
