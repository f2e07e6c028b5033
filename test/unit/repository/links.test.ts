/** Links in README.md, SECURITY.md, CHANGELOG.md and docs/: they lead somewhere, and every page can be found. */
import { expect, test } from 'bun:test'
import { existsSync, globSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { readRepositoryFile, repositoryRoot } from '../../support/source.ts'

interface Link {
  readonly place: string
  readonly page: string
  /** Path in the repository; empty = the same page. */
  readonly path: string
  readonly anchor: string
}

const pages = ['README.md', 'SECURITY.md', 'CHANGELOG.md', ...globSync('docs/**/*.md', { cwd: repositoryRoot })].map(
  (page) => page.replaceAll('\\', '/'),
)

/** Lines of the page; those of examples are empty. */
function proseOf(page: string): string[] {
  let fenced = false
  return readRepositoryFile(page)
    .split('\n')
    .map((line) => {
      if (/^\s*```/.test(line)) {
        fenced = !fenced
        return ''
      }
      return fenced ? '' : line
    })
}

const linksOf = (page: string): Link[] =>
  proseOf(page).flatMap((line, index) =>
    [...line.replace(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1]!)
      .filter((target) => !/^[a-z]+:/.test(target))
      .map((target) => {
        const [file = '', anchor = ''] = target.split('#')
        const path = file === '' ? '' : normalize(join(dirname(page), file)).replaceAll('\\', '/')
        return { place: `${page}:${index + 1}`, page, path, anchor }
      }),
  )

/** As GitHub makes them of headings. */
const anchorsOf = (page: string): string[] =>
  proseOf(page)
    .filter((line) => /^#{1,6} /.test(line))
    .map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    )

const links = pages.flatMap(linksOf)

test('links lead to files that are there', () => {
  expect(links.length).toBeGreaterThan(30)
  const dead = links.filter(({ path }) => path !== '' && !existsSync(join(repositoryRoot, path)))
  expect(dead).toEqual([])
})

test('links into a page name one of its headings', () => {
  const dead = links.filter(({ page, path, anchor }) => {
    const target = path || page
    return anchor !== '' && target.endsWith('.md') && !anchorsOf(target).includes(anchor)
  })
  expect(dead).toEqual([])
})

test('the index of the guide leads to every page, in two steps at most', () => {
  const linkedFrom = (sources: readonly string[]) =>
    links.filter(({ page }) => sources.includes(page)).map(({ path }) => path)
  expect(linkedFrom(['README.md'])).toContain('docs/README.md')
  const first = linkedFrom(['docs/README.md'])
  const found = new Set(['README.md', 'docs/README.md', ...first, ...linkedFrom(first)])
  expect(pages.filter((page) => !found.has(page))).toEqual([])
})
