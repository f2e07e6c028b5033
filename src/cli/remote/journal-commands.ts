/** The commands over events and deliveries, each loaded when called. */
import { type Command, InvalidArgumentError } from 'commander'
import { processIo } from '../io.ts'

type Done = (code: number) => void
/** Adds a command that talks to a running Footman to a parent. */
type Remote = (parent: Command, nameAndArguments: string, description: string) => Command

const collect = (value: string, before: readonly string[]): string[] => [...before, value]

const DEFAULT_LIMIT = 50

function toLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 100_000) return limit
  throw new InvalidArgumentError(`"${text}" is not a number from 1 to 100000`)
}

export function addJournalCommands(program: Command, remote: Remote, done: Done): void {
  addEvents(program, remote, done)
  addDeliveries(program, remote, done)
}

function addEvents(program: Command, remote: Remote, done: Done): void {
  const events = program.command('events').description('what arrived and what became of it')

  remote(events, 'list', 'list events, newest first')
    .option('--type <type>', 'only events about this: reload, service, ...; may be repeated', collect, [])
    .option('--outcome <outcome>', 'only this outcome: failed, aborted, success, ...; may be repeated', collect, [])
    .option('--source <source>', 'only from there: udp, reconciler, watchdog, ...; may be repeated', collect, [])
    .option('--from <time>', 'since an ISO time, or for a length of time like 24h')
    .option('--limit <n>', `so many at most (default: ${DEFAULT_LIMIT})`, toLimit, DEFAULT_LIMIT)
    .addHelpText('after', '\nExample\n  footman events list --outcome failed --from 24h')
    .action(async (options) => {
      const { runEventsList } = await import('./events.ts')
      done(await runEventsList(options, processIo))
    })

  remote(events, 'show <id>', 'show an event with its deliveries').action(async (id: string, options) => {
    const { runEventShow } = await import('./events.ts')
    done(await runEventShow(id, options, processIo))
  })

  remote(events, 'dropped', 'list datagrams that did not become events')
    .option('--reason <reason>', 'only this reason: DUPLICATE, INVALID, ...; may be repeated', collect, [])
    .option('--limit <n>', `so many at most (default: ${DEFAULT_LIMIT})`, toLimit, DEFAULT_LIMIT)
    .action(async (options) => {
      const { runEventsDropped } = await import('./events.ts')
      done(await runEventsDropped(options, processIo))
    })
}

function addDeliveries(program: Command, remote: Remote, done: Done): void {
  const deliveries = program.command('deliveries').description('who was told what and when')

  remote(deliveries, 'list', 'list deliveries, newest first')
    .option('--dead', 'only what was given up')
    .option('--state <state>', 'only this state: pending, delivered, suppressed, ...; may be repeated', collect, [])
    .option('--destination <name>', 'only to this destination; may be repeated', collect, [])
    .option('--event <id>', 'only of this event')
    .option('--from <time>', 'since an ISO time, or for a length of time like 24h')
    .option('--limit <n>', `so many at most (default: ${DEFAULT_LIMIT})`, toLimit, DEFAULT_LIMIT)
    .action(async (options) => {
      const { runDeliveriesList } = await import('./deliveries.ts')
      done(await runDeliveriesList(options, processIo))
    })

  remote(deliveries, 'show <id>', 'show a delivery with its attempts').action(async (id: string, options) => {
    const { runDeliveryShow } = await import('./deliveries.ts')
    done(await runDeliveryShow(id, options, processIo))
  })

  remote(deliveries, 'resend [ids...]', 'send deliveries again, or with --dead all dead letters')
    .option('--dead', 'all that were given up')
    .option('--destination <name>', 'with --dead: only to this destination; may be repeated', collect, [])
    .option('--reason <reason>', 'with --dead: only this reason: EXPIRED, REJECTED, ...; may be repeated', collect, [])
    .option('--from <time>', 'with --dead: created since then, like 24h')
    .addHelpText('after', '\nExample\n  footman deliveries resend --dead --destination ops-mail')
    .action(async (ids: string[], options) => {
      const { runDeliveriesResend } = await import('./deliveries.ts')
      done(await runDeliveriesResend(ids, options, processIo))
    })

  remote(deliveries, 'cancel <id>', 'call a pending delivery off').action(async (id: string, options) => {
    const { runDeliveryCancel } = await import('./deliveries.ts')
    done(await runDeliveryCancel(id, options, processIo))
  })
}
