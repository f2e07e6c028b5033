/** A logger that keeps its messages. */
import type { Logger, LogLevel } from '../../src/platform/types.ts'

export interface RecordingLog extends Logger {
  readonly lines: { readonly level: LogLevel; readonly message: string }[]
  /** Messages of one level, oldest first. */
  of(level: LogLevel): readonly string[]
}

export function recordingLog(): RecordingLog {
  const lines: { level: LogLevel; message: string }[] = []
  const write = (level: LogLevel) => (message: string) => void lines.push({ level, message })
  const log: RecordingLog = {
    lines,
    of: (level) => lines.filter((line) => line.level === level).map((line) => line.message),
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    verbose: write('verbose'),
    debug: write('debug'),
    silly: write('silly'),
    enabled: () => true,
    child: () => log,
  }
  return log
}
