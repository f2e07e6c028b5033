/** A command that prints a list of a running Footman, made of its entry in the table of lists. */
import type { Command } from 'commander'
import { type CommandIo, EXIT, processIo } from '../io.ts'
import { formOf, listing } from '../table.ts'
import type { Remote } from './client.ts'
import type { ListCommand, ListOptions, Named } from './list-parts.ts'
import { LISTS, type ListName } from './lists.ts'

export type AddRemote = (parent: Command, nameAndArguments: string, description: string) => Command

/** Adds the command of a list to its parent. */
export function addList(parent: Command, remote: AddRemote, name: ListName, done: (code: number) => void): Command {
  const {
    description,
    argument,
    options,
    help,
  }: Pick<ListCommand<never>, 'description' | 'argument' | 'options' | 'help'> = LISTS[name]
  const word = name.split(' ').at(-1)!
  const command = remote(parent, [word, argument].filter(Boolean).join(' '), description)
  for (const option of options) command.addOption(option)
  addForm(command)
  if (help) command.addHelpText('after', help)
  command.action(async (...given: unknown[]) => {
    const [typed, all] = argument ? [given[0] as string | undefined, given[1]] : [undefined, given[0]]
    done(await runList(name, typed, all as ListOptions, processIo))
  })
  return command
}

/** The options of every command that prints a listing. */
export const addForm = (command: Command): Command =>
  command.option('--wide', 'show all columns, with whole ids and texts').option('--utc', 'show times in UTC')

/** Lists what the options select. */
export async function runList(
  name: ListName,
  argument: string | undefined,
  options: ListOptions,
  io: CommandIo,
): Promise<number> {
  // biome-ignore lint/suspicious/noExplicitAny: the rows are the answer of the API
  const list: ListCommand<any> = LISTS[name]
  const { withRemote } = await import('./client.ts')
  return withRemote(options, io, async (remote) => {
    const from = await remote.pointInTime(options.from as string | undefined)
    const to = await remote.pointInTime(options.to as string | undefined)
    const given = { argument, options: { ...options, from, to } }
    const named = (await list.resolve?.(remote, given)) ?? given
    const { rows, json } = await read(list, remote, named)
    await list.review?.(remote, rows, options, io)
    if (options.json) {
      io.out(json)
      return EXIT.ok
    }
    const shown = rows.filter((row) => list.only?.(row, options) ?? true)
    const complete = (await list.complete?.(remote, shown)) ?? shown
    io.out(shown.length === 0 ? list.empty : listing(list.columns, complete, await formOf(remote, options, io)))
    return EXIT.ok
  })
}

/** The items, and what `--json` prints. */
async function read(list: ListCommand<unknown>, remote: Remote, { argument, options }: Named) {
  const { found, pages } = await import('./client.ts')
  const { member, switchedOff, missing } = list
  const call = {
    path: typeof list.path === 'string' ? list.path : list.path(argument ?? ''),
    query: list.query?.(options, argument) ?? {},
    what: missing ? `schedule ${argument}` : (options.command ?? member ?? 'list'),
    ...(switchedOff !== undefined && { switchedOff }),
  }
  if (list.paged && member !== null) {
    const rows: unknown[] = []
    for await (const row of pages(remote, { ...call, member }, options.limit)) rows.push(row)
    return { rows, json: JSON.stringify({ [member]: rows, nextCursor: null }, null, 2) }
  }
  const { text } = missing ? await found(remote, call, missing.code, missing.why) : await remote.call(call)
  const answer: unknown = JSON.parse(text)
  const rows = (member === null ? answer : (answer as Readonly<Record<string, unknown>>)[member]) as readonly unknown[]
  return { rows, json: text }
}
