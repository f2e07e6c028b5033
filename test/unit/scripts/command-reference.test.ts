/** The page of all commands says what the program says. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandReference } from '../../../scripts/lib/command-reference.ts'

const page = readFileSync(join(import.meta.dir, '../../../docs/command-line.md'), 'utf8')

test('docs/command-line.md is up to date (npm run docs)', () => {
  expect(page === commandReference()).toBe(true)
})

test('every command has a section with its usage, and the list leads to it', () => {
  const anchors = [...page.matchAll(/^\| \[[\w-]+\]\(#(footman-[\w-]+)\)/gm)].map(([, anchor]) => anchor!)
  const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading!.replaceAll(' ', '-'))
  expect(anchors.length).toBeGreaterThan(20)
  expect(anchors.filter((anchor) => !headings.includes(anchor))).toEqual([])
})
