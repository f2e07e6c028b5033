/**
 * File descriptors, of which a process may run out: every connection takes one. Some are kept in reserve. When all others
 * are used, the listeners of the REST API are closed until some are free again, and the reserve goes to the rest of Footman,
 * so that alerts are still delivered. Linux only: other systems have no measure.
 */

import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { createRecurringJob } from './recurring-job.ts'
import type { Logger, Service } from './types.ts'

export interface DescriptorUse {
  readonly used: number
  /** The limit of this process. */
  readonly limit: number
  /** True when those of the whole machine are used up. */
  readonly isSystemFull: boolean
}

export interface PausableListener {
  pause(): void
  resume(): Promise<void>
}

export interface DescriptorWatch extends Service {
  /** The problem and its remedy; null while there are enough. */
  readonly problem: string | null
}

export interface DescriptorDeps {
  readonly log: Logger
  readonly listener: PausableListener
  /** Null when unknown; replaced in tests. */
  readonly measure?: () => DescriptorUse | null
}

const EVERY_MS = 1000
const RESERVE = { share: 0.1, min: 16, max: 64 }

export function createDescriptorWatch(deps: DescriptorDeps, { everyMs = EVERY_MS } = {}): DescriptorWatch {
  const { log, listener } = deps
  const measure = deps.measure ?? createMeasure()
  const reserve: number[] = []
  let size = 0
  let problem: string | null = null
  /** Logged already: why the listener stays closed. */
  let obstacle = ''

  async function look(): Promise<void> {
    const use = measure()
    if (!use) return
    const free = use.isSystemFull ? 0 : use.limit - use.used
    // Refilling the reserve must leave as many free ones again.
    if (problem !== null) return free >= 3 * size ? recover(use) : undefined
    if (free <= size / 2) shed(use)
  }

  function shed(use: DescriptorUse): void {
    problem = problemText(use)
    // Before the reserve is released: connections that wait there would take it.
    listener.pause()
    for (const fd of reserve.splice(0)) closeSync(fd)
    log.error(`DESCRIPTORS: ${problem}`)
  }

  async function recover({ used, limit }: DescriptorUse): Promise<void> {
    try {
      fill()
      await listener.resume()
      problem = null
      obstacle = ''
      log.info(`DESCRIPTORS: ${used} of ${limit} file descriptors are used now: the REST API takes connections again`)
    } catch (error) {
      const { message } = error as Error
      if (message !== obstacle) log.error(`DESCRIPTORS: The REST API cannot be opened again yet: ${message}`)
      obstacle = message
    }
  }

  function fill(): void {
    while (reserve.length < size) reserve.push(openSync('/dev/null', 'r'))
  }

  const looks = createRecurringJob({ everyMs, unref: true }, look)

  return {
    name: 'file descriptors',
    get problem() {
      return problem
    },
    async start() {
      const use = measure()
      if (!use) return
      size = Math.min(RESERVE.max, Math.max(RESERVE.min, Math.floor(use.limit * RESERVE.share)))
      fill()
      looks.start()
    },
    async stop() {
      await looks.stop()
      for (const fd of reserve.splice(0)) closeSync(fd)
    },
  }
}

function problemText({ used, limit, isSystemFull }: DescriptorUse): string {
  const happened = isSystemFull
    ? 'The machine has no file descriptors left (ENFILE)'
    : `${used} of ${limit} file descriptors of Footman are used (EMFILE)`
  const remedy = isSystemFull
    ? 'Look which program holds them (lsof), or raise fs.file-max (sysctl)'
    : 'Look which addresses hold connections (ss -tnp), or raise the limit: LimitNOFILE=65536 in the systemd unit (systemctl edit), ulimit -n elsewhere'
  return `${happened}. The REST API takes no connections until some are free; alerts go out by a reserve. ${remedy}`
}

/** The limit is read once: reading it takes a descriptor itself. */
function createMeasure(): () => DescriptorUse | null {
  const limit = process.platform === 'linux' ? openFilesLimit() : null
  return () => {
    if (limit === null) return null
    try {
      // One of them is that of the listing.
      return { used: readdirSync('/proc/self/fd').length - 1, limit, isSystemFull: false }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EMFILE') return { used: limit, limit, isSystemFull: false }
      return code === 'ENFILE' ? { used: 0, limit, isSystemFull: true } : null
    }
  }
}

/** Null when there is none, or it cannot be read. */
function openFilesLimit(): number | null {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? null : Number(soft)
  } catch {
    return null
  }
}
