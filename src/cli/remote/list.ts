/** A command that prints a list of a running Footman, made of its entry in the table of lists. */
import type { AnyContract, CallOf } from '../../http/endpoint/contract.ts'
import { type Entry, type Flag, on } from '../command.ts'
import { type CommandIo, EXIT, processIo } from '../io.ts'
import { formOf, listing } from '../table.ts'
import type { AskOptions, Remote } from './client.ts'
import type { ListCommand, ListOptions } from './list-parts.ts'
import { LISTS, type ListName } from './lists.ts'
import { FORM, remote } from './options.ts'

/** The command of a list. */
export function listed(words: ListName): Entry {
  const { description, argument = '', filters = [], options = [], help }: ListCommand = LISTS[words]
  const name = words.split(' ').at(-1)!
  const flags: readonly Flag[] = [...filters, ...options, ...FORM]
  const declared = remote({
    name,
    arguments: argument,
    description,
    options: flags,
    ...(help !== undefined && { help }),
  })
  return on(declared, (...given: readonly unknown[]) =>
    runList(
      words,
      argument === '' ? undefined : (given[0] as string | undefined),
      given.at(-1) as ListOptions,
      processIo,
    ),
  )
}

/** Lists what the options select. */
export async function runList(
  name: ListName,
  argument: string | undefined,
  typed: ListOptions,
  io: CommandIo,
): Promise<number> {
  const list: ListCommand = LISTS[name]
  const { withRemote } = await import('./client.ts')
  return withRemote(typed, io, async (remote) => {
    const from = await remote.pointInTime(typed.from as string | undefined)
    const to = await remote.pointInTime(typed.to as string | undefined)
    const named = await list.resolve?.(remote, argument, typed)
    const options = { ...typed, from, to, ...named?.options }
    const { rows, json } = await read(list, remote, named?.argument ?? argument, options)
    await list.review?.(remote, rows, typed, io)
    if (typed.json) {
      io.out(json)
      return EXIT.ok
    }
    const shown = rows.filter((row) => list.only?.(row, typed) ?? true)
    const complete = (await list.complete?.(remote, shown)) ?? shown
    io.out(shown.length === 0 ? list.empty : listing(list.columns, complete, await formOf(remote, typed, io)))
    return EXIT.ok
  })
}

/** The items, and what `--json` prints. */
async function read(list: ListCommand, remote: Remote, argument: string | undefined, options: ListOptions) {
  const { pages } = await import('./client.ts')
  const { member, switchedOff, missing, filters = [] } = list
  const contract = await list.of()
  const names = filters.map((filter) => filter.attributeName())
  // Checked where the list is declared.
  const call = {
    ...(list.params && { params: list.params(argument ?? '') }),
    query: { ...Object.fromEntries(names.map((name) => [name, options[name]])), ...list.query?.(options, argument) },
    what: missing ? `schedule ${argument}` : (options.command ?? member ?? 'list'),
    ...(switchedOff !== undefined && { switchedOff }),
  } as unknown as CallOf<AnyContract> & AskOptions
  if (list.paged && member !== null) {
    const rows: unknown[] = []
    for await (const row of pages(remote, contract, member, call, options.limit)) rows.push(row)
    return { rows, json: JSON.stringify({ [member]: rows, nextCursor: null }, null, 2) }
  }
  const text = await remote.text(contract, { ...call, missing })
  const answer: unknown = JSON.parse(text)
  const rows = (member === null ? answer : (answer as Readonly<Record<string, unknown>>)[member]) as readonly unknown[]
  return { rows, json: text }
}
