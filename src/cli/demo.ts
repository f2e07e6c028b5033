/** `footman demo`: the product against a simulated site and receivers, in one process, with a live view. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLineWriter } from '../platform/line-writer.ts'
import { createLogger, type LogService } from '../platform/log.ts'
import { type ProcessEvents, watchProcess } from '../platform/process-events.ts'
import { LOG_LEVELS, type LogLevel } from '../platform/types.ts'
import { demoPage } from './demo/page.ts'
import { createScreen, type Screen } from './demo/screen.ts'
import { styleOf } from './demo/style.ts'
import { createWorld, type World } from './demo/world.ts'
import { type CommandIo, EXIT } from './io.ts'

export interface DemoOptions {
  /** Port of the REST API; absent = 8080, or a free one when that is taken. */
  readonly port?: number
  /** Seconds after which the demo stops by itself. */
  readonly duration?: number
  /** Also show log lines of the product, on standard error. */
  readonly loglevel?: string
}

const SUMMARY_EVERY_MS = 20_000
const STOP_GRACE_MS = 8000

/** Runs until a signal or `duration` ends it; resolves with the exit code. Removes what it made. */
export async function runDemo(options: DemoOptions, io: CommandIo): Promise<number> {
  const level = options.loglevel
  if (level !== undefined && !isLogLevel(level)) {
    io.err(`error: unknown log level "${level}": give one of ${LOG_LEVELS.join(', ')}`)
    return EXIT.badInput
  }
  const directory = await mkdtemp(join(tmpdir(), 'footman-demo-')).catch((error: Error) => error)
  if (directory instanceof Error) {
    io.err(startError(directory, options))
    return EXIT.cannotStart
  }
  try {
    return await runIn(directory, level, options, io)
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  }
}

async function runIn(
  directory: string,
  level: LogLevel | undefined,
  options: DemoOptions,
  { out, err }: CommandIo,
): Promise<number> {
  const screen = createScreen({ out, style: () => styleOf(process.stdout, process.env), now: () => performance.now() })
  // Without a level nothing of the product's log is shown, only what ends the process.
  const log = stderrLogger(level ?? 'error')
  const productLog = level ? log : createLogger({ level: 'error', format: 'text', console: false })
  const world = createWorld(
    { log: productLog, onEvent: screen.event, onDelivery: screen.delivery },
    { directory, port: options.port },
  )
  world.simulator.site.on('state', screen.task)

  let stopped = false
  const events = watchProcess({
    log,
    async stop() {
      stopped = true
      screen.stopping()
      await world.stop(STOP_GRACE_MS)
    },
  })
  try {
    await world.start()
    if (!stopped) play(world, screen, events, options)
    const exitCode = await events.finished
    screen.close(receivedBy(world))
    return exitCode
  } catch (error) {
    err(startError(error, options))
    return EXIT.cannotStart
  } finally {
    events.release()
    await Promise.all([log.close(), productLog.close()])
  }
}

/** Shows the first page and lets things happen until the end. */
function play(world: World, screen: Screen, events: ProcessEvents, { port, duration }: DemoOptions): void {
  screen.open(demoPage(world, port === undefined))
  world.play()
  const summaries = setInterval(screen.summary, SUMMARY_EVERY_MS)
  const end = duration ? setTimeout(() => events.end(EXIT.ok), duration * 1000) : undefined
  void events.finished.then(() => {
    clearInterval(summaries)
    clearTimeout(end)
  })
}

/** By the names of the destinations. */
function receivedBy({ webhook, mail, broker }: World): ReadonlyMap<string, number> {
  return new Map([
    ['email', mail.received],
    ['mqtt', broker.received],
    ['webhook', webhook.received],
  ])
}

function startError(error: unknown, { port }: DemoOptions): string {
  const reason = error instanceof Error ? error.message : String(error)
  const hint = port === undefined ? '' : '; give another --port, or none to get a free one'
  return `error: the demo cannot start: ${reason}${hint}`
}

/** Standard output belongs to the view. */
function stderrLogger(level: LogLevel): LogService {
  const lostLine = (count: number) => `${count} log lines could not be written and are lost\n`
  const { colour } = styleOf(process.stderr, process.env)
  return createLogger(
    { level, format: 'text', console: true, colour },
    { stdout: createLineWriter(2, lostLine), isTerminal: true },
  )
}

function isLogLevel(level: string): level is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(level)
}
