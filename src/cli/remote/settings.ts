/** `footman settings`; the listings of entries and changes stand in lists.ts. */
import { stringify } from 'yaml'
import { createProblemList, renderProblem } from '../../config/problems.ts'
import { pathText, plain } from '../../config/tree.ts'
import { readYaml } from '../../config/yaml.ts'
import {
  ADOPT_SETTING,
  type AdoptedSetting,
  DELETE_SETTING,
  EXPORT_SETTINGS,
  IMPORT_SETTINGS,
  PUT_SETTING,
  RESTORE_SETTING,
  SETTING,
  SETTING_HISTORY,
  SETTINGS,
  type Setting,
  type SettingChange,
  type Settings,
} from '../../settings/contract.ts'
import { type SettingKind, stepsOfPointer } from '../../settings/kinds.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { type Column, formOf, listing } from '../table.ts'
import { absent, CommandFailure, OLD, type Remote, type RemoteOptions, withRemote } from './client.ts'
import type {
  SETTINGS_ADOPT,
  SETTINGS_DELETE,
  SETTINGS_EXPORT,
  SETTINGS_HISTORY,
  SETTINGS_IMPORT,
  SETTINGS_SET,
} from './commands.ts'
import { bytesOf, type Input, textOf } from './key-values.ts'
import { runList } from './list.ts'
import type { ListOptions } from './list-parts.ts'
import { CHANGE_COLUMNS } from './lists.ts'

/** Footman checks the word. */
const addressOf = (kind: string, name: string) => ({ kind: kind as SettingKind, name })

const missingOf = (kind: string, name: string) => ({
  code: 'SETTING_NOT_FOUND',
  why: `there is no ${kind} ${name}; "footman settings list ${kind}" lists them`,
})

function stored(remote: Remote, kind: string, name: string, what: string): Promise<Setting> {
  const missing = missingOf(kind, name)
  return remote.ask(SETTING, { params: addressOf(kind, name), what, switchedOff: OLD, missing })
}

const KIND_COLUMNS: readonly Column<Settings['kinds'][number]>[] = [
  { head: 'KIND', cell: ({ kind }) => kind },
  { head: 'IN FILE', cell: ({ inFile }) => String(inFile) },
  { head: 'STORED', cell: ({ stored }) => String(stored) },
  { head: 'HIDDEN', cell: ({ hidden }) => String(hidden) },
  { head: 'UNUSABLE', cell: ({ unusable }) => String(unusable) },
]

/** The entries of a kind; without one, the kinds, and why nothing may be changed. */
export function runSettingsList(kind: string | undefined, options: ListOptions, io: CommandIo): Promise<number> {
  if (kind !== undefined) return runList('settings list', kind, options, io)
  return withRemote(options, io, async (remote) => {
    const answer = await remote.ask(SETTINGS, { what: 'settings list', switchedOff: OLD })
    const { kinds, locked } = answer
    const table = listing(KIND_COLUMNS, kinds, { width: io.columns })
    const text = locked === null ? table : `${table}\n\nNothing can be changed: ${locked}.`
    io.out(options.json ? JSON.stringify(answer) : text)
    return EXIT.ok
  })
}

const HISTORY_COLUMNS: readonly Column<SettingChange>[] = [
  { head: 'AT', cell: ({ at }) => at, form: 'time' },
  ...CHANGE_COLUMNS,
]

export function runSettingsHistory(
  kind: string,
  name: string,
  options: OptionsOf<typeof SETTINGS_HISTORY>,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const answer = await remote.ask(SETTING_HISTORY, {
      params: addressOf(kind, name),
      what: 'settings history',
      switchedOff: OLD,
      missing: { code: 'SETTING_NOT_FOUND', why: (details) => details },
    })
    io.out(
      options.json
        ? JSON.stringify(answer)
        : listing(HISTORY_COLUMNS, answer.changes, await formOf(remote, options, io)),
    )
    return EXIT.ok
  })
}

export function runSettingsShow(kind: string, name: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const setting = await stored(remote, kind, name, 'settings show')
    const { source, state, file, line, revision, issues, value } = setting
    const place = file === null ? '' : ` (${file}:${line})`
    const head = `# ${source}${place}, ${state}${revision === null ? '' : `, revision ${revision}`}`
    const wrong = issues.map(({ path, message }) => `# ${path} ${message}`)
    io.out(
      options.json
        ? JSON.stringify(setting)
        : [head, ...wrong, stringify(value, { lineWidth: 0 }).trimEnd()].join('\n'),
    )
    return EXIT.ok
  })
}

export function runSettingsSet(
  [kind, name, file]: readonly [kind: string, name: string, file: string | undefined],
  options: OptionsOf<typeof SETTINGS_SET>,
  input: Input,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { dryRun, json } = options
    const what = 'settings set'
    const [given, another] = [options.file, file].filter((one) => one !== undefined)
    if (another !== undefined) throw new CommandFailure(EXIT.badInput, what, 'name one file')
    const source = given === '-' ? undefined : given
    const from = source ?? 'standard input'
    const value = valueIn(textOf(await bytesOf(source, input), from, io), from)
    const before = await stored(remote, kind, name, what).catch(absent)
    const revision = options.revision ?? before?.revision ?? null
    const answer = await remote
      .ask(PUT_SETTING, {
        params: addressOf(kind, name),
        query: { dryRun },
        body: { value },
        // An entry that came meanwhile is not replaced either.
        headers: revision === null ? { 'if-none-match': '*' } : { 'if-match': `"${revision}"` },
        what,
        switchedOff: OLD,
      })
      .catch((error: unknown) => refusedValue(error, `${kind} ${name}`))
    const done = before?.revision == null ? 'Created' : 'Changed'
    io.out(json ? JSON.stringify(answer) : dryRun ? 'Nothing is wrong with it' : `${done}: ${kind} ${name}`)
    return EXIT.ok
  })
}

/** Throws the failure with a line for each member that is refused, by its path in the value. */
function refusedValue(error: unknown, entry: string): never {
  if (!(error instanceof CommandFailure) || error.issues.length === 0) throw error
  const { exitCode, what, status, issues } = error
  const lines = issues.map(
    ({ path, message }) => `\n${[pathText(stepsOfPointer(path)), message].filter(Boolean).join(': ')}`,
  )
  throw new CommandFailure(exitCode, what, `the value of ${entry} is refused${lines.join('')}`, status, issues)
}

/** YAML, or JSON, which is YAML as well. */
function valueIn(text: string, file: string): unknown {
  const problems = createProblemList()
  const tree = readYaml(text, file, problems)
  const [first] = problems.all.filter(({ severity }) => severity === 'error')
  if (tree && !first) return plain(tree)
  throw new CommandFailure(EXIT.badInput, 'settings set', first ? renderProblem(first) : `${file} is no YAML`)
}

export function runSettingsDelete(
  kind: string,
  name: string,
  options: OptionsOf<typeof SETTINGS_DELETE>,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { dryRun, json } = options
    const what = 'settings delete'
    const { revision } = await stored(remote, kind, name, what)
    await remote.ask(DELETE_SETTING, {
      params: addressOf(kind, name),
      query: { dryRun },
      // A change that came meanwhile is not lost.
      headers: revision === null ? {} : { 'if-match': `"${revision}"` },
      what,
      switchedOff: OLD,
    })
    io.out(
      json
        ? JSON.stringify({ kind, name, deleted: !dryRun })
        : dryRun
          ? 'It can be deleted'
          : `Deleted: ${kind} ${name}`,
    )
    return EXIT.ok
  })
}

export function runSettingsRestore(
  [kind, name, revision]: readonly [kind: string, name: string, revision: string],
  options: RemoteOptions,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    if (!/^\d{1,9}$/.test(revision))
      throw new CommandFailure(EXIT.badInput, 'settings restore', `"${revision}" is not the number of a revision`)
    const answer = await remote.ask(RESTORE_SETTING, {
      params: addressOf(kind, name),
      body: { revision: Number(revision) },
      what: 'settings restore',
      switchedOff: OLD,
      missing: { code: 'SETTING_NOT_FOUND', why: (details) => details },
    })
    io.out(options.json ? JSON.stringify(answer) : `Restored: ${kind} ${name}${answer.setting ? '' : ' (deleted)'}`)
    return EXIT.ok
  })
}

/** All of them or none, in the order of the file, so that rules keep theirs. */
export function runSettingsAdopt(
  kind: string,
  names: readonly string[],
  options: OptionsOf<typeof SETTINGS_ADOPT>,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { dryRun, json } = options
    const adopt = (name: string, isTried = false) =>
      remote
        .ask(ADOPT_SETTING, {
          params: addressOf(kind, name),
          query: { dryRun: isTried },
          what: 'settings adopt',
          switchedOff: OLD,
          missing: { code: 'SETTING_NOT_FOUND', why: (details) => details },
        })
        .catch((error: unknown) => refusedValue(error, `${kind} ${name}`))
    const tried = await inTurn([...new Set(names)], (name) => adopt(name, true))
    const ordered = tried.sort((a, b) => a.lines.from - b.lines.from)
    const adopted = dryRun ? ordered : await inTurn(ordered, ({ setting }) => adopt(setting.name))
    io.out(json ? JSON.stringify({ dryRun: dryRun === true, adopted }) : adoptedText(adopted, dryRun === true))
    return EXIT.ok
  })
}

async function inTurn<From, To>(items: readonly From[], work: (item: From) => Promise<To>): Promise<To[]> {
  const done: To[] = []
  for (const item of items) done.push(await work(item))
  return done
}

function adoptedText(adopted: readonly AdoptedSetting[], isDryRun: boolean): string {
  const own = new Set(adopted.map(({ setting }) => setting.name))
  const first = isDryRun ? 'These can be adopted. Then delete' : 'Stored. The file wins until you delete'
  const parts = adopted.map(({ setting: { kind, name }, lines: { file, from, to, text, isAlone }, followers }) => {
    const behind = followers.filter((one) => !own.has(one))
    const notes = [
      ...(isAlone ? [] : ['  only this entry: something else stands on these lines, too']),
      ...(behind.length > 0 ? [`  rules of the file come first: ${behind.join(', ')} will come before it`] : []),
    ]
    const at = from === to ? `${file}:${from}` : `${file}:${from}-${to}`
    return [`${kind} ${name}: ${at}`, ...notes, '', text].join('\n')
  })
  const end = 'Numbers are those of the file as it is now. Then read it again: footman reload'
  return [`${first} these lines of the file:`, ...parts, end].join('\n\n')
}

export function runSettingsExport(options: OptionsOf<typeof SETTINGS_EXPORT>, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const query = { kind: options.kind }
    io.out((await remote.text(EXPORT_SETTINGS, { query, what: 'settings export', switchedOff: OLD })).trimEnd())
    return EXIT.ok
  })
}

export function runSettingsImport(
  file: string | undefined,
  options: OptionsOf<typeof SETTINGS_IMPORT>,
  input: Input,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { dryRun, json } = options
    const yaml = textOf(await bytesOf(file, input), file ?? 'standard input', io)
    const call = { query: { dryRun }, body: { yaml }, what: 'settings import', switchedOff: OLD }
    const result = await remote.ask(IMPORT_SETTINGS, call)
    const lines = result.entries.map(({ kind, name, what }) => `${what}: ${kind} ${name}`)
    const end = dryRun ? '(dry run, nothing was saved)' : ''
    io.out(json ? JSON.stringify(result) : [...lines, end].filter((line) => line !== '').join('\n'))
    return EXIT.ok
  })
}
