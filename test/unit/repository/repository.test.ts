import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { importsOf, readRepositoryFile, repositoryRoot, sourceFiles } from '../../support/source.ts'

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}
interface LockedPackage {
  readonly version?: string
  readonly resolved?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const manifest = JSON.parse(readRepositoryFile('package.json')) as Manifest
const lock = JSON.parse(readRepositoryFile('package-lock.json')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>
}
const source = ['src', 'simulator'].flatMap(sourceFiles)

/** Every text file that git would commit. */
function committedFiles(): { path: string; text: string }[] {
  const git = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: repositoryRoot,
    encoding: 'utf8',
  })
  return git.stdout
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(repositoryRoot, path)))
    .filter((path) => !/\.(png|ico|jpg|gif|woff2|qvf|zip)$/.test(path))
    .map((path) => ({ path, text: readRepositoryFile(path) }))
}

const lines = ({ path, text }: { path: string; text: string }) =>
  text.split('\n').map((line, index) => ({ place: `${path}:${index + 1}`, line }))

describe('source files', () => {
  test('leave nothing half done', () => {
    const marks = source.flatMap(lines).filter(({ line }) => /\b(TODO|FIXME|XXX)\b|not (yet )?implemented/i.test(line))
    expect(marks).toEqual([])
  })

  test('import only packages that the executable may contain', () => {
    const undeclared = source.flatMap((file) =>
      importsOf(file)
        .filter(({ resolved, specifier }) => resolved === null && !/^(node|bun):|^bun$/.test(specifier))
        .map(({ specifier }) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier)
        .filter((name) => !(name in manifest.dependencies))
        .map((name) => `${file.path} imports ${name}, which is not among the dependencies of package.json`),
    )
    expect(undeclared).toEqual([])
  })
})

describe('committed files', () => {
  const files = committedFiles()

  test('name no directories of a developer machine', () => {
    // Split, so that this file does not match itself.
    const machine = new RegExp(['/(home|Users|root|work|farm)', '/[\\w.-]+/'].join(''))
    const found = files
      .filter(({ path }) => path !== 'package-lock.json')
      .flatMap(lines)
      .filter(({ line }) => machine.test(line.replaceAll(/https?:\/\/\S+/g, '')))
    expect(found).toEqual([])
  })

  test('name no package registry', () => {
    const registry = new RegExp(['registry', '\\.(npmjs|yarnpkg)\\b|^\\s*registry', '\\s*=|/api/npm', '/'].join(''))
    const found = files.flatMap(lines).filter(({ line }) => registry.test(line))
    expect(found).toEqual([])
  })

  test('include the licence', () => {
    expect(readRepositoryFile('LICENSE')).toContain('MIT License')
  })
})

describe('package-lock.json', () => {
  test('holds no download addresses', () => {
    const resolved = Object.entries(lock.packages).filter(([, { resolved }]) => resolved !== undefined)
    expect(resolved).toEqual([])
  })

  test('lists the packages of every platform, so that npm ci works on each', () => {
    const missing = Object.entries(lock.packages)
      .filter(([path]) => path !== '')
      .flatMap(([path, { optionalDependencies = {} }]) =>
        Object.keys(optionalDependencies)
          .filter((name) => !lock.packages[`node_modules/${name}`] && !lock.packages[`${path}/node_modules/${name}`])
          .map((name) => `${name}, wanted by ${path}`),
      )
    expect(missing).toEqual([])
  })
})

describe('package.json', () => {
  test('pins exact versions', () => {
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    )
    expect(loose).toEqual([])
  })

  test('agrees with docs/internals/dependencies.md', () => {
    const documented = readRepositoryFile('docs/internals/dependencies.md')
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .filter((cells) => cells.length === 8 && cells[1] !== 'Package' && !/^-+$/.test(cells[1] ?? ''))
    const incomplete = documented.filter((cells) => cells.slice(1, 7).some((cell) => cell === ''))
    expect(incomplete).toEqual([])
    const rows = Object.fromEntries(documented.map((cells) => [cells[1], cells[2]]))
    expect(rows).toEqual({ ...manifest.dependencies, ...manifest.devDependencies })
  })

  test('has every npm script that README.md and docs/ mention', () => {
    const builtIn = ['start', 'test']
    const missing = committedFiles()
      .filter(({ path }) => path === 'README.md' || path.startsWith('docs/'))
      .flatMap(lines)
      .flatMap(({ place, line }) =>
        [...line.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test))\b/g)].map((match) => ({
          place,
          script: match[1] ?? match[2] ?? '',
        })),
      )
      .filter(({ script }) => !(script in manifest.scripts))
    expect(missing).toEqual([])
    for (const script of [...builtIn, 'build', 'bench', 'lint', 'format'])
      expect(manifest.scripts).toHaveProperty(script)
  })
})
