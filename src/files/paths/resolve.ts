/** From a text to an absolute path, or to the reason why it is none that may be used. */
import type { AbsolutePath, PathPlatform, PathProblem, PathResult, PathRules } from './types.ts'
import { driveOf, windowsProblem } from './windows.ts'

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

/** An existing path as the system tells it (`realpath`), which needs no check. */
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

/** The path as it is told back: forward slashes, `.` and `..` resolved; `a/b/`, `./a` and `../a` stay as they are. */
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
