/** `footman reports enable`, `disable`, `export` and `import`. */
import { writeFile } from 'node:fs/promises'
import { errorText } from '../../platform/errors.ts'
import { parseImportedJson, RefusedJson } from '../../platform/json.ts'
import { isGuid } from '../../platform/uuid.ts'
import { EXPORT_REPORTS, IMPORT_REPORTS } from '../../reports/contract.ts'
import { LISTED_TASKS, SWITCH_TASKS } from '../../reports/entities/contract.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { CommandFailure, type Remote, withRemote } from './client.ts'
import { bytesOf, type Input, textOf } from './key-values.ts'
import { REPORTS_OFF } from './list-parts.ts'
import { guess } from './names.ts'
import type { REPORTS_EXPORT, REPORTS_IMPORT, REPORTS_SWITCH } from './report-commands.ts'

/** The id of the one report task of this name, or the id itself. Throws exit code 3 when there is none, 1 when there are several. */
export async function reportTaskId(remote: Remote, typed: string): Promise<string> {
  if (isGuid(typed)) return typed.toLowerCase()
  const what = `report task "${typed}"`
  const tasks = async (name: string | null) =>
    (await remote.ask(LISTED_TASKS, { query: { name, limit: 500 }, what, switchedOff: REPORTS_OFF })).reportTasks
  const found = (await tasks(typed)).filter(({ name }) => name.toLowerCase() === typed.toLowerCase())
  const [only] = found
  if (only && found.length === 1) return only.id
  if (only) {
    const ids = found.map(({ id }) => id).join(', ')
    throw new CommandFailure(
      EXIT.badInput,
      what,
      `several projects have a task of this name; name one by its id: ${ids}`,
    )
  }
  const names = (await tasks(null)).map(({ name }) => name)
  throw new CommandFailure(EXIT.missing, what, `no report task has this name${guess(typed, names)}`)
}

/** Exit code 3 when a task is unknown, 2 when one is refused; the others are switched all the same. */
export function runReportsSwitch(
  verb: 'enable' | 'disable',
  tasks: readonly string[],
  options: OptionsOf<typeof REPORTS_SWITCH.enable>,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { tag, project, all = false } = options
    if (!all && tasks.length + tag.length + project.length === 0) {
      throw new CommandFailure(EXIT.badInput, `reports ${verb}`, 'name tasks, or give --tag, --project or --all')
    }
    const taskId: string[] = []
    for (const typed of tasks) taskId.push(await reportTaskId(remote, typed))
    const answer = await remote.ask(SWITCH_TASKS[verb].several, {
      body: { taskId, tag, project, all },
      what: `reports ${verb}`,
      switchedOff: REPORTS_OFF,
    })
    const { tasksChanged, tasksUnchanged, tasksNotFound, tasksRefused } = answer
    const state = verb === 'enable' ? 'on' : 'off'
    const lines = [
      ...tasksChanged.map(({ taskName }) => `Switched ${state}: ${taskName}`),
      ...tasksUnchanged.map(({ taskName }) => `Was ${state} before: ${taskName}`),
    ]
    io.out(options.json ? JSON.stringify(answer) : lines.join('\n') || 'No task has changed.')
    for (const { taskName, details } of tasksRefused) io.err(`error: ${taskName}: ${details}`)
    for (const id of tasksNotFound) io.err(`error: ${id}: no report task has this id`)
    if (tasksNotFound.length > 0) return EXIT.missing
    return tasksRefused.length > 0 ? EXIT.unreachable : EXIT.ok
  })
}

/** The limit of an export with templates. */
const MAX_BYTES = 1024 ** 3

export function runReportsExport(options: OptionsOf<typeof REPORTS_EXPORT>, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { templates, output } = options
    const text = await remote.text(EXPORT_REPORTS, {
      query: { templates },
      maxBodyBytes: MAX_BYTES,
      what: 'export',
      switchedOff: REPORTS_OFF,
    })
    // A connection that breaks must not leave half a file that looks like all of it.
    parsed(text, 'export')
    if (output === undefined) io.out(text.trimEnd())
    else {
      await writeFile(output, `${text.trimEnd()}\n`, { mode: 0o600 }).catch((error: Error) => {
        throw new CommandFailure(EXIT.badInput, '--output', error.message)
      })
      io.err(`written to ${output}`)
    }
    return EXIT.ok
  })
}

/** `file` absent = standard input. All or nothing. */
export function runReportsImport(
  file: string | undefined,
  options: OptionsOf<typeof REPORTS_IMPORT>,
  input: Input,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { mode, dryRun } = options
    const what = file ?? 'standard input'
    const body = parsed(textOf(await bytesOf(file, input), what, io), what)
    const result = await remote.ask(IMPORT_REPORTS, {
      query: { mode, dryRun },
      // Footman checks what the file has.
      body: body as never,
      what: 'import',
      switchedOff: REPORTS_OFF,
    })
    const { created, updated, unchanged, deleted, changes, templatesMissing } = result
    const sums = `${created} created, ${updated} updated, ${unchanged} unchanged, ${deleted} deleted`
    const lines = changes.map(({ type, name, change }) => `${change}: ${type} "${name}"`)
    io.out(
      options.json
        ? JSON.stringify(result)
        : [...lines, `${sums}${dryRun ? ' (dry run, nothing was saved)' : ''}`].join('\n'),
    )
    for (const { name, fileName } of templatesMissing) {
      io.err(`note: upload ${fileName}, the template of report "${name}"`)
    }
    return EXIT.ok
  })
}

function parsed(text: string, what: string): unknown {
  try {
    return parseImportedJson(text)
  } catch (error) {
    const why = error instanceof RefusedJson ? error.message : `it is no JSON: ${errorText(error)}`
    throw new CommandFailure(EXIT.badInput, what, why)
  }
}
