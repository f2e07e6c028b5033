/** The table of what `Butler.footman.compatibility` decides is complete, in the guide and in the code. */
import { describe, expect, test } from 'bun:test'
import { COMPATIBILITY_RULES } from '../../../../src/app/config/compatibility.ts'
import { configOf, loadButler } from '../../../support/config.ts'
import { readRepositoryFile, sourceFiles, withoutComments } from '../../../support/source.ts'

const RULES = Object.entries(COMPATIBILITY_RULES)
const CODE = sourceFiles('src').map(({ path, text }) => ({ path, text: withoutComments(text) }))

test('the guide has exactly the rules of the code', () => {
  const [, page = ''] = readRepositoryFile('docs/from-butler.md').split('### Compatibility')
  const [, table = ''] = page.split('| Setting | `butler` | `strict` |\n| --- | --- | --- |\n')
  const rows = table.split('\n\n')[0]!.split('\n')
  expect(rows).toEqual(RULES.map(([, { setting, butler, strict }]) => `| ${setting} | ${butler} | ${strict} |`))
})

test('every rule is applied, and nothing looks at the mode without one', () => {
  const asked = CODE.flatMap(({ text }) => [...text.matchAll(/isAsInButler\('(\w+)'/g)].map(([, name]) => name!))
  for (const [name, rule] of RULES) expect([name, 'adopt' in rule || asked.includes(name)]).toEqual([name, true])
  // `butler` and `strict` are compared in one file only.
  const comparing = CODE.filter(({ text }) => /[!=]== '(butler|strict)'|compatibility\)? [!=]==/.test(text))
  expect(comparing.map(({ path }) => path)).toEqual(['src/app/config/compatibility.ts'])
})

describe('what auto means', () => {
  test.each([
    ['logLevel: info', 'butler'],
    ['footman: {timezone: UTC}', 'strict'],
    ['footman:', 'strict'],
    ['Footman: {timezone: UTC}', 'strict'],
    ['footman: {timezone: UTC, compatibility: auto}', 'strict'],
    ['footman: {timezone: UTC, compatibility: butler}', 'butler'],
    ['footman: {compatibility: STRICT}', 'strict'],
  ] as const)('%s: %s', async (text, expected) => {
    expect((await configOf(loadButler(text))).footman.compatibility).toBe(expected)
  })

  test('options of the command line are no settings of the file', async () => {
    const overrides = { shadow: true, apiRateLimit: 5 }
    expect((await configOf(loadButler('logLevel: info', { overrides }))).footman.compatibility).toBe('butler')
  })
})

test('the approved directories of Footman win over anywhere', async () => {
  const text = 'footman: {compatibility: butler, files: {createDirApprovedDirectories: [/data]}}'
  expect((await configOf(loadButler(text))).footman.files.createDirAllowAnywhere).toBe(false)
})
