/** Paths in the pages for developers: every file and folder that a page names in backticks exists. */
import { expect, test } from 'bun:test'
import { existsSync, globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readRepositoryFile, repositoryRoot } from '../../support/source.ts'

const pages = globSync('docs/internals/*.md', { cwd: repositoryRoot }).map((page) => page.replaceAll('\\', '/'))

/** Written by builds, releases and test runs, so they are not in the repository. */
const GENERATED = /^((dist|test-results|node_modules)\/|(sbom\.cdx\.json|THIRD-PARTY-LICENCES\.txt)$)/

/** Names of files that stand for any file of that name, such as the `http.ts` of a feature. */
const fileNames = new Set(
  globSync(['{src,simulator,test,scripts,config}/**/*', '*'], { cwd: repositoryRoot }).map((path) => basename(path)),
)

const isPath = (text: string) => /^[\w@][\w@./-]*(\.(tsx?|mjs|json|md|txt|c|svg|ico)|\/)$/.test(text)

/** From the root of the repository or from `src/`; a name without a folder is the name of any file. */
const exists = (path: string) =>
  existsSync(join(repositoryRoot, path)) ||
  existsSync(join(repositoryRoot, 'src', path)) ||
  (!path.includes('/') && fileNames.has(path))

function pathsOf(page: string): { place: string; path: string }[] {
  let fenced = false
  return readRepositoryFile(page)
    .split('\n')
    .flatMap((line, index) => {
      if (/^\s*```/.test(line)) fenced = !fenced
      if (fenced) return []
      return [...line.matchAll(/`([^`\s]+)`/g)]
        .map((match) => match[1]!)
        .filter((text) => isPath(text) && !GENERATED.test(text))
        .map((path) => ({ place: `${page}:${index + 1}`, path }))
    })
}

test('files and folders that the pages for developers name exist', () => {
  const paths = pages.flatMap(pathsOf)
  expect(paths.length).toBeGreaterThan(80)
  expect(paths.filter(({ path }) => !exists(path))).toEqual([])
})

test('the tree of the rooms names the folders of src, and folders that lie in them', () => {
  const tree = /```\n(src\/main\.ts[\s\S]*?)```/.exec(readRepositoryFile('docs/internals/development.md'))?.[1] ?? ''
  // A line that begins with blanks continues the description of the line above.
  const rooms = tree
    .replaceAll(/\n +/g, ' ')
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [, names = '', description = ''] = /^(\S+\/\S*(?: {2}src\/\S+)*)\s*(.*)$/.exec(line) ?? []
      return names.split(/ +/).map((room) => ({ room, description }))
    })
  const folders = globSync(['src/*/', 'simulator/'], { cwd: repositoryRoot }).map(
    (path) => `${path.replaceAll('\\', '/')}/`,
  )
  expect(rooms.map(({ room }) => room).sort()).toEqual([...folders, 'src/main.ts'].sort())
  const missing = rooms.flatMap(({ room, description }) =>
    [...description.matchAll(/[\w-]+(?:\/|\.ts\b)/g)]
      .map(([name]) => `${room}${name}`)
      .filter((path) => !existsSync(join(repositoryRoot, path))),
  )
  expect(missing).toEqual([])
})

test('each journey names as many files as it says', () => {
  const page = readRepositoryFile('docs/internals/development.md')
  const journeys = [...page.matchAll(/^\*\*.*: (\d+) files\b[\s\S]*?\n\n(?=\*\*|##)/gm)]
  expect(journeys).toHaveLength(4)
  for (const [text, said] of journeys) {
    const files = new Set([...text.matchAll(/`((?:[\w-]+\/)+[\w.-]+\.tsx?)`/g)].map(([, path]) => path))
    expect({ journey: text.split('\n')[0], files: files.size }).toEqual({
      journey: text.split('\n')[0],
      files: Number(said),
    })
  }
})
