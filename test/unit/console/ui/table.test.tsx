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

function shown(query: string, props: { readonly part?: string; readonly size?: number } = {}) {
  const search = new URLSearchParams(query)
  const here = (changes: object) => {
    const all = Object.entries({ ...Object.fromEntries(search), ...changes })
    return `?${new URLSearchParams(all.filter(([, value]) => value !== null))}`
  }
  const html = String(
    <Table
      caption="List"
      columns={COLUMNS}
      rows={ROWS}
      keyOf={({ name }) => name}
      context={{ query: search, here }}
      {...props}
    />,
  )
  return {
    keys: [...html.matchAll(/data-key="([^"]*)"/g)].map(([, key]) => key),
    orders: [...html.matchAll(/aria-sort="([^"]*)"/g)].map(([, order]) => order),
    links: [...html.matchAll(/<a [^>]*href="([^"]*)"/g)].map(([, href]) => href!.replaceAll('&amp;', '&')),
    range: /\d+ to \d+ of \d+/.exec(html)?.[0],
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
  expect(shown(query)).toMatchObject({ keys, orders, links })
})

test('each table of a page has an order of its own, and the page comes back to it', () => {
  const { keys, orders, links } = shown('sort=name&sort-files=-last-size', { part: 'files' })
  expect({ keys, orders }).toEqual({ keys: ['alpha', 'task 10', 'Task 9'], orders: ['none', 'descending'] })
  expect(links[0]).toBe('?sort=name&sort-files=name#files')
})

test('all rows are sorted before a page of them is shown; another order begins with the first page', () => {
  const second = shown('sort=name&offset=2', { size: 2 })
  expect(second).toMatchObject({ keys: ['task 10'], range: '3 to 3 of 3' })
  expect(second.links).toEqual(['?sort=-name', '?sort=last-size', '?sort=name'])
  const first = shown('sort=name', { size: 2 })
  expect(first).toMatchObject({ keys: ['alpha', 'Task 9'], range: '1 to 2 of 3' })
  expect(first.links.at(-1)).toBe('?sort=name&offset=2')
  expect(shown('', { size: 3 }).range).toBeUndefined()
})
