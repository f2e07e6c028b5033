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
  addFire(program, remote, done)
  addAudit(program, remote, done)
}

function addAudit(program: Command, remote: Remote, done: Done): void {
  remote(program, 'audit', 'list who did what, newest first')
    .option('--actor <glob>', 'only these: "key:erp", "key:*", local, ...')
    .option('--action <glob>', 'only this: "task.*", kv.import, ...')
    .option('--outcome <outcome>', 'only ok, denied or failed')
    .option('--from <time>', 'since an ISO time, or for a length of time like 24h')
    .option('--limit <n>', 'so many at most', toLimit, DEFAULT_LIMIT)
    .addHelpText('after', '\nExample\n  footman audit --actor "key:*" --from 24h')
    .action(async (options) => {
      const { runAudit } = await import('./audit.ts')
      done(await runAudit(options, processIo))
    })
}

function addEvents(program: Command, remote: Remote, done: Done): void {
  const events = program.command('events').description('what arrived and what became of it')

  remote(events, 'list', 'list events, newest first')
    .option('--type <type>', 'only events about this: reload, service, ...; may be repeated', collect, [])
    .option('--outcome <outcome>', 'only this outcome: failed, aborted, success, ...; may be repeated', collect, [])
    .option('--source <source>', 'only from there: udp, reconciler, watchdog, ...; may be repeated', collect, [])
    .option('--from <time>', 'since an ISO time, or for a length of time like 24h')
    .option('--limit <n>', 'so many at most', toLimit, DEFAULT_LIMIT)
    .addHelpText('after', '\nExample\n  footman events list --outcome failed --from 24h')
    .action(async (options) => {
      const { runEventsList } = await import('./events.ts')
      done(await runEventsList(options, processIo))
    })

  remote(events, 'show <id>', 'show an event with its deliveries').action(async (id: string, options) => {
    const { runEventShow } = await import('./events.ts')
    done(await runEventShow(id, options, processIo))
  })

  addReplay(events, remote, done)

  remote(events, 'dropped', 'list datagrams that did not become events')
    .option('--reason <reason>', 'only this reason: DUPLICATE, INVALID, ...; may be repeated', collect, [])
    .option('--limit <n>', 'so many at most', toLimit, DEFAULT_LIMIT)
    .action(async (options) => {
      const { runEventsDropped } = await import('./events.ts')
      done(await runEventsDropped(options, processIo))
    })
}

function addReplay(events: Command, remote: Remote, done: Done): void {
  remote(events, 'replay <id>', 'send the messages of an event again')
    .option('--to <destination>', 'only to this destination, without route or gate; may be repeated', collect, [])
    .option('--route <name>', 'only by this route; may be repeated', collect, [])
    .option('--ignore-gates', 'rate limits, snoozes, maintenance and grouping hold nothing back')
    .action(async (id: string, options) => {
      const { runReplay } = await import('./fire.ts')
      done(await runReplay(id, options, processIo))
    })

  remote(events, 'tail', 'show what happens, as it happens; ends with Ctrl+C')
    .option('--topic <topic>', 'event, delivery, execution, schedule or file; may be repeated', collect, [])
    .action(async (options) => {
      const { runTail } = await import('./tail.ts')
      const stop = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
      done(await runTail(options, processIo, stop.signal))
    })
}

function addFire(program: Command, remote: Remote, done: Done): void {
  remote(program, 'fire', 'send test messages, about an invented, a past or a real thing')
    .option('--type <type>', 'what it is about: reload, preload, service, ... (default: reload)')
    .option('--outcome <outcome>', 'failed, aborted, success, stopped, ... (default: failed)')
    .option('--task <id or name>', 'a real task')
    .option('--event <id>', 'a past event')
    .option('--to <destination>', 'only to this destination; may be repeated', collect, [])
    .option('--route <name>', 'only by this route; may be repeated', collect, [])
    .option('--value <name=value>', 'set a template variable, like taskName=Test; may be repeated', collect, [])
    .option('--dry-run', 'show the messages and send nothing')
    .option('--wait', 'wait until they are delivered')
    .addHelpText(
      'after',
      `
Exit codes beside 0
  1 wrong arguments   2 Footman cannot be reached or refuses   3 no such event, task, route or destination
  4 with --wait: not everything was delivered

Example
  footman fire --type reload --outcome failed --to ops-mail --wait`,
    )
    .action(async (options) => {
      const { runFire } = await import('./fire.ts')
      done(await runFire(options, processIo))
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
    .option('--limit <n>', 'so many at most', toLimit, DEFAULT_LIMIT)
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
