/** The interface of checks of the parsed configuration. */
import type { ProblemSeverity } from '../../../config/problems.ts'
import type { Config } from '../../schema.ts'

export interface CheckContext {
  readonly config: Config
  /** False with --no-qs-connection. */
  readonly qlikConnection: boolean
  /** True when the file (or the environment) has the key. Paths are below `Butler`. */
  written(path: string): boolean
  /** Whether a stored setting of that name is kept and not used. */
  readonly isUnusable?: (kind: string, name: string) => boolean
  report(severity: ProblemSeverity, path: string, message: string, options?: ReportOptions): void
}

export interface ReportOptions {
  readonly hint?: string
  /** The message is a sentence of its own that names the key. */
  readonly standalone?: true
  /** The error concerns this section only (path below `Butler`), which then stays off. */
  readonly feature?: string
}

export type Check = (context: CheckContext) => void
