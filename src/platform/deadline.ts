/** Work that is waited for only so long. */

/**
 * Settles as `work` does, or with the result of `late` when that takes longer than `ms`; `late` may throw. The work goes on
 * then, and its end is ignored.
 *
 * @example
 * const answer = await within(ask(), 500, () => null)
 */
export async function within<T, L>(work: Promise<T>, ms: number, late: () => L | Promise<L>): Promise<T | L> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  }).then(late)
  try {
    return await Promise.race([work, over])
  } finally {
    clearTimeout(timer)
    work.catch(() => undefined)
  }
}
