import { describe, expect, test } from 'bun:test'
import {
  type AbsolutePath,
  fromSystem,
  isBelow,
  isWithin,
  normalText,
  type PathRules,
  resolvePath,
  textOf,
} from '../../../src/files/paths.ts'

const WINDOWS: PathRules = { platform: 'win32', workingDirectory: 'C:\\footman' }
const POSIX: PathRules = { platform: 'posix', workingDirectory: '/srv/footman' }

function resolved(text: string, rules: PathRules): AbsolutePath {
  const result = resolvePath(text, rules)
  if (!result.ok) throw new Error(`${text}: ${JSON.stringify(result.problem)}`)
  return result.path
}

/** `below`, `outside`, `invalid` or `unc`. */
function verdict(text: string, approved: readonly string[], rules: PathRules): string {
  const result = resolvePath(text, rules)
  if (!result.ok) return result.problem.kind
  const inside = approved.some((directory) => isBelow(resolved(directory, rules), result.path, rules.platform))
  return inside ? 'below' : 'outside'
}

describe('attacks on Windows', () => {
  const APPROVED = ['E:\\data', '\\\\srv\\share\\d', 'C:\\footman\\data']
  const cases: readonly [name: string, path: string, verdict: string][] = [
    ['climbing out', 'E:/data/..\\..\\x', 'outside'],
    ['climbing out below the root', 'E:\\data\\sub\\..\\..\\secret\\s', 'outside'],
    ['percent-encoded dots are a name', 'E:\\data\\%2e%2e\\x', 'below'],
    ['doubly encoded dots are a name', 'E:\\data\\%252e%252e\\x', 'below'],
    ['another drive', 'F:\\data\\x', 'outside'],
    ['a relative path with the same names', 'E\\data\\x', 'outside'],
    ['a local path with the names of a share', '/srv/share/d/x', 'outside'],
    ['a relative path with the names of a share', 'srv/share/d/x', 'outside'],
    ['a share with the names of a local path', '\\\\E\\data\\x', 'outside'],
    ['a longer name', 'E:\\data2\\z', 'outside'],
    ['the approved directory itself', 'E:\\data', 'outside'],
    ['the approved directory with a slash', 'E:\\data\\', 'outside'],
    ['the approved directory through a sub-directory', 'E:\\data\\x\\..', 'outside'],
    ['another case of the drive', 'e:\\data\\x', 'below'],
    ['another case of the directory', 'E:\\DATA\\x', 'below'],
    ['another case of the server', '\\\\SRV\\share\\d\\x', 'below'],
    ['another case of the share', '//srv/SHARE/D/x', 'below'],
    ['letters that only look like another case', 'E:\\daﬅa\\x', 'outside'],
    ['an 8.3 name of the approved directory is judged on the disk', 'E:\\DATA~1\\x', 'outside'],
    ['an 8.3 name below it is judged on the disk', 'E:\\data\\PROGRA~1\\x', 'below'],
    ['an alternate data stream', 'E:\\data\\x.txt:ads', 'invalid'],
    ['the stream of a directory', 'E:\\data:ads', 'invalid'],
    ['the default stream by name', 'E:\\data\\x.txt::$DATA', 'invalid'],
    ['a dot at the end of a name', 'E:\\data.\\x', 'invalid'],
    ['a blank at the end of a name', 'E:\\data \\x', 'invalid'],
    ['a dot at the end below', 'E:\\data\\sub.\\x', 'invalid'],
    ['two dots and a blank', 'E:\\data\\.. \\x', 'invalid'],
    ['three dots', 'E:\\data\\...\\x', 'invalid'],
    ['a device', 'E:\\data\\con', 'invalid'],
    ['a device with an extension', 'E:\\data\\nul.txt', 'invalid'],
    ['a device with a blank before the extension', 'E:\\data\\NUL .txt', 'invalid'],
    ['a serial port', 'E:\\data\\COM1', 'invalid'],
    ['a serial port with a superscript', 'E:\\data\\com¹.log', 'invalid'],
    ['a printer port', 'E:\\data\\LPT9\\x', 'invalid'],
    ['the console', 'E:\\data\\CONIN$', 'invalid'],
    ['a name that begins like a device', 'E:\\data\\console.txt', 'below'],
    ['a verbatim path', '\\\\?\\E:\\data\\x', 'invalid'],
    ['a device path', '\\\\.\\E:\\data\\x', 'invalid'],
    ['a device path with slashes', '//./E:/data/x', 'invalid'],
    ['a verbatim share', '\\\\?\\UNC\\srv\\share\\d\\x', 'invalid'],
    ['a path of the object manager', '\\??\\E:\\data\\x', 'invalid'],
    ['the administrative share', '\\\\localhost\\e$\\data\\x', 'outside'],
    ['climbing out of a share', '\\\\srv\\share\\..\\..\\d\\x', 'below'],
    ['climbing within a share', '\\\\srv\\share\\d\\..\\e\\x', 'outside'],
    ['dots as share', '\\\\srv\\..\\d\\x', 'invalid'],
    ['a server without a share', '\\\\srv', 'invalid'],
    ['relative to a drive', 'E:data\\x', 'invalid'],
    ['a drive alone', 'E:', 'invalid'],
    ['without a drive', '\\data\\x', 'outside'],
    ['relative to the working directory', 'data\\x', 'below'],
    ['a NUL byte', 'E:\\data\\a.txt\0.png', 'invalid'],
    ['a line break', 'E:\\data\\a\nb', 'invalid'],
    ['a wildcard', 'E:\\data\\*.qvd', 'invalid'],
    ['half a surrogate pair', 'E:\\data\\\ud800', 'invalid'],
    ['a very long path', `E:\\data\\${'x\\'.repeat(17_000)}`, 'invalid'],
    ['a long path', `E:\\data\\${'x\\'.repeat(10_000)}x`, 'below'],
  ]
  test.each(cases)('%s', (_, path, expected) => {
    expect(verdict(path, APPROVED, WINDOWS)).toBe(expected)
  })
})

describe('attacks elsewhere', () => {
  const cases: readonly [name: string, path: string, verdict: string][] = [
    ['climbing out', '/data/../secret/s.txt', 'outside'],
    ['climbing out below the root', '/data/sub/../../secret/s', 'outside'],
    ['with back-slashes', '/data\\..\\secret', 'outside'],
    ['percent-encoded dots are a name', '/data/%2e%2e/x', 'below'],
    ['a relative path with the same names', 'data/x', 'outside'],
    ['a longer name', '/data2/z', 'outside'],
    ['another case', '/DATA/x', 'outside'],
    ['the approved directory itself', '/data/.', 'outside'],
    ['three dots are a name', '/data/.../x', 'below'],
    ['a device name is a name', '/data/con', 'below'],
    ['a wildcard is a name', '/data/*.qvd', 'below'],
    ['a colon is a part of a name', '/data/x.txt:ads', 'below'],
    ['a share', '//srv/share/d/x', 'unc'],
    ['a share with back-slashes', '\\\\srv\\share\\..\\..\\data\\x', 'unc'],
    ['a share with too many slashes', '////srv//share', 'unc'],
    ['a verbatim path', '\\\\?\\E:\\data\\x', 'unc'],
    ['a NUL byte', '/data/a.txt\0.png', 'invalid'],
    ['a very long path', `/data/${'x/'.repeat(2100)}`, 'invalid'],
    ['doubled slashes', '/data//x', 'below'],
  ]
  test.each(cases)('%s', (_, path, expected) => {
    expect(verdict(path, ['/data'], POSIX)).toBe(expected)
  })
})

test.each([
  ['E:\\data\\..\\x', WINDOWS, 'E:/x'],
  ['E:/../../x', WINDOWS, 'E:/x'],
  ['\\\\srv\\share\\..\\..\\x', WINDOWS, '//srv/share/x'],
  ['\\x', WINDOWS, 'C:/x'],
  ['x', WINDOWS, 'C:/footman/x'],
  ['..', POSIX, '/srv'],
  ['a/./b//c/..', POSIX, '/srv/footman/a/b'],
  ['/../..', POSIX, '/'],
] as const)('%s is resolved', (text, rules, expected) => {
  expect(textOf(resolved(text, rules))).toBe(expected)
})

test.each([
  ['/data/joe/d1//abc//..', '/data/joe/d1'],
  ['e:\\data3\\qvd', 'e:/data3/qvd'],
  ['\\\\srv\\share\\data1', '//srv/share/data1'],
  ['a/b/', 'a/b/'],
  ['../x', '../x'],
  ['./a', './a'],
  ['/data1\\qvd/./a.txt', '/data1/qvd/a.txt'],
  ['a/../..', '..'],
  ['', '.'],
])('%s is told back as %s', (text, expected) => {
  expect(normalText(text)).toBe(expected)
})

test('what the system says is taken as it is', () => {
  expect(fromSystem('/data/we\\ird', 'posix').segments).toEqual(['data', 'we\\ird'])
  expect(textOf(fromSystem('\\\\?\\E:\\data', 'win32'))).toBe('E:/data')
  expect(textOf(fromSystem('\\\\?\\UNC\\srv\\share\\d', 'win32'))).toBe('//srv/share/d')
  expect(textOf(fromSystem('\\\\srv\\share', 'win32'))).toBe('//srv/share/')
})

test('letters are compared as Windows does, and no two names that it keeps apart are one', () => {
  const same = (a: string, b: string) =>
    isWithin({ root: 'E:/', segments: [a] }, { root: 'e:/', segments: [b] }, 'win32')
  expect(same('Grüße', 'GRÜßE')).toBe(true)
  expect(same('straße', 'STRASSE')).toBe(false)
  expect(same('data', 'datа')).toBe(false)
  expect(same('ısı', 'ISI')).toBe(false)
  expect(same('ſ', 'S')).toBe(false)
})
