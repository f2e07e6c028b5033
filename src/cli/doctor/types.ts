/** The types of `footman doctor`: a table of probes, each of which examines one thing and returns findings. */
import type { LoadResult } from '../../app/config/load.ts'
import type { Config } from '../../app/schema.ts'
import type { ConfigPaths } from '../../config/paths.ts'
import type { Clock } from '../../platform/types.ts'

/** `ok` = looked at and in order; `error` makes the command end with 3. */
export type FindingLevel = 'ok' | 'info' | 'warning' | 'error'

export interface Finding {
  readonly level: FindingLevel
  /** Stable name for scripts, `<group>.<what>`, for example `qrs.custom-property`. */
  readonly code: string
  /** The examined host, file, port or name. */
  readonly target: string
  /** The result, one sentence. */
  readonly message: string
  /** How to correct it; present for every warning and error. */
  readonly fix?: string
  /** The key that it is about (below `Butler`), for the place in the file. */
  readonly key?: string
}

/** Input of a probe. A probe changes nothing on the site, sends no alert and starts no task. */
export interface DoctorContext {
  readonly config: Config
  readonly loaded: LoadResult
  readonly paths: ConfigPaths
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
  /** Milliseconds that one connection may take. */
  readonly timeout: number
  /** The log appender file to examine; absent = that of this machine, where there is one. */
  readonly appender?: string
  /** See `spawnWorker`. */
  readonly workerEntry?: URL
  /** Milliseconds for which to listen for messages; absent = not at all. */
  readonly listenMs?: number
}

export interface Probe {
  /** First part of the codes of its findings. */
  readonly group: string
  /** Heading in the table for people. */
  readonly title: string
  /** False where the feature is off: the probe is left out. */
  applies(context: DoctorContext): boolean
  /** Never rejects for what it finds; a rejection is shown as an error of the probe itself. */
  run(context: DoctorContext): Promise<readonly Finding[]>
}

/** A probe that has run. */
export interface Examined {
  readonly group: string
  readonly title: string
  readonly findings: readonly Finding[]
}
