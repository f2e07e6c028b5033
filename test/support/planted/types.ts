/** Mistakes that people make, planted to see whether `check` or `doctor` finds them and names what to do. */
import type { TempDirectory } from '../temp.ts'

export interface Planted {
  /** What stands below `Butler`; or the whole text of the file. */
  readonly config: Readonly<Record<string, unknown>> | string
  /** Further arguments of the command. */
  readonly args?: readonly string[]
  /** Takes back what the file does not hold: faults, servers, mounts. */
  readonly lift?: () => void | Promise<void>
}

export interface PlantedMistake {
  readonly name: string
  /** False where this machine cannot plant it; it is then skipped. */
  readonly possible?: boolean
  /** `directory` holds the configuration file, and may hold what that names. */
  plant(directory: TempDirectory): Planted | Promise<Planted>
  /** Run with `-c FILE --json`. */
  readonly command: 'check' | 'doctor'
  readonly expect: {
    readonly exit: number
    /** Of a finding; `check` has none. */
    readonly code?: string
    /** Key of the finding, or end of the path of the problem. */
    readonly key?: string
    /** What is found. */
    readonly message: RegExp
    /** What to do. */
    readonly fix: RegExp
  }
}
