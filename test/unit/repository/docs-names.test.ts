/** Settings and endpoints that README.md and docs/ name are ones that there are. */
import { describe, expect, test } from 'bun:test'
import { configReference } from '../../../scripts/lib/config-reference.ts'
import { runOpenApi } from '../../../src/cli/openapi.ts'
import { docPages } from '../../support/docs.ts'
import { describedRoutes } from '../../support/reports.ts'
import { readRepositoryFile } from '../../support/source.ts'

/** Made of the program, or about Butler and about what is not settled by a name. */
const pages = docPages.filter(
  (page) => !/(configuration|command-line|decisions|promises)\.md$|\/configuration\//.test(page),
)

/** Places of `pattern` in the page, with its first group. */
const named = (page: string, pattern: RegExp): { place: string; match: RegExpExecArray }[] =>
  readRepositoryFile(page)
    .split('\n')
    .flatMap((line, index) => [...line.matchAll(pattern)].map((match) => ({ place: `${page}:${index + 1}`, match })))

const reference = Object.values(configReference()).join('\n')
const keys = [...reference.matchAll(/^\| `([\w.[\]-]+)`/gm)].map(([, key]) => key!.replaceAll('[]', ''))
const sections = new Set(
  keys.flatMap((key) => key.split('.').map((_, index, words) => words.slice(0, index + 1).join('.'))),
)
/** Files and words that look like settings. */
const NO_SETTING = /^footman\.(exe|db|lock|reserve|self|service|db-\w+|yaml)\b/

describe.each(pages)('%s', (page) => {
  test('names settings that exist', () => {
    const unknown = named(page, /`(?:Butler\.((?:[\w-]+\.)*[\w-]+)|(footman\.(?:[\w-]+\.)*[\w-]+))(?:: [^`]*)?`/g)
      .map(({ place, match }) => ({ place, key: match[1] ?? match[2]! }))
      .filter(({ key }) => !sections.has(key) && !NO_SETTING.test(key))
    expect(unknown).toEqual([])
  })

  test('names endpoints that exist', async () => {
    const known = await endpoints
    const pattern = /\b(GET|POST|PUT|DELETE|PATCH)`? `?(?:https?:\/\/[^\s/]+)?(\/v4\/[^\s`?"')|,;]*)/g
    const unknown = named(page, pattern)
      .map(({ place, match }) => ({ place, method: match[1]!, path: match[2]!.replace(/[.:]$/, '') }))
      .filter(({ method, path }) => !known.some((one) => one.method === method && one.path.test(path)))
    expect(unknown).toEqual([])
  })
})

/** PUT and DELETE may be sent as POST by clients that can do no more. */
const endpoints = (async () => {
  const printed: string[] = []
  await runOpenApi({}, { out: (line) => printed.push(line), err: () => {} })
  const { paths } = JSON.parse(printed.join('\n')) as { paths: Record<string, Record<string, unknown>> }
  // Report tasks are off in the configuration that is described.
  const reports = describedRoutes().map(({ path, methods }): [string, object] => [
    path,
    Object.fromEntries(methods.map((method) => [method.toLowerCase(), {}])),
  ])
  return [...Object.entries(paths), ...reports].flatMap(([path, methods]) => {
    const pattern = new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`)
    const own = Object.keys(methods).map((method) => method.toUpperCase())
    const all = own.includes('PUT') ? [...own, 'POST'] : own
    return all.map((method) => ({ method, path: pattern }))
  })
})()
