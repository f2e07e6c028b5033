import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readRepositoryFile, repositoryRoot } from '../../support/source.ts'

const numbered = (count: number, prefix = '', first = 1) =>
  Array.from({ length: count }, (_, index) => `${prefix}${first + index}`)

/** Every id that docs/internals/promises.md must answer, by heading. */
const IDS: Readonly<Record<string, readonly string[]>> = {
  'rest-api': numbered(40, '15.'),
  notifications: numbered(39),
  'udp-events': numbered(26, 'W'),
  'qlik-apis': numbered(25, '11.'),
  'mqtt-influxdb': numbered(32),
  config: numbered(38, '21.'),
  'scheduler-kv-files-services': [
    ...numbered(7, '11.1.'),
    ...numbered(6, '11.2.', 8),
    ...numbered(16, '11.3.', 14),
    ...numbered(10, '11.4.', 30),
    ...numbered(6, '11.5.', 40),
  ],
  'report-tasks': numbered(7, '17.'),
  'user-demand': numbered(15),
  cluster: numbered(10, 'C'),
  'public-reports': numbered(21, 'F'),
}

interface Row {
  readonly place: string
  readonly topic: string
  readonly id: string
  /** One or more proofs, `<br>` between them in the table. */
  readonly proofs: readonly string[]
}

function readRows(markdown: string): Row[] {
  const rows: Row[] = []
  let topic = ''
  for (const [index, line] of markdown.split('\n').entries()) {
    if (line.startsWith('## ')) topic = line.slice(3).trim()
    const [, id, weakPoint, shownBy] = /^\| ([\w.]+) \| ([^|]+) \| ([^|]*) \|$/.exec(line) ?? []
    if (!id || id === 'Id' || !weakPoint) continue
    const proofs = (shownBy ?? '').split('<br>').map((proof) => proof.trim())
    rows.push({ place: `docs/internals/promises.md:${index + 1} (${topic} ${id})`, topic, id, proofs })
  }
  return rows
}

const rows = readRows(readRepositoryFile('docs/internals/promises.md'))

/** What is wrong with a proof, or null. */
function fault(proof: string): string | null {
  if (/^(later|n\/a): \S/.test(proof)) return null
  const [, file, name] = /^(test\/\S+\.test\.tsx?) › (.+)$/.exec(proof) ?? []
  if (!file || !name) return `"${proof}" is neither "file › test", "later: feature" nor "n/a: reason"`
  if (!existsSync(join(repositoryRoot, file))) return `${file} does not exist`
  return hasTest(readRepositoryFile(file), name) ? null : `${file} has no test "${name}"`
}

/** True when the text holds the name as a whole string literal. */
function hasTest(text: string, name: string): boolean {
  return [`'${name.replaceAll("'", "\\'")}'`, `"${name}"`, `\`${name}\``].some((literal) => text.includes(literal))
}

describe('docs/internals/promises.md', () => {
  test('answers every known weak point once, in order', () => {
    const answered = Object.fromEntries(
      Object.keys(IDS).map((topic) => [topic, rows.filter((row) => row.topic === topic).map(({ id }) => id)]),
    )
    expect(answered).toEqual(IDS as Record<string, string[]>)
    expect(rows).toHaveLength(Object.values(IDS).flat().length)
  })

  test('names tests that exist', () => {
    const faults = rows.flatMap(({ place, proofs }) =>
      proofs.flatMap((proof) => {
        const problem = fault(proof)
        return problem ? [`${place}: ${problem}`] : []
      }),
    )
    expect(faults).toEqual([])
  })

  test('refuses proofs that prove nothing', () => {
    expect(fault('later: ')).toContain('neither')
    expect(fault('see the code')).toContain('neither')
    expect(fault('open')).toContain('neither')
    expect(fault('test/unit/no-such.test.ts › x')).toContain('does not exist')
    expect(fault('test/unit/repository/promises.test.ts › no such name'.replace('such', 'suchlike'))).toContain(
      'has no test',
    )
    expect(fault('test/unit/repository/promises.test.ts › refuses proofs that prove nothing')).toBeNull()
  })
})
