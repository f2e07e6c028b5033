/** Set by the build through `--define`; absent when the source runs uncompiled. */
declare const FOOTMAN_VERSION: string | undefined
declare const FOOTMAN_COMMIT: string | undefined
declare const FOOTMAN_COMMIT_TIME: string | null | undefined
declare const FOOTMAN_TARGET: string | undefined

/** `0.1.0`; `0.0.0-source` when run from source. */
export const VERSION: string = typeof FOOTMAN_VERSION === 'string' ? FOOTMAN_VERSION : '0.0.0-source'

/** Short git hash, `-dirty` appended when files differed from it; `unknown` when run from source. */
export const COMMIT: string = typeof FOOTMAN_COMMIT === 'string' ? FOOTMAN_COMMIT : 'unknown'

/** ISO time of the commit; null when run from source, or built outside a git clone. */
export const COMMIT_TIME: string | null = typeof FOOTMAN_COMMIT_TIME === 'string' ? FOOTMAN_COMMIT_TIME : null

/** Build target, like `windows-x64`; `source` when run from source. */
export const TARGET: string = typeof FOOTMAN_TARGET === 'string' ? FOOTMAN_TARGET : 'source'
