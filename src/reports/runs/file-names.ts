/** Names of files that must differ in one place. */

/** `report.pdf`, `report (2).pdf`, ... */
export function freeName(name: string, isTaken: (name: string) => boolean): string {
  if (!isTaken(name)) return name
  const dot = name.lastIndexOf('.')
  const [base, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, '']
  for (let n = 2; ; n++) {
    const next = `${base} (${n})${extension}`
    if (!isTaken(next)) return next
  }
}

/** The names, with a number in those that come up again: `report.pdf`, `Report (2).pdf`. */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((wanted) => {
    const name = freeName(wanted, (one) => taken.has(one.toLowerCase()))
    taken.add(name.toLowerCase())
    return name
  })
}
