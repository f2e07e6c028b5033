/** Paths as texts: nothing here looks at a disk, so both rule sets can be tried anywhere. */

/** The operating system whose rules hold for the names of files. */
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

type PathResult =
  | { readonly ok: true; readonly path: AbsolutePath }
  | { readonly ok: false; readonly problem: PathProblem }

/** Characters on Windows, bytes elsewhere. */
const MAX_LENGTH: Readonly<Record<PathPlatform, number>> = { win32: 32_767, posix: 4096 }
/** Two or more slashes, host, slash, share. */
const UNC = /^\/{2,}[^/]+\/+[^/]/

/** Checks the text and resolves `.`, `..` and relative paths without looking at the disk. */
export function resolvePath(given: string, rules: PathRules): PathResult {
  const { platform, workingDirectory } = rules
  const reason = textProblem(given, platform)
  if (reason) return refuse({ kind: 'invalid', reason })
  const text = slashed(given)
  if (platform === 'posix') {
    if (UNC.test(text)) return refuse({ kind: 'unc' })
    return text.startsWith('/')
      ? accept('/', [], text)
      : relativeTo(resolvePath(collapsed(workingDirectory), rules), text)
  }
  const problem = windowsProblem(text)
  if (problem) return refuse({ kind: 'invalid', reason: problem })
  const drive = driveOf(text)
  if (drive) return accept(`${drive}/`, [], text.slice(2))
  if (/^\/{2,}/.test(text)) return uncPath(text)
  const base = resolvePath(workingDirectory, { platform, workingDirectory: 'C:/' })
  return text.startsWith('/') && base.ok ? accept(base.path.root, [], text) : relativeTo(base, text)
}

/** An existing path as returned by the system (`realpath`), which needs no check. */
export function fromSystem(text: string, platform: PathPlatform): AbsolutePath {
  // A backslash is part of a name there.
  if (platform === 'posix') return absolute('/', [], text)
  const path = slashed(text).replace(/^\/\/\?\/(UNC\/)?/, (_, unc) => (unc ? '//' : ''))
  const drive = driveOf(path)
  if (drive) return absolute(`${drive}/`, [], path.slice(2))
  const share = /^\/\/[^/]+\/[^/]+/.exec(path)?.[0] ?? ''
  return absolute(`${share}/`, [], path.slice(share.length))
}

/** With forward slashes. */
export const textOf = ({ root, segments }: AbsolutePath): string => `${root}${segments.join('/')}`

/** The path as it is shown in answers: forward slashes, `.` and `..` resolved; `a/b/`, `./a` and `../a` stay as they are. */
export function normalText(given: string): string {
  const text = slashed(given)
  const [, lead = '', rest = ''] = /^(\/\/(?=[^/]+\/)|[a-z]:\/|\/|)\/*(.*)$/is.exec(text) ?? []
  const kept: string[] = []
  for (const name of rest.split('/')) {
    if (name === '' || name === '.') continue
    if (name !== '..') kept.push(name)
    else if (kept.length > 0 && kept.at(-1) !== '..') kept.pop()
    else if (lead === '') kept.push(name)
  }
  const ended = kept.length > 0 && /\/$/.test(rest) ? '/' : ''
  const dotted = lead === '' && /^\.\//.test(rest) && kept[0] !== '..' ? './' : ''
  return `${lead}${dotted}${kept.join('/')}${ended}` || '.'
}

function textProblem(text: string, platform: PathPlatform): string | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) return 'control characters are not allowed'
  if (!text.isWellFormed()) return 'it is not valid Unicode'
  const length = platform === 'win32' ? text.length : Buffer.byteLength(text)
  return length > MAX_LENGTH[platform] ? `it is longer than ${MAX_LENGTH[platform]}` : null
}

function uncPath(text: string): PathResult {
  const [server = '', share = '', ...rest] = text.replace(/^\/+/, '').split(/\/+/)
  const named = [server, share].every((name) => name !== '' && name !== '.' && name !== '..')
  if (!named) return refuse({ kind: 'invalid', reason: 'a UNC path must name a server and a share' })
  return accept(`//${server}/${share}/`, [], rest.join('/'))
}

const relativeTo = (base: PathResult, text: string): PathResult =>
  base.ok ? accept(base.path.root, base.path.segments, text) : base

const accept = (root: string, from: readonly string[], text: string): PathResult => ({
  ok: true,
  path: absolute(root, from, text),
})

const refuse = (problem: PathProblem): PathResult => ({ ok: false, problem })

/** `..` never leads above the root, so a UNC path keeps its server and share. */
function absolute(root: string, from: readonly string[], text: string): AbsolutePath {
  const segments = [...from]
  for (const name of text.split('/')) {
    if (name === '..') segments.pop()
    else if (name !== '' && name !== '.') segments.push(name)
  }
  return { root, segments }
}

const slashed = (text: string): string => text.replaceAll('\\', '/')

/** The working directory may begin with two slashes, which POSIX allows. */
const collapsed = (text: string): string => text.replace(/^\/{2,}/, '/')

// Names that Windows takes for something else than a plain file or directory.

const FORBIDDEN = /[<>"|?*]/
const DEVICE_NAME = /^(con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])$/i
/** `\\?\`, `\\.\` and `\??\`, with slashes turned. */
const DEVICE_PREFIX = /^(?:\/{2,}[?.](?:\/|$)|\/\?\?(?:\/|$))/
const DRIVE = /^[a-z]:/i

/** Why the text is no path that may be used, or null. `text` has forward slashes only. */
function windowsProblem(text: string): string | null {
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
const driveOf = (text: string): string | null => DRIVE.exec(text)?.[0] ?? null

/** True when `path` is `directory` or lies below it. */
export function isWithin(directory: AbsolutePath, path: AbsolutePath, platform: PathPlatform): boolean {
  const same = nameComparer(platform)
  if (!same(directory.root, path.root) || path.segments.length < directory.segments.length) return false
  return directory.segments.every((name, index) => same(name, path.segments[index]!))
}

/** True when `path` lies below `directory`, and is not the directory itself. */
export function isBelow(directory: AbsolutePath, path: AbsolutePath, platform: PathPlatform): boolean {
  return path.segments.length > directory.segments.length && isWithin(directory, path, platform)
}

export const isSame = (a: AbsolutePath, b: AbsolutePath, platform: PathPlatform): boolean =>
  a.segments.length === b.segments.length && isWithin(a, b, platform)

/** Without regard to case on Windows. */
function nameComparer(platform: PathPlatform): (a: string, b: string) => boolean {
  return platform === 'posix' ? (a, b) => a === b : (a, b) => a === b || folded(a) === folded(b)
}

/**
 * Upper case, unit by unit as NTFS compares names. Letters that would change more than their case (`ß`, dotless i, long s)
 * stay: two names must never be taken for one that the file system keeps apart.
 */
function folded(name: string): string {
  let text = ''
  for (let at = 0; at < name.length; at++) text += foldedUnit(name[at]!)
  return text
}

function foldedUnit(unit: string): string {
  const upper = unit.toUpperCase()
  return upper.length === 1 && upper.toLowerCase() === unit ? upper : unit
}
