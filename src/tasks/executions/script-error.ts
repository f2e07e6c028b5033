/** What went wrong, in the words of the script log: the last `Error: ...`; null when there is none. */
export function scriptError(log: string): string | null {
  const lines = log.split(/\r?\n/)
  const line = lines.findLast((candidate) => /(^|\s)Error: /.test(candidate))
  return line === undefined ? null : line.slice(line.search(/(?<=^|\s)Error: /)).trim()
}

/** The first and the last lines of a text with their line breaks; null = no such part. Both null = the whole text. */
export function excerpt(text: string, head: number | null, tail: number | null): string {
  if (head === null && tail === null) return text
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
  const first = lines.slice(0, head ?? 0)
  const rest = lines.slice(first.length)
  return [...first, ...(tail ? rest.slice(-tail) : [])].join('')
}
