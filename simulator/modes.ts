import { DEFAULT_QRS_MODES, type QrsModes } from './qrs/context.ts'
import { DEFAULT_SCHEDULER_MODES, type SchedulerModes } from './scheduler/scheduler.ts'
import { DEFAULT_SCRIPT_LOG_MODES, type ScriptLogModes } from './script-logs.ts'
import { DEFAULT_UDP_MODES, type UdpModes } from './udp.ts'

/** Everything in which the site can depart from its usual manners; changed while it runs. */
export interface Modes {
  readonly scheduler: SchedulerModes
  readonly scriptLog: ScriptLogModes
  readonly udp: UdpModes
  readonly qrs: QrsModes
}

export type ModesPatch = { readonly [K in keyof Modes]?: Partial<Modes[K]> }

const DEFAULTS: Modes = {
  scheduler: DEFAULT_SCHEDULER_MODES,
  scriptLog: DEFAULT_SCRIPT_LOG_MODES,
  udp: DEFAULT_UDP_MODES,
  qrs: DEFAULT_QRS_MODES,
}

export function createModes(patch: ModesPatch = {}): Modes {
  const modes: Modes = {
    scheduler: { ...DEFAULTS.scheduler },
    scriptLog: { ...DEFAULTS.scriptLog },
    udp: { ...DEFAULTS.udp },
    qrs: { ...DEFAULTS.qrs },
  }
  changeModes(modes, patch)
  return modes
}

export const resetModes = (modes: Modes) => changeModes(modes, DEFAULTS)

/** Throws an Error that names the wrong mode and those that exist. */
export function changeModes(modes: Modes, patch: ModesPatch) {
  for (const [group, values] of Object.entries(patch)) {
    const target = (modes as unknown as Record<string, object>)[group]
    if (!target) throw new Error(`Unknown group of modes "${group}"; known: ${Object.keys(DEFAULTS).join(', ')}`)
    assignKnown(target, values ?? {}, `modes.${group}`)
  }
}

/** Copies members that the target has, with the same type; throws an Error for anything else. */
export function assignKnown(target: object, patch: object, what: string) {
  const known = target as Record<string, unknown>
  for (const [key, value] of Object.entries(patch)) {
    if (!(key in known)) throw new Error(`${what} has no "${key}"; known: ${Object.keys(known).join(', ')}`)
    const now = known[key]
    if (now !== null && value !== null && typeof now !== typeof value) {
      throw new Error(`${what}.${key} must be a ${typeof now}, not ${JSON.stringify(value)}`)
    }
  }
  Object.assign(target, patch)
}
