/** Entries of the configuration file as stored ones, and the lines of the file that they make superfluous. */
import { isDeepStrictEqual } from 'node:util'
import { isCollection, isMap, isPair, isScalar, isSeq, type Node, type Pair, type Scalar, visit } from 'yaml'
import { createProblemList, type Place } from '../config/problems.ts'
import { type Path, scalars } from '../config/tree.ts'
import { type ParsedYaml, parseYaml } from '../config/yaml.ts'
import { invalidBody } from '../http/endpoint/validation.ts'
import { refusal } from '../http/errors.ts'
import type { FileLines } from './contract.ts'
import { kindOf, pointerOf, type SettingKind } from './kinds.ts'
import { MASK, maskValue, type SettingValue } from './store.ts'
import { asWritten, fileSettings, type WholeConfiguration } from './views.ts'

interface FileEntry {
  readonly kind: SettingKind
  readonly name: string
  /** With placeholders; of a list without its name. */
  readonly value: SettingValue
  /** The same with its name. */
  readonly written: unknown
  /** Its key, or the item of the list. */
  readonly at: Place
  /** Rules of the file that come after it, and before it as soon as it is a stored one. */
  readonly followers: readonly string[]
}

/** An entry of the file in use. Throws when there is none, or a value of it is not the file's own. */
export function entryInFile(whole: WholeConfiguration, kind: SettingKind, name: string): FileEntry {
  const all = fileSettings(whole, kind)
  const index = all.findIndex((one) => one.name === name)
  const found = all[index]
  if (!found) throw refusal('SETTING_NOT_FOUND', `There is no ${kind} ${name} in the configuration file.`)
  const foreign = [...scalars(found.node)].filter(({ node }) => node.external && node.written === undefined)
  if (foreign.length > 0) {
    const message = 'comes from the environment, not from the configuration file'
    throw invalidBody(foreign.map(({ path }) => ({ path: `value${pointerOf(path)}`, message })))
  }
  const written = asWritten(found.node)
  const { form, nameIn = 'name' } = kindOf(kind)
  const { [nameIn]: _, ...item } = form === 'list' ? (written as Record<string, unknown>) : {}
  return {
    kind,
    name,
    value: form === 'list' ? item : written,
    written,
    at: form === 'list' ? found.node.at : found.at,
    followers: form === 'list' ? all.slice(index + 1).map((one) => one.name) : [],
  }
}

/** The lines of an entry in the text of the file. Throws when it does not stand there as it is in use. */
export function linesOf(text: string, entry: FileEntry): FileLines {
  const { kind, name, at } = entry
  const parsed = parseYaml(text, at.file, createProblemList())
  const found = parsed && nodeIn(parsed, entry)
  if (!parsed || !found) {
    const why = `The ${kind} ${name} does not stand in ${at.file} as it is in use. Reload the file, then repeat the change.`
    throw refusal('SETTING_CHANGED', why)
  }
  const { source, place } = parsed
  const [start, end] = found.range
  const last = start + source.slice(start, end).trimEnd().length
  const [from, to] = [start, last - 1].map((offset) => place(offset).line) as [number, number]
  const before = source.slice(source.lastIndexOf('\n', start - 1) + 1, start)
  const [after = ''] = source.slice(last).split('\n', 1)
  return {
    file: at.file,
    from,
    to,
    text: `${before}${shownText(source, found, entry)}${after.replace(/#.*/, '#').trimEnd()}`,
    isAlone:
      (isBlockItem(found) ? /^\s*-\s+$/ : /^\s*$/).test(before) && /^[:,]?(?:#.*)?$/.test(after.replace(/\s/g, '')),
  }
}

interface Found {
  readonly range: readonly [from: number, to: number]
  readonly value: Node | null
  readonly pair: Pair | null
}

const isBlockItem = ({ pair, value }: Found): boolean => pair === null && isMap(value) && !value.flow

function nodeIn({ document, place }: ParsedYaml, { at, written }: FileEntry): Found | null {
  let found: Found | null = null
  const isThere = (node: unknown): node is Node => {
    const start = (node as Node | null)?.range?.[0]
    if (start === undefined) return false
    const { line, column } = place(start)
    return line === at.line && column === at.column
  }
  const isSame = (value: Node | null) =>
    isDeepStrictEqual(inLowerCase(value?.toJS(document) ?? null), inLowerCase(written))
  visit(document, (_, node) => {
    const pair = isPair(node) && isThere(node.key) ? node : null
    const value = (pair ? pair.value : isMap(node) && isThere(node) ? node : undefined) as Node | null | undefined
    if (value === undefined || !isSame(value)) return undefined
    const start = (pair ? (pair.key as Node) : (value as Node)).range![0]
    found = { range: [start, endOf(pair ?? value)], value, pair }
    return visit.BREAK
  })
  return found
}

/** A block collection ends with its last value: the range of the library goes on to the comments behind it. */
function endOf(node: unknown): number {
  if (isPair(node)) return endOf(node.value ?? node.key)
  if (isCollection(node) && !node.flow && node.items.length > 0) return endOf(node.items.at(-1))
  return (node as Node).range![1]
}

/** The text of an entry, without its secrets, and without what its comments say. */
function shownText(source: string, { range, value, pair }: Found, { kind, name, value: own }: FileEntry): string {
  const hidden = new Set(
    [...leaves(maskValue({ kind, name }, own), [])].flatMap(([path, leaf]) => (leaf === MASK ? [pathKey(path)] : [])),
  )
  const texts: (readonly [node: Scalar, isHidden: boolean])[] = []
  const collect = (node: unknown, path: Path): void => {
    if (isScalar(node)) texts.push([node, hidden.has(pathKey(path))])
    else if (isSeq(node)) for (const [index, item] of node.items.entries()) collect(item, [...path, index])
    else if (isMap(node)) for (const one of node.items) collectPair(one, path)
  }
  const collectPair = ({ key, value: below }: Pair, path: Path) => {
    collect(key, [])
    collect(below, [...path, String((key as Scalar).value)])
  }
  if (pair) collect(pair.key, [])
  collect(value, [])
  let at = range[0]
  let shown = ''
  for (const [{ range: own }, isHidden] of texts) {
    const [from, to] = own!
    shown += source.slice(at, from).replace(/#.*/g, '#') + (isHidden ? MASK : source.slice(from, to))
    at = to
  }
  return `${shown}${source.slice(at, range[1]).replace(/#.*/g, '#')}`.trimEnd()
}

/** Names of keys may be written in another case than they are in use. */
const inLowerCase = (value: unknown): unknown => JSON.parse(JSON.stringify(value).toLowerCase())
const pathKey = (path: Path): string => pointerOf(path).toLowerCase()

function* leaves(value: unknown, path: Path): Generator<readonly [Path, unknown]> {
  if (typeof value !== 'object' || value === null) yield [path, value]
  else for (const [key, one] of Object.entries(value)) yield* leaves(one, [...path, key])
}
