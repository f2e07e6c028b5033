/** The faults of `test/mutations` follow the source: a text that has changed there would plant nothing. */
import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MUTATIONS } from '../../mutations/mutations.ts'

const ROOT = join(import.meta.dir, '../../..')

test.each(MUTATIONS)('$file: $what', ({ file, from, to, tests }) => {
  expect(readFileSync(join(ROOT, file), 'utf8').split(from)).toHaveLength(2)
  expect(to).not.toBe(from)
  expect(tests.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})
