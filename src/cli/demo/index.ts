/** `footman demo`: the product against a simulated site and receivers, in one process, with a live view. */

import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorText } from '../../platform/errors.ts'
import { removeAll } from '../../platform/files.ts'
import { createLineWriter } from '../../platform/line-writer.ts'
import { createLogger, type LogService } from '../../platform/log.ts'
import { type ProcessEvents, watchProcess } from '../../platform/process-events.ts'
import { compileHotCode } from '../../platform/runtime.ts'
import { LOG_LEVELS, type LogLevel } from '../../platform/types.ts'
import { VERSION } from '../../platform/version.ts'
import type { OptionsOf } from '../command.ts'
import type { DEMO } from '../commands.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { programName } from '../program-name.ts'
import { HEAD_OFFICE } from './reports.ts'
import { createScreen, type Page, type Screen, styleOf } from './screen.ts'
import { demoCommands } from './script.ts'
import { createWorld, USUAL_PORT, type World } from './world.ts'

type DemoOptions = OptionsOf<typeof DEMO>

const SUMMARY_EVERY_MS = 20_000
const STOP_GRACE_MS = 8000

/** Runs until a signal or `duration` ends it; resolves with the exit code. Removes what it made. */
export async function runDemo(options: DemoOptions, io: CommandIo): Promise<number> {
  const level = options.loglevel
  if (level !== undefined && !isLogLevel(level)) {
    io.err(`error: unknown log level "${level}": give one of ${LOG_LEVELS.join(', ')}`)
    return EXIT.badInput
  }
  const style = () => styleOf(process.stdout, process.env)
  const screen = createScreen({ out: (text) => io.out(text, 'as-is'), style, now: () => performance.now() })
  // Without a level nothing of the product's log is shown, only what ends the process.
  const log = stderrLogger(level ?? 'error')
  const productLog = level ? log : createLogger({ level: 'error', format: 'text', console: false })
  let world: World | null = null
  let stopped = false
  const events = watchProcess({
    log,
    async stop() {
      stopped = true
      screen.stopping()
      await world?.stop(STOP_GRACE_MS)
    },
  })
  try {
    return await inTemporaryDirectory(io, async (directory) => {
      const deps = {
        log: productLog,
        onEvent: screen.event,
        onDelivery: screen.delivery,
        onMail: screen.mail,
        onReport: screen.report,
      }
      world = createWorld(deps, { directory, port: options.port })
      world.simulator.site.on('state', screen.task)
      if (!stopped) await world.start()
      compileHotCode()
      if (!stopped) play(world, screen, events, options)
      const exitCode = await events.finished
      screen.close(receivedBy(world))
      return exitCode
    })
  } catch (error) {
    io.err(startError(error, options))
    return EXIT.cannotStart
  } finally {
    events.release()
    await Promise.all([log.close(), productLog.close()])
  }
}

async function inTemporaryDirectory<T>(io: CommandIo, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'footman-demo-'))
  // The process may also end at once, as in `footman demo | head`; its open databases stay on Windows then.
  const remove = () => {
    try {
      rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
    } catch {}
  }
  process.on('exit', remove)
  try {
    return await use(directory)
  } finally {
    process.off('exit', remove)
    await removeAll(directory).catch((error) => {
      io.err(`warning: the demo leaves ${directory} behind: ${errorText(error)}`)
    })
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

/** Alerts by the names of the destinations; mails with reports are no alerts. */
function receivedBy(world: World): ReadonlyMap<string, number> {
  const { webhook, mail, broker } = world
  return new Map([
    ['email', mail.received - world.reportMails],
    ['mqtt', broker.received],
    ['webhook', webhook.received],
  ])
}

function startError(error: unknown, { port }: DemoOptions): string {
  const hint = port === undefined ? '' : '; give another --port, or none to get a free one'
  return `error: the demo cannot start: ${errorText(error)}${hint}`
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

/**
 * The first page of the view: the addresses of everything that runs, and commands to try. `world` has been started;
 * `anyPort` is true without `--port`.
 */
function demoPage(world: World, anyPort: boolean): Page {
  const { simulator, restPort, udpPort, webhook, mail, broker, inbox } = world
  const { qrs, engine, control } = simulator.ports
  const local = (scheme: string, port: number) => `${scheme}://127.0.0.1:${port}`
  const [restUrl, controlUrl] = [local('http', restPort), local('http', control)]
  return {
    version: VERSION,
    windows: process.platform === 'win32',
    groups: [
      {
        heading: 'Open in a browser',
        places: [
          { label: 'Console', address: `${restUrl}/console/`, remark: 'what failed, who was alerted, what to do' },
          { label: 'Inbox', address: local('http', inbox.port), remark: 'received mails and webhooks' },
          { label: 'Report hub', address: `${restUrl}/hub`, remark: `as ${HEAD_OFFICE}` },
          { label: 'REST API', address: `${restUrl}/documentation`, remark: 'every call, to read and to try' },
        ],
      },
      {
        heading: 'A simulated Qlik Sense site',
        places: [
          { label: 'Repository (QRS)', address: local('https', qrs), remark: 'mutual TLS, as in real life' },
          { label: 'Engine (QIX)', address: local('wss', engine) },
          { label: 'Control', address: controlUrl, remark: 'makes the site do things' },
        ],
      },
      {
        heading: 'Footman, with the settings of a Butler 16 file',
        places: [
          {
            label: 'REST API',
            address: restUrl,
            ...(anyPort && restPort !== USUAL_PORT && { remark: `port ${USUAL_PORT} is taken` }),
          },
          { label: 'UDP', address: `127.0.0.1:${udpPort}`, remark: 'the site reports its tasks here' },
        ],
      },
      {
        heading: 'Receivers of the alerts',
        places: [
          { label: 'Webhook', address: local('http', webhook.port) },
          {
            label: 'Mail server',
            address: local('smtp', mail.port),
            remark: 'mails wait for the script log',
          },
          { label: 'MQTT broker', address: local('mqtt', broker.port), remark: 'topics below qliksense/' },
        ],
      },
    ],
    commands: demoCommands({ restUrl, controlUrl, program: programName() }),
  }
}
