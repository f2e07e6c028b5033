/** An older layout of the configuration file becomes the present one, with its comments, quotes and blank lines. */

import { matchCase, matchKeys } from '../../../config/keys.ts'
import { createLegacyContext } from '../../../config/legacy/context.ts'
import { translateLegacy } from '../../../config/legacy/translate.ts'
import { createProblemList, type Problem, type ProblemList } from '../../../config/problems.ts'
import { butlerKey, withButler } from '../../../config/root.ts'
import { clone, emptyMap, type MapNode, nodeAt, plain, scalar, setAt } from '../../../config/tree.ts'
import { type ParsedYaml, parseYaml, readYaml, treeOf } from '../../../config/yaml.ts'
import { butler } from '../../schema.ts'
import { type Compatibility, compatibilityOf, hasOwnSettings, isAsInButler } from '../compatibility.ts'
import { parseConfig } from '../parse.ts'
import { type Change, changesOf } from './changes.ts'
import { findOrigins, sameValue } from './origins.ts'
import { printMigrated } from './print.ts'
import { readSource } from './source.ts'

type Migration =
  | { readonly ok: true; readonly text: string; readonly changes: readonly Change[] }
  /** The file cannot be read; nothing can be migrated. */
  | { readonly ok: false; readonly problems: readonly Problem[] }

/**
 * The text in the present layout, the same text when there is nothing to do. `file` is only named in problems. The result
 * is read again before it is returned: it means the same as the original, or there is none.
 */
export function migrateConfig(text: string, file: string): Migration {
  const problems = createProblemList()
  const refused = (): Migration => ({ ok: false, problems: problems.all })
  const refuse = (message: string, hint: string): Migration => {
    problems.add({ severity: 'error', path: '', message, hint, file, line: 0, column: 0 })
    return refused()
  }
  const parsed = parseYaml(unix(text), file, problems)
  const before = parsed && sectionsOf(parsed, problems)
  const after = parsed && sectionsOf(parsed, problems)
  if (!parsed || !before || !after) return refused()
  const key = butlerKey(before)
  if (key === undefined)
    return refuse('Config file has no "Butler" section', 'all settings stand below the key Butler:')

  const notes = translate(after)
  if (!notes) return refuse('Butler must be a section with keys', 'see footman check')
  const source = readSource(parsed)
  const origins = findOrigins(source, before, after)
  const skipped = problems.all.filter(({ message }) => message === ELLIPSIS)
  const changes: Change[] = [
    ...changesOf(source, origins, { before, after }, notes),
    ...skipped.map(({ line }): Change => ({ kind: 'removed', line, text: 'the line "..."' })),
  ].sort((a, b) => a.line - b.line)
  if (changes.length === 0) return { ok: true, text, changes }

  const gone = new Set(skipped.map(({ line }) => line - 1))
  for (const expand of [false, true]) {
    const lines = isJson(unix(text))
      ? jsonLines(unix(text), after)
      : printMigrated(source, origins, { before, after }, { expand, gone })
    const result = likeOriginal(lines.join('\n'), text)
    if (meansTheSame(result, file, before, after)) return { ok: true, text: result, changes }
  }
  return refuse(
    'cannot be rewritten without changing what it means',
    'Footman runs with the file as it is; footman check lists the keys to move by hand',
  )
}

const ELLIPSIS = 'the line "..." is skipped'

/** The tree of the whole file; null when it cannot be read. */
function sectionsOf(parsed: ParsedYaml, problems: ProblemList): MapNode | null {
  const tree = treeOf(parsed, problems)
  return tree && tree.kind !== 'map' ? emptyMap(tree.at) : tree
}

/** Translates a tree to the present layout. Returns the notes about it; null when there is no section `Butler`. */
function translate(root: MapNode): Problem[] | null {
  const key = butlerKey(root)
  if (key === undefined) return null
  if (key !== 'Butler') rename(root, key)
  const section = nodeAt(root, ['Butler'])
  if (section?.kind !== 'map') return section?.kind === 'scalar' && section.value === null ? [] : null
  const notes = createProblemList()
  matchCase(section, butler, notes)
  const compatibility = compatibilityOf(root, hasOwnSettings(root))
  translateLegacy(root, { withoutSwitchIsOn: isAsInButler('noSwitch', compatibility) }, notes)
  const more: Problem[] = []
  nestInfluxDb1(root, more)
  writeOut(root, compatibility)
  return [...notes.all, ...more]
}

/** Writes the meaning of `auto` into the file, so that adding settings of Footman does not change it. */
function writeOut(root: MapNode, compatibility: Compatibility): void {
  const path = ['Butler', 'footman', 'compatibility']
  const node = nodeAt(root, path)
  if (node && !(node.kind === 'scalar' && (node.value === 'auto' || node.value === null))) return
  const place = node?.at ?? nodeAt(root, ['Butler'])!.at
  setAt(root, path, scalar(compatibility, place), place)
}

function rename(root: MapNode, key: string): void {
  const entries = [...root.entries]
  root.entries.clear()
  for (const [name, entry] of entries) root.entries.set(name === key ? 'Butler' : name, entry)
}

/** Whether the new text reads as what the old one was translated to, without anything left to translate. */
function meansTheSame(text: string, file: string, before: MapNode, after: MapNode): boolean {
  const problems = createProblemList()
  const read = readYaml(text, file, problems)
  if (read?.kind !== 'map' || problems.all.length > 0) return false
  if (!sameValue(plain(read), plain(after))) return false
  translate(read)
  return sameValue(plain(read), plain(after)) && sameValue(valuesOf(before), valuesOf(read))
}

/** The configuration as the program would have it; null when values are wrong, or come from outside the file. */
function valuesOf(tree: MapNode): unknown {
  const unused = createProblemList()
  const root = withButler(clone(tree) as MapNode, unused)
  if (!root) return null
  const section = nodeAt(root, ['Butler'])!
  matchCase(section, butler, unused)
  const compatibility = compatibilityOf(root, hasOwnSettings(root))
  translateLegacy(root, { withoutSwitchIsOn: isAsInButler('noSwitch', compatibility) }, unused)
  writeOut(root, compatibility)
  matchKeys(section, butler, unused)
  const parsed = parseConfig(plain(section))
  return 'config' in parsed ? parsed.config : null
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text.replace(/^\uFEFF/, ''))
    return true
  } catch {
    return false
  }
}

function jsonLines(text: string, after: MapNode): string[] {
  const indent = /\n([ \t]+)/.exec(text)?.[1] ?? '  '
  return JSON.stringify(plain(after), null, indent).split('\n')
}

const unix = (text: string): string => text.replaceAll('\r\n', '\n')

/** Byte order mark, line ends and the end of the file as the original has them. */
function likeOriginal(text: string, original: string): string {
  const mark = original.startsWith('\uFEFF') ? '\uFEFF' : ''
  const end = /[\r\n]*$/.exec(original)![0].replaceAll('\r', '')
  const body = text.replace(/\n*$/, end)
  const breaks = original.split('\n').length - 1
  const windows = original.split('\r\n').length - 1
  return mark + (windows * 2 > breaks ? body.replaceAll('\n', '\r\n') : body)
}

const FLAT = ['auth', 'dbName', 'retentionPolicy']

/** The settings of InfluxDB 1 that stand directly in their section go to `v1Config`; those of other versions stay. */
function nestInfluxDb1(root: MapNode, notes: Problem[]): void {
  const legacy = createLegacyContext(root, notes)
  const version = legacy.value('influxDb.version')
  if (version === 2 || version === 3 || !FLAT.some((key) => legacy.has(`influxDb.${key}`))) return
  const at = legacy.place('influxDb')
  for (const key of FLAT) legacy.move(`influxDb.${key}`, `influxDb.v1Config.${key}`)
  if (version === undefined || version === null) legacy.setValue('influxDb.version', 1, at)
}
