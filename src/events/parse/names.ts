/** Settles where the task name ends when names contain `;`. */

export interface Names {
  readonly taskName: string
  readonly appName: string
}

/**
 * Chooses the split of `tokens` whose left part is the task name known to QRS, or whose right part is its app name.
 * Without a fit the first token is the task name and the rest the app name.
 */
export function resolveNames(tokens: readonly string[], known: Partial<Names>): Names {
  const splits = tokens.slice(1).map((_, index) => ({
    taskName: tokens.slice(0, index + 1).join(';'),
    appName: tokens.slice(index + 1).join(';'),
  }))
  const fit = splits.find((split) => split.taskName === known.taskName || split.appName === known.appName)
  return fit ?? splits[0] ?? { taskName: tokens[0] ?? '', appName: '' }
}
