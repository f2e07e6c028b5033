/** What Windows would understand as something else than a plain file or directory of that name. */

const FORBIDDEN = /[<>"|?*]/
const DEVICE_NAME = /^(con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])$/i
/** `\\?\`, `\\.\` and `\??\`, with slashes turned. */
const DEVICE_PREFIX = /^(?:\/{2,}[?.](?:\/|$)|\/\?\?(?:\/|$))/
const DRIVE = /^[a-z]:/i

/** Why the text is no path that may be used, or null. `text` has forward slashes only. */
export function windowsProblem(text: string): string | null {
  if (DEVICE_PREFIX.test(text)) return 'device and verbatim paths are not allowed'
  const forbidden = FORBIDDEN.exec(text)?.[0]
  if (forbidden) return `the character ${forbidden} is not allowed in names`
  const rest = DRIVE.test(text) ? text.slice(2) : text
  if (rest.includes(':')) return 'a colon is allowed behind the drive letter only'
  if (rest !== text && !rest.startsWith('/')) return 'a path with a drive letter must go on with a slash'
  for (const name of rest.split('/')) {
    const problem = nameProblem(name)
    if (problem) return problem
  }
  return null
}

function nameProblem(name: string): string | null {
  if (name === '' || name === '.' || name === '..') return null
  // Windows drops both silently: the name that is opened would not be the name that was checked.
  if (/[. ]$/.test(name)) return `the name "${name}" ends in a dot or a blank`
  const base = name.split('.', 1)[0]!.trimEnd()
  return DEVICE_NAME.test(base) ? `"${name}" is the name of a device` : null
}

/** The drive with which the text begins (`E:`), or null. */
export const driveOf = (text: string): string | null => DRIVE.exec(text)?.[0] ?? null
