/**
 * Globs: `*` stands for any text, `?` for one character; the whole text is compared, ignoring case. A list matches when
 * one of its globs does; an empty list matches nothing.
 */
export function globMatcher(globs: readonly string[]): (text: string) => boolean {
  const patterns = globs.map((glob) => [...glob.toLowerCase()])
  return (text) => {
    const characters = [...text.toLowerCase()]
    return patterns.some((pattern) => matches(pattern, characters))
  }
}

/** Goes back to the last star only, so that no pattern makes it slow. */
function matches(pattern: readonly string[], text: readonly string[]): boolean {
  let p = 0
  let t = 0
  let star = -1
  let resume = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      resume = t
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++resume
    } else {
      return false
    }
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}
