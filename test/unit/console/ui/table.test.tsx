/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Lists sort on the server, by links of their headings. */
import { expect, test } from 'bun:test'
import { type Column, Table } from '../../../../src/console/ui/panel.tsx'

interface Row {
  readonly name: string
  readonly size: number | null
}
const ROWS: readonly Row[] = [
  { name: 'task 10', size: 1 },
  { name: 'Task 9', size: null },
  { name: 'alpha', size: 20 },
]
const COLUMNS: readonly Column<Row>[] = [
  { head: 'Name', sort: ({ name }) => name, cell: ({ name }) => name },
  { head: 'Last size', num: true, sort: ({ size }) => size, cell: ({ size }) => size },
  { head: 'Notes', cell: () => '' },
]

function shown(query: string) {
  const search = new URLSearchParams(query)
  const here = (changes: object) => `?${new URLSearchParams({ ...Object.fromEntries(search), ...changes })}`
  const html = String(
    <Table caption="List" columns={COLUMNS} rows={ROWS} keyOf={({ name }) => name} context={{ query: search, here }} />,
  )
  return {
    keys: [...html.matchAll(/data-key="([^"]*)"/g)].map(([, key]) => key),
    orders: [...html.matchAll(/aria-sort="([^"]*)"/g)].map(([, order]) => order),
    links: [...html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href),
  }
}

test.each([
  ['', ['task 10', 'Task 9', 'alpha'], ['none', 'none'], ['?sort=name', '?sort=last-size']],
  ['sort=name', ['alpha', 'Task 9', 'task 10'], ['ascending', 'none'], ['?sort=-name', '?sort=last-size']],
  ['sort=-name', ['task 10', 'Task 9', 'alpha'], ['descending', 'none'], ['?sort=name', '?sort=last-size']],
  ['sort=last-size', ['task 10', 'alpha', 'Task 9'], ['none', 'ascending'], ['?sort=name', '?sort=-last-size']],
  ['sort=-last-size', ['alpha', 'task 10', 'Task 9'], ['none', 'descending'], ['?sort=name', '?sort=last-size']],
  ['sort=notes', ['task 10', 'Task 9', 'alpha'], ['none', 'none'], ['?sort=name', '?sort=last-size']],
  ['sort=constructor', ['task 10', 'Task 9', 'alpha'], ['none', 'none'], ['?sort=name', '?sort=last-size']],
])('"%s": rows without a value last, numbers in names by their value', (query, keys, orders, links) => {
  expect(shown(query)).toEqual({ keys, orders, links })
})
