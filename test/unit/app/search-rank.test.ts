/** The order of what the search finds, and the field that it names. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { byRank, rankOf } from '../../../src/app/search-rank.ts'

const fieldsOf = (name: string, app = '') => [
  { label: 'name', text: name },
  { label: 'app', text: app },
]

const TASKS: readonly (readonly [name: string, app: string])[] = [
  ['Archive', 'Sales ETL'],
  ['Before sales etl', ''],
  ['Daily sales', 'ETL helpers'],
  ['Presales etlx', ''],
  ['Sales ETL', 'Other'],
  ['Sales ETL 10', ''],
  ['Sales ETL 9', ''],
  ['Sales load for ETL', ''],
  ['Whole-sales ETL', ''],
  ['Zoo', 'The presales etl'],
]

function found(query: string) {
  return TASKS.flatMap(([title, app]) => {
    const match = rankOf(query, fieldsOf(title, app))
    return match ? [{ title, rank: match.rank, field: match.field }] : []
  }).sort(byRank)
}

describe('search', () => {
  test('name begins, word begins, name contains, then the app', () => {
    expect(found('  sales   ETL ').map(({ title, field }) => `${title}: ${field}`)).toEqual([
      'Sales ETL: name',
      'Sales ETL 9: name',
      'Sales ETL 10: name',
      'Before sales etl: name',
      'Whole-sales ETL: name',
      'Sales load for ETL: name',
      'Presales etlx: name',
      'Daily sales: name and app',
      'Archive: app',
      'Zoo: app',
    ])
  })

  test.each([
    ['zoo', ['Zoo']],
    ['etlx', ['Presales etlx']],
    ['nothing', []],
    ['   ', []],
  ] as const)('%s', (query, expected) => {
    expect(found(query).map(({ title }) => title)).toEqual([...expected])
  })

  test('words outside the basic plane, and null', () => {
    expect(rankOf('etl', fieldsOf('𝐀etl'))).toMatchObject({ rank: 4 })
    expect(rankOf('etl', fieldsOf('ä etl'))).toMatchObject({ rank: 2 })
    expect(rankOf('a', [{ label: 'name', text: null }])).toBeNull()
  })

  test('finds exactly what has all words, and prefers the name', () => {
    const word = fc.constantFrom('sales', 'etl', 'x', 'load')
    const text = fc.array(word, { maxLength: 3 }).map((words) => words.join(' '))
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 3 }), text, text, (words, name, app) => {
        const match = rankOf(words.join(' '), fieldsOf(name, app))
        expect(match !== null).toBe(words.every((one) => `${name} ${app}`.includes(one)))
        if (!match) return
        const isNamed = words.every((one) => name.includes(one))
        expect(match.field === 'name').toBe(isNamed)
        expect(match.rank < 5).toBe(isNamed)
      }),
    )
  })
})
