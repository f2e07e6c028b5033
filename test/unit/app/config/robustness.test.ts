import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { butler } from '../../../../src/app/schema.ts'
import { renderProblem } from '../../../../src/config/problems.ts'
import { loadText } from '../../../support/config.ts'

const FULL = readFileSync(join(import.meta.dir, '../../../fixtures/config/butler16-full.yaml'), 'utf8')

/** A configuration or problems, never an exception; problems can be shown. */
async function survives(text: string): Promise<boolean> {
  const { config, problems } = await loadText(text)
  for (const problem of problems) expect(renderProblem(problem).length).toBeGreaterThan(10)
  return config !== null || problems.some(({ severity }) => severity === 'error')
}

const sections = Object.keys(butler.parse({}))
const value = fc
  .anything({ withDate: false, withMap: false, withSet: false, maxDepth: 3 })
  .map((thing) => JSON.parse(JSON.stringify(thing) ?? 'null') as unknown)

test('any value anywhere is a configuration or a reported problem', async () => {
  const key = fc.oneof(
    fc.constantFrom(...sections, 'footman', 'slackConfig', 'qvdPath', 'gitHub', '__proto__', 'constructor'),
    fc.string(),
  )
  await fc.assert(
    fc.asyncProperty(fc.dictionary(key, value, { maxKeys: 6 }), (content) =>
      survives(JSON.stringify({ Butler: content })),
    ),
    { numRuns: 100 },
  )
})

test.each([
  ['a word', 'logLevel'],
  ['the name of a header', 'configQRS.headers.static.0.name'],
  ['a topic', 'footman.destinations.phone.topic'],
])('a section without a text of its own in the place of %s', async (_, place) => {
  const content = place
    .split('.')
    .reduceRight<unknown>((inner, key) => (key === '0' ? [inner] : { type: 'ntfy', value: 'x', [key]: inner }), {
      toString: false,
    })
  expect(await survives(JSON.stringify({ Butler: content }))).toBe(true)
})

test('any text is a configuration or a reported problem', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), (text) => survives(`Butler:\n  ${text}`)),
    { numRuns: 100 },
  )
})

test('a damaged file is a configuration or a reported problem', async () => {
  const cut = fc.record({
    at: fc.nat(FULL.length),
    remove: fc.nat(40),
    insert: fc.constantFrom('', '\t', '{', '}', '[', ': ', '*x', '&x ', '- ', "'", '"', '<<: ', '...', '---\n', '!!'),
  })
  await fc.assert(
    fc.asyncProperty(cut, ({ at, remove, insert }) => survives(FULL.slice(0, at) + insert + FULL.slice(at + remove))),
    { numRuns: 40 },
  )
})

test('any value in place of any one value of a whole file', async () => {
  const lines = FULL.split('\n')
  const places = lines.flatMap((line, index) => (/^\s+[\w.]+: [^&*{[|>]/.test(line) ? [index] : []))
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...places), value, (index, thing) => {
      const changed = lines.map((line, at) =>
        at === index ? line.replace(/: .*/, () => `: ${JSON.stringify(thing)}`) : line,
      )
      return survives(changed.join('\n'))
    }),
    { numRuns: 40 },
  )
})
