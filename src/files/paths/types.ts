/** Paths as texts: nothing here looks at a disk, so both rule sets can be tried anywhere. */

/** Whose rules hold for the names of files. */
export type PathPlatform = 'win32' | 'posix'

export interface PathRules {
  readonly platform: PathPlatform
  /** Where relative paths begin; absolute. */
  readonly workingDirectory: string
}

/** Absolute, without `.` and `..`. */
export interface AbsolutePath {
  /** `/`, `E:/` or `//server/share/`. */
  readonly root: string
  readonly segments: readonly string[]
}

export type PathProblem =
  | { readonly kind: 'invalid'; readonly reason: string }
  /** A UNC path where there is no Windows. */
  | { readonly kind: 'unc' }

export type PathResult =
  | { readonly ok: true; readonly path: AbsolutePath }
  | { readonly ok: false; readonly problem: PathProblem }
