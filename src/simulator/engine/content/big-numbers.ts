import { hash, numberColumn, sequenceColumn } from '../data/column.ts'
import * as make from './building.ts'
import type { AppContent } from './types.ts'

const ROWS = 40_000
const COLUMNS = 300
const VALUES = 100_000

const name = (index: number) => `C${String(index).padStart(3, '0')}`

/** A cube of 300 x 40,000 cells: one dimension and 299 measures. */
export function bigNumbers(): AppContent {
  const measures = Array.from({ length: COLUMNS - 1 }, (_, index) => name(index + 1))
  return {
    script: `///$tab Main\r\nNumbers:\r\nLOAD Row, ${measures.join(', ')}\r\nFROM [lib://QVD/numbers.qvd] (qvd);\r\n`,
    objects: [
      make.sheet('b7e1c2d3-0010-4000-8000-000000000001', 'All numbers', 0, [
        {
          node: make.chart(
            'tbBig',
            'table',
            'Big table',
            make.cube({
              dimensions: [make.fieldDimension('Row', { qSortByLoadOrder: 1 })],
              measures: measures.map((field) => make.expressionMeasure(`Sum(${field})`, field, {})),
              more: { qSuppressMissing: false },
            }),
          ),
          at: [0, 0, 24, 12],
        },
      ]),
      make.appProperties('a7e1c2d3-0010-4000-8000-000000000001', 'Big Numbers'),
    ],
    dimensions: [],
    measures: [],
    variables: [],
    bookmarks: [],
    snapshots: [],
    media: [],
    lineage: [{ qDiscriminator: 'lib://QVD/numbers.qvd;', qStatement: 'LOAD * FROM [lib://QVD/numbers.qvd] (qvd)' }],
    tables: [
      {
        name: 'Numbers',
        prefix: 'none',
        source: 'lib://QVD/numbers.qvd',
        build: () => ({
          name: 'Numbers',
          rowCount: ROWS,
          columns: [
            sequenceColumn('Row', 'R', ROWS, (row) => row),
            ...measures.map((field, index) =>
              numberColumn(field, { cardinal: VALUES }, (row) => hash(row, 100 + index) % VALUES),
            ),
          ],
        }),
      },
    ],
  }
}
