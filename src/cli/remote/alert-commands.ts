/** The commands over alert routes and snoozes, each loaded when called. */
import type { Command } from 'commander'
import { processIo } from '../io.ts'

type Done = (code: number) => void
/** Adds a command that talks to a running Footman to a parent. */
type Remote = (parent: Command, nameAndArguments: string, description: string) => Command

const collect = (value: string, before: readonly string[]): string[] => [...before, value]

export function addAlertCommands(program: Command, remote: Remote, done: Done): void {
  addRoutes(program, remote, done)
  addDestinations(program, remote, done)
  addSnooze(program, remote, done)
}

function addRoutes(program: Command, remote: Remote, done: Done): void {
  const routes = program.command('routes').description('alert routes: which there are, and which one fires')

  remote(routes, 'list', 'list routes in order of evaluation')
    .option('--all', 'also those that are switched off')
    .action(async (options) => {
      const { runRoutesList } = await import('./routes.ts')
      done(await runRoutesList(options, processIo))
    })

  remote(routes, 'explain', 'say which routes fire for an event, and why others do not; changes nothing')
    .option('--event <id>', 'an event of the past')
    .option('--type <type>', 'or an invented one: about a reload, preload, service, ...')
    .option('--outcome <outcome>', 'failed, aborted, success, stopped, ... (default: failed)')
    .option('--task <id or name>', 'about this task')
    .option('--host <name>', 'from this host')
    .option('--user <user>', 'of this user, like DIR\\id')
    .option('--message <text>', 'with this log message')
    .option('--failures <n>', 'so many failures in a row')
    .option('--at <time>', 'happening at this time, like 2026-03-02T03:00:00Z (default: now)')
    .option('--all', 'also name each route of sections that are switched off')
    .addHelpText('after', EXPLAIN_HELP)
    .action(async (options) => {
      const { runRoutesExplain } = await import('./routes.ts')
      done(await runRoutesExplain(options, processIo))
    })
}

const EXPLAIN_HELP = `
Exit codes
  0 a route matches   1 wrong arguments   2 Footman cannot be reached, or refuses
  3 no route matches, or there is no such event or task

Example
  footman routes explain --type reload --outcome failed --task "Sales ETL hourly" --at 2026-03-02T03:00:00Z`

function addDestinations(program: Command, remote: Remote, done: Done): void {
  remote(program, 'destinations', 'list where messages go: what waits, what was given up, the last error').action(
    async (options) => {
      const { runDestinations } = await import('./destinations.ts')
      done(await runDestinations(options, processIo))
    },
  )
}

function addSnooze(program: Command, remote: Remote, done: Done): void {
  const snooze = program.command('snooze').description('leave people alone about something for a while')

  remote(snooze, 'set', 'hold back messages about what all of these say; at least one is needed')
    .option('--task <id>', 'task id; may be repeated', collect, [])
    .option('--name <glob>', 'name of the task, like "Sales*"; may be repeated', collect, [])
    .option('--app <glob>', 'name of the app; may be repeated', collect, [])
    .option('--stream <glob>', 'stream of the app; may be repeated', collect, [])
    .option('--tag <glob>', 'tag of the task; may be repeated', collect, [])
    .option('--host <glob>', 'host; may be repeated', collect, [])
    .option('--service <glob>', 'Windows service; may be repeated', collect, [])
    .option('--type <type>', 'reload, service, ...; may be repeated', collect, [])
    .option('--for <time>', 'how long, like 2h (1m to 30d)')
    .option('--until <time>', 'or until when, like 2026-03-02T08:00:00Z')
    .option('--reason <text>', 'why')
    .addHelpText(
      'after',
      '\nExample\n  footman snooze set --name "Sales*" --for 2h --reason "the database is being moved"',
    )
    .action(async (options) => {
      const { runSnoozeSet } = await import('./snooze.ts')
      done(await runSnoozeSet(options, processIo))
    })

  remote(snooze, 'list', 'list snoozes that have not ended').action(async (options) => {
    const { runSnoozeList } = await import('./snooze.ts')
    done(await runSnoozeList(options, processIo))
  })

  remote(snooze, 'lift <id>', 'end a snooze').action(async (id: string, options) => {
    const { runSnoozeLift } = await import('./snooze.ts')
    done(await runSnoozeLift(id, options, processIo))
  })
}
