/** The recipes of docs/internals/development.md, followed literally on a copy of the tree, and their commands run there. */
import { expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { type Block, blocksOf } from '../../support/docs.ts'
import { repositoryRoot } from '../../support/source.ts'
import { tempDirectory } from '../../support/temp.ts'
import { bringFindings } from '../../support/type-check.ts'

const PAGE = 'docs/internals/development.md'
const COPIED = [
  'src',
  'simulator',
  'test',
  'scripts',
  'templates',
  'config',
  'docs',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'biome.json',
  'bunfig.toml',
  '.gitignore',
  'README.md',
  'LICENSE',
]
const TIME_LIMIT_MS = 9 * 60_000

const NEW_FILE = /^\/\/ ((?:src|test)\/\S+\.tsx?)$/
const CHANGED_FILE = /^\+\+\+ (\S+)$/
const TESTS = /^npm test -- (.*)$/

/** Blocks below the heading `## Recipes`, in order. */
function recipeBlocks(): Block[] {
  const lines = readFileSync(join(repositoryRoot, PAGE), 'utf8').split('\n')
  const first = lines.indexOf('## Recipes')
  const last = lines.findIndex((line, index) => index > first && line.startsWith('## '))
  return blocksOf(PAGE).filter(({ place }) => {
    const line = Number(place.split(':')[1])
    return line > first && line < last
  })
}

/** Applies the hunks of a `diff` block (divided by `@@`) to a text. Each must fit at one place only. */
function patched(text: string, hunks: readonly string[]): string {
  let result = text
  for (const hunk of hunks.join('\n').split(/\n@@\n/)) {
    const lines = hunk.split('\n').filter((line) => line !== '')
    const side = (sign: string) =>
      lines
        .filter((line) => line[0] === ' ' || line[0] === sign)
        .map((line) => `${line.slice(1)}\n`)
        .join('')
    const before = side('-')
    const places = result.split(before).length - 1
    if (places !== 1) throw new Error(`${places} places instead of one for:\n${before}`)
    result = result.replace(before, () => side('+'))
  }
  return result
}

/** Makes the changes of the blocks below `root`; returns the commands among them, and the paths of the files. */
function follow(root: string, blocks: readonly Block[]): { readonly commands: string[]; readonly files: Set<string> } {
  const commands: string[] = []
  const files = new Set<string>()
  for (const { language, lines, place } of blocks) {
    const [head = '', ...rest] = lines
    const [created, changed] = [NEW_FILE.exec(head)?.[1], CHANGED_FILE.exec(head)?.[1]]
    const file = created ?? changed
    if (file) files.add(file)
    if (language === 'sh') commands.push(...lines)
    else if (created) {
      expect(existsSync(join(root, created)), place).toBe(false)
      mkdirSync(dirname(join(root, created)), { recursive: true })
      writeFileSync(join(root, created), `${rest.join('\n')}\n`)
    } else if (language === 'diff' && changed) {
      writeFileSync(join(root, changed), patched(readFileSync(join(root, changed), 'utf8'), rest))
    } else throw new Error(`${place}: neither a new file, a change nor commands`)
  }
  return { commands, files }
}

/** Biome reads these files only: the others are those of the repository, which the runner checks. */
function lintOnly(root: string, files: ReadonlySet<string>): void {
  const path = join(root, 'biome.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...config, files: { includes: [...files] } }, null, 2))
}

/** The packages of the repository, without what the compiler keeps beside them from one check of that tree to the next. */
function linkPackages(root: string): void {
  const [from, to] = [join(repositoryRoot, 'node_modules'), join(root, 'node_modules')]
  mkdirSync(to)
  for (const name of readdirSync(from)) {
    if (name !== '.cache') symlinkSync(join(from, name), join(to, name))
  }
}

test(
  'the recipes work as they are written',
  async () => {
    await using copy = tempDirectory()
    const blocks = recipeBlocks()
    const words = blocks.flatMap(({ lines }) => lines.flatMap((line) => TESTS.exec(line)?.[1]?.split(' ') ?? []))
    // The check and the lint of all other tests are the runner's own.
    const isWanted = (path: string) => !path.endsWith('.test.ts') || words.some((word) => path.includes(word))
    for (const path of COPIED) {
      cpSync(join(repositoryRoot, path), copy.join(path), { recursive: true, filter: isWanted })
    }
    linkPackages(copy.path)
    bringFindings(copy.path, copy.join('node_modules/.cache/tsc.tsbuildinfo'))
    const { commands, files } = follow(copy.path, blocks)
    lintOnly(copy.path, files)
    expect(commands.filter((command) => TESTS.test(command))).toHaveLength(3)

    // One run of each command for all recipes; `npm run lint` is what `npm test` without words begins with.
    const others = new Set(commands.filter((command) => !command.startsWith('npm test')))
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== 'FOOTMAN_BINARY'))
    for (const command of [...others, 'npm run lint', `npm test -- ${words.join(' ')}`]) {
      const { status, stdout, stderr } = spawnSync(command, { cwd: copy.path, env, shell: true, encoding: 'utf8' })
      expect({ command, status, output: status === 0 ? '' : `${stdout}\n${stderr}` }).toEqual({
        command,
        status: 0,
        output: '',
      })
    }
  },
  TIME_LIMIT_MS,
)
