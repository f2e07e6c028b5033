import { describe, expect, test } from 'bun:test'
import { brokenRule, circles } from '../../support/floors.ts'
import { type Import, importsOf, sourceFiles, withoutComments } from '../../support/source.ts'

const files = ['src', 'simulator'].flatMap(sourceFiles)

/** Files and packages that are loaded with these; what is imported later does not count, nor do types. */
function loadedBy(...entries: readonly string[]): ReadonlySet<string> {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const loaded = new Set(entries)
  for (const path of loaded) {
    const file = byPath.get(path)
    // A specifier that is no text is not found.
    const atStart = file ? { path, text: file.text.replace(/\bimport\(/g, 'later(') } : null
    for (const { specifier, resolved, typeOnly } of atStart ? importsOf(atStart) : []) {
      if (!typeOnly) loaded.add(resolved ?? specifier)
    }
  }
  return loaded
}

/** Where the roles of threads have their names. */
const ROLES = [
  'src/app/roles.ts',
  'src/reports/runs/role.ts',
  'src/reports/templates/role.ts',
  'src/tasks/executions/history-reader.ts',
]

describe('the floors of src and the simulator', () => {
  test('imports go down or stay in their folder', () => {
    const broken = files.flatMap((file) =>
      importsOf(file).flatMap((imported) => {
        const rule = brokenRule(file.path, imported)
        return rule ? [`${file.path} imports ${imported.specifier}: ${rule}`] : []
      }),
    )
    expect(broken).toEqual([])
  })

  test('no file imports itself by way of others', () => {
    const imports = new Map(
      files.map((file) => [
        file.path,
        importsOf(file).flatMap(({ resolved }) => (resolved === null ? [] : [resolved])),
      ]),
    )
    expect(circles(imports)).toEqual([])
  })

  test('the driver of PostgreSQL is loaded by nodes of a cluster only', () => {
    const loaded = loadedBy('src/main.ts', 'src/cli/run.ts', 'src/cli/check.ts', 'src/cli/doctor/index.ts')
    expect(loaded.size).toBeGreaterThan(500)
    expect([...loaded].filter((path) => path === 'pg' || path === 'src/cluster/index.ts')).toEqual([])
  })

  test('a start loads neither pages nor definitions of report tasks', () => {
    const loaded = [...loadedBy('src/main.ts', 'src/cli/run.ts', 'src/cli/check.ts')]
    expect(loaded).toContain('src/app/app.ts')
    expect(loaded.filter((path) => /\.tsx$|^src\/reports\/entities\//.test(path))).toEqual([])
  })

  // Each library is in memory once a thread, and every start has the ingest worker.
  test('the ingest worker loads no library, no schema and no other feature', () => {
    const loaded = [...loadedBy('src/app/roles.ts')].filter((path) => !path.startsWith('node:'))
    expect(loaded).toContain('src/events/ingest/worker.ts')
    const names = loaded.filter((path) => !/^src\/(events\/ingest|platform)\//.test(path))
    expect(names.toSorted()).toEqual(ROLES)
  })

  test('only the adapters in src/platform name a runtime', () => {
    const naming = files
      .filter(({ path }) => !path.startsWith('src/platform/'))
      .filter(({ text }) => /(?<![\w.$'"`/-])(Bun|Deno)\.\w/.test(withoutComments(text)))
      .map(({ path }) => path)
    expect(naming).toEqual([])
  })

  test('JSON gets its type in src/platform only', () => {
    const casting = files
      .filter(({ path }) => !path.startsWith('src/platform/'))
      .filter(({ text }) => /JSON\.parse\([^\n]*\) as (?!unknown)/.test(withoutComments(text)))
      .map(({ path }) => path)
    expect(casting).toEqual([])
  })
})

test('unit and integration tests lie in the folder of a room of src', () => {
  const rooms = new Set(files.map(({ path }) => path.split('/')[1]))
  const others = new Set(['repository', 'scripts', 'simulator', 'support'])
  const misplaced = ['test/unit', 'test/integration']
    .flatMap(sourceFiles)
    .map(({ path }) => path)
    .filter((path) => {
      const folder = path.split('/')[2]
      return !rooms.has(folder) && !others.has(folder!)
    })
  expect(misplaced).toEqual([])
})

describe('the rules themselves', () => {
  const rule = (from: string, specifier: string, typeOnly = false): string | null => {
    const [imported] = importsOf({ path: from, text: `import ${typeOnly ? 'type ' : ''}{ a } from '${specifier}'\n` })
    return brokenRule(from, imported as Import)
  }

  test.each([
    ['src/kv/store.ts', '../platform/sqlite.ts'],
    ['src/kv/store.ts', './types.ts'],
    ['src/kv/deep/store.ts', '../types.ts'],
    ['src/kv/routes.ts', '../http/endpoint/route.ts'],
    ['src/alerts/router.ts', '../events/kinds.ts'],
    ['src/app/app.ts', '../http/server.ts'],
    ['src/cli/demo/world.ts', '../../../simulator/index.ts'],
    ['simulator/qrs/qrs.ts', '../site.ts'],
    ['simulator/http-listener.ts', '../src/platform/listeners.ts'],
    ['src/app/schema.ts', '../kv/config.ts'],
    ['src/app/schema.ts', '../tasks/start/config.ts'],
    ['src/kv/config.ts', 'zod'],
    ['src/kv/config.ts', '../config/fields.ts'],
    ['src/alerts/config.ts', './config-email.ts'],
    ['src/alerts/template.ts', '../../templates/email.eta'],
    ['src/platform/udp.ts', 'bun'],
  ])('%s may import %s', (from, specifier) => {
    expect(rule(from, specifier)).toBeNull()
  })

  test.each([
    ['src/platform/log.ts', '../config/fields.ts'],
    ['src/alerts/router.ts', '../app/schema.ts'],
    ['src/qlik/qrs/client.ts', '../../events/types.ts'],
    ['src/kv/store.ts', '../alerts/router.ts'],
    ['src/kv/store.ts', '../alerts/types.ts'],
    ['src/events/store.ts', '../alerts/router.ts'],
    ['src/http/server.ts', '../kv/routes.ts'],
    ['src/http/server.ts', '../qlik/qrs/client.ts'],
    ['src/http/server.ts', '../app/app.ts'],
    ['src/app/app.ts', '../../simulator/index.ts'],
    ['src/cli/doctor/site.ts', '../../../simulator/index.ts'],
    ['simulator/qrs/qrs.ts', '../../src/qlik/qrs/client.ts'],
    ['simulator/index.ts', 'bun:sqlite'],
    ['src/config/keys.ts', '../kv/config.ts'],
    ['src/config/diff.ts', '../app/schema.ts'],
    ['src/kv/config.ts', './store.ts'],
    ['src/kv/config-part.ts', 'hono'],
    ['src/kv/store.ts', 'bun:sqlite'],
    ['src/kv/store.ts', '../../test/support/wait.ts'],
    ['src/attic/store.ts', './x.ts'],
  ])('%s may not import %s', (from, specifier) => {
    expect(rule(from, specifier)).toBeString()
  })

  test('types of another feature may be imported as types', () => {
    expect(rule('src/monitors/service.ts', '../metrics/influxdb/types.ts', true)).toBeNull()
    expect(rule('src/monitors/service.ts', '../metrics/influxdb/point.ts', true)).toBeString()
  })
})

test('circles are found', () => {
  const imports = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', ['e']],
    ['e', []],
    ['f', ['e', 'f']],
  ])
  expect(circles(imports)).toEqual([['a', 'b', 'c']])
})

describe('finding imports', () => {
  const specifiers = (text: string) =>
    importsOf({ path: 'src/kv/a.ts', text }).map(({ specifier, typeOnly }) => `${typeOnly ? 'type ' : ''}${specifier}`)

  test('sees every form', () => {
    const text = [
      `import './side-effect.ts'`,
      `import type { A } from './types.ts'`,
      `import b, {`,
      `  c,`,
      `  type D,`,
      `} from "./many.ts"`,
      `import * as e from './star.ts'`,
      `export { f } from './again.ts'`,
      `export type * from './again-types.ts'`,
      `export * as g from './named-star.ts'`,
      `const h = await import('./late.ts')`,
      `type I = import('./inline.ts').I`,
      `new Worker(new URL('./worker.ts', import.meta.url))`,
    ].join('\n')
    expect(specifiers(text)).toEqual([
      './side-effect.ts',
      'type ./types.ts',
      './many.ts',
      './star.ts',
      './again.ts',
      'type ./again-types.ts',
      './named-star.ts',
      './late.ts',
      './inline.ts',
      './worker.ts',
    ])
  })

  test('is not misled by comments, strings and exports', () => {
    const text = [
      `// import { a } from './comment.ts'`,
      `/* import { a } from './block.ts' */`,
      `const url = 'http://example.org' // from './x.ts'`,
      `export { a }`,
      `import type { B } from './types.ts'`,
      `export const text = "import './string.ts'"`,
    ].join('\n')
    expect(specifiers(text)).toEqual(['type ./types.ts'])
  })
})
