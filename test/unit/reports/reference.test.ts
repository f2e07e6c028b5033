/** The reference page explains every code of a run. */
import { expect, test } from 'bun:test'
import { CODES } from '../../../src/reports/codes.ts'
import { readRepositoryFile } from '../../support/source.ts'

test('every code of a run is on the page', () => {
  const page = readRepositoryFile('docs/reports/reference.md')
  expect(CODES.length).toBeGreaterThan(50)
  expect(CODES.filter((code) => !page.includes(`\`${code}\``))).toEqual([])
})
