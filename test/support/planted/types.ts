/** Common mistakes, planted to test that `check` or `doctor` finds them and prints the fix. */

export interface PlantPlace {
  /** Holds the configuration file, and may hold what that names. */
  readonly directory: string
  /** Adds a step that removes a fault planted outside the file; awaited, the last one first. */
  readonly onEnd: (step: () => unknown) => void
}

export interface PlantedMistake {
  readonly name: string
  /** False where this machine cannot plant it; it is then skipped. */
  readonly possible?: boolean
  /** The settings below `Butler`, or the whole text of the file. */
  readonly plant: (place: PlantPlace) => object | string | Promise<object | string>
  /** Run with `-c FILE --json`, in the directory. */
  readonly command: 'check' | 'doctor'
  /** Further arguments. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly expect: {
    /** Exit code of the command. */
    readonly code: number
    /** The finding, once. */
    readonly message: RegExp
    /** The fix that is printed. */
    readonly fix: RegExp
  }
}
