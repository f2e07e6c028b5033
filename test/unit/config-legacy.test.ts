import { describe, expect, test } from 'bun:test'
import { configOf, errorsOf, loadButler } from '../support/config.ts'
import { LEGACY_CASES } from '../support/legacy-cases.ts'

/** The notes about old layouts, without places. */
async function notesOf(text: string): Promise<string[]> {
  const { problems } = await loadButler(text)
  return problems.filter(({ standalone }) => standalone).map(({ severity, message }) => `${severity} ${message}`)
}

describe('older layouts', () => {
  test.each([...LEGACY_CASES])('$name', async ({ text, expected, notes }) => {
    expect(await configOf(loadButler(text))).toMatchObject(expected)
    const seen = await notesOf(text)
    expect(seen.filter((note) => !note.includes('REST API only listens'))).toEqual([...notes])
  })

  test('leave no unknown key behind', async () => {
    for (const { text } of LEGACY_CASES) {
      const { problems } = await loadButler(text)
      expect(problems.filter(({ message }) => message.includes('unknown key'))).toEqual([])
    }
  })

  test('a problem of a moved key names the line where it stands', async () => {
    const result = await loadButler('logLevel: info\nudpServerConfig:\n  deduplicationTtlMinutes: soon')
    expect(errorsOf(result)).toMatchObject([
      {
        line: 4,
        column: 5,
        path: 'Butler.udpServerConfig.deduplication.ttlMinutes',
        message: 'must be a number, found "soon"',
      },
    ])
  })

  test('a value in the way is not overwritten but reported', async () => {
    const result = await loadButler('cert: text\nconfigQRS: {cert: /c.pem}')
    expect(errorsOf(result).map(({ path }) => path)).toEqual(['Butler.cert'])
  })
})
