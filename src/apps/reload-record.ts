/** What is known about one reload, as it grows. */
import type { AppReload, AppReloadLine } from './types.ts'

/** The newest lines are kept. */
const MAX_LINES = 500
const MAX_LINE_LENGTH = 2000

export interface ReloadRecord {
  /** A copy of the state at this moment. */
  view(): AppReload
  change(patch: Partial<AppReload>): void
  add(level: AppReloadLine['level'], message: string): void
}

export function createReloadRecord(begun: AppReload, now: () => number): ReloadRecord {
  let state = begun
  const details: AppReloadLine[] = []
  return {
    view: () => ({ ...state, details: [...details] }),
    change(patch) {
      state = { ...state, ...patch }
    },
    add(level, message) {
      details.push({ at: now(), level, message: message.slice(0, MAX_LINE_LENGTH) })
      if (details.length > MAX_LINES) details.shift()
    },
  }
}
