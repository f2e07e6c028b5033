/** `docs/doctor.md` and the codes in the probes: neither has what the other lacks. */
import { expect, test } from 'bun:test'
import { PROBES } from '../../../src/cli/doctor/probes.ts'
import { documentedCodes, isDocumented } from '../../support/doctor-codes.ts'
import { sourceFiles } from '../../support/source.ts'

const files = sourceFiles('src/cli/doctor')
const groups = new Set(['configuration', ...PROBES.map(({ group }) => group)])

/** As far as they stand in one piece in a source: 'smtp.login', `${GROUP}.expired`, say('error', 'port', ...). */
function codesIn({ text }: { text: string }): readonly string[] {
  const own = /GROUP = '([a-z-]+)'/.exec(text)?.[1]
  const whole = [...text.matchAll(/'([a-z-]+)\.([a-z-]+)'/g)].filter(([, group]) => groups.has(group!))
  const parts = own === undefined ? [] : [...text.matchAll(/`\$\{GROUP\}\.([a-z-]+)`/g)]
  const said =
    own === undefined
      ? []
      : [
          ...text.matchAll(
            /\b(?:say|finding)\(\s*(?:context,\s*)?(?:'(?:ok|info|warning|error)'|level),\s*'([a-z-]+)'/g,
          ),
        ]
  return [
    ...whole.map(([, group, what]) => `${group}.${what}`),
    ...[...parts, ...said].map(([, what]) => `${own}.${what}`),
  ]
}

const found = [...new Set(files.flatMap(codesIn))]

test('every code of a probe is in docs/doctor.md', () => {
  const documented = documentedCodes()
  expect(found.length).toBeGreaterThan(100)
  expect(found.filter((code) => !isDocumented(code, documented))).toEqual([])
})

test('every group has a code there', () => {
  const documented = [...documentedCodes()]
  const missing = [...groups].filter((group) => !documented.some((code) => code.startsWith(`${group}.`)))
  expect(missing).toEqual([])
})

test('every code of docs/doctor.md stands in a probe', () => {
  const kinds = sourceFiles('src/platform').filter(({ path }) => path.endsWith('/connection-failure.ts'))
  const texts = [...files, ...kinds].map(({ text }) => text).join('\n')
  const stale = [...documentedCodes()].filter((code) => {
    const [group = '', what = ''] = code.split('.')
    const known = group === '*' || groups.has(group)
    return !known || (!found.includes(code) && !new RegExp(`['.]${what}['\`]`).test(texts))
  })
  expect(stale).toEqual([])
})
