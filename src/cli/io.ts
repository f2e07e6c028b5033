/** Where a command writes; replaced in tests. */
export interface CommandIo {
  out(text: string): void
  err(text: string): void
}

export const processIo: CommandIo = {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
}

/** What the process ends with; the same meaning for every command. */
export const EXIT = {
  ok: 0,
  /** Wrong arguments or configuration. */
  badInput: 1,
  cannotStart: 2,
  /** Footman, or the server behind it, cannot be reached or refuses. */
  unreachable: 2,
  /** Not found, or not started. */
  missing: 3,
  failed: 4,
  timeOver: 5,
} as const
