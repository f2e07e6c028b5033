/** Where a Footman of the tests runs, when that is not the compiled executable on this machine. */
export interface Host {
  readonly command: string
  /** Before Footman's own. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Where the directories of Footmans are made; absent = where temporary files belong. */
  readonly directoryIn?: string
  /** Requests that are not answered in this time, in milliseconds, are sent again: for hosts that lose some. */
  readonly lostAfterMs?: number
  /** How Footman there calls a file of this machine. */
  path(local: string): string
}
