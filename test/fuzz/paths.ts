/** Generated paths against the rules of both systems, and against a real disk. */
import { posix, win32 } from 'node:path'
import fc from 'fast-check'
import type { FileOperations } from '../../src/files/operations.ts'
import { type AbsolutePath, isBelow, type PathRules, resolvePath, textOf } from '../../src/files/paths.ts'
import type { FileRequest, Work } from '../../src/files/types.ts'
import { type Disk, fileDisk, leaks, operationsOn, snapshot } from '../support/files.ts'

const WINDOWS: PathRules = { platform: 'win32', workingDirectory: 'C:\\footman' }
const POSIX: PathRules = { platform: 'posix', workingDirectory: '/srv/footman' }

const SEPARATOR = fc.constantFrom('/', '\\', '//', '\\\\', '/./', '\\.\\')
const ODD_NAMES = [
  '..',
  '..',
  '..',
  '.',
  '',
  '...',
  '.. ',
  ' ..',
  '..\u00a0',
  '%2e%2e',
  '%252e',
  '..%2f',
  '%23',
  '~',
  '*',
  '?',
  'con',
  'NUL.txt',
  'com¹',
  'aux ',
  'x.',
  'x ',
  'x:ads',
  'C:',
  'E:',
  'PROGRA~1',
  '\0',
  '\n',
  '\u202e',
  'ﬅ',
  '‥',
  '．．',
  'e$',
  'localhost',
  'UNC',
  '?',
  '.',
  'GLOBALROOT',
  'share',
  'srv',
  'd',
  'DATA',
  'Data',
  'daſta',
]
const name = (known: readonly string[]) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...known) },
    { weight: 4, arbitrary: fc.constantFrom(...ODD_NAMES) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 5 }) },
  )

function pathText(prefixes: readonly string[], names: readonly string[]): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...prefixes), fc.array(fc.tuple(name(names), SEPARATOR), { maxLength: 6 }), fc.boolean())
    .map(([prefix, parts, open]) => {
      const text = parts.map(([part, separator]) => part + separator).join('')
      return prefix + (open ? text : text.replace(/[\\/.]+$/, ''))
    })
}

const WINDOWS_PATHS = pathText(
  [
    'E:\\data\\',
    'e:/DATA/',
    'E:/data',
    'E:',
    'E:\\',
    '\\\\srv\\share\\d\\',
    '//SRV/Share/d/',
    '\\\\srv\\share',
    '\\\\',
    '\\\\?\\E:\\data\\',
    '\\\\.\\E:\\data\\',
    '\\??\\',
    '/',
    '\\',
    '',
    '..\\',
    'C:\\footman\\',
    '//?/',
    '//./',
    'F:\\',
  ],
  ['data', 'data2', 'secret', 'a.txt', 'sub'],
)
const POSIX_PATHS = pathText(
  ['/data/', '/data', '/', '', './', '../', '//srv/share/', '/srv/footman/', '\\data\\', '/data/sub/../', '~/'],
  ['data', 'data2', 'secret', 'a.txt', 'sub'],
)

/** Paths that were taken for approved and are not, by an independent reading of the rules. */
export function fuzzRules(system: 'win32' | 'posix', count: number, seed: number): string[] {
  const rules = system === 'win32' ? WINDOWS : POSIX
  const library = system === 'win32' ? win32 : posix
  const approved = (system === 'win32' ? ['E:\\data', '\\\\srv\\share\\d'] : ['/data']).map((text) => ({
    text: library.resolve(text),
    path: absolute(text, rules),
  }))
  const escaped: string[] = []
  for (const text of fc.sample(system === 'win32' ? WINDOWS_PATHS : POSIX_PATHS, { numRuns: count, seed })) {
    const result = resolvePath(text, rules)
    if (!result.ok || !approved.some(({ path }) => isBelow(path, result.path, system))) continue
    const opened = library.resolve(rules.workingDirectory, textOf(result.path))
    const meant = library.resolve(rules.workingDirectory, system === 'win32' ? text : text.replaceAll('\\', '/'))
    const within = approved.some(
      ({ text: root }) => liesWithin(library, root, opened) && liesWithin(library, root, meant),
    )
    if (!within || (system === 'win32' && isSpecial(opened))) escaped.push(text)
  }
  return escaped
}

function absolute(text: string, rules: PathRules): AbsolutePath {
  const result = resolvePath(text, rules)
  if (!result.ok) throw new Error(`${text} is no path`)
  return result.path
}

function liesWithin(library: typeof posix, root: string, path: string): boolean {
  const relative = library.relative(root, path)
  return relative !== '' && !library.isAbsolute(relative) && relative.split(library.sep)[0] !== '..'
}

/** Something else than a plain name on Windows. */
const isSpecial = (path: string): boolean =>
  /^\\\\[?.]\\/.test(path) ||
  path.slice(2).includes(':') ||
  path.split('\\').some((part) => /[. ]$/.test(part) || /^(con|prn|aux|nul|com\d|lpt\d)\s*(\.|$)/i.test(part))

const DISK_NAMES = [
  'data',
  'arch',
  'qvd',
  'secret',
  'data2',
  'cwd',
  'sub',
  'link',
  'flink',
  'inner',
  'inner.txt',
  'dangling',
  'up',
  'linkout',
  'flinkout',
  'a.txt',
  'b.txt',
  's.txt',
  't.txt',
  'z.txt',
  'deep',
  'new',
  'new.txt',
]
const OUTSIDE = ['secret', 'data2', 'cwd']
/** Operations between two looks at what is outside. */
const BATCH = 250

/** `@` stands for the disk. */
const DISK_PATHS = pathText(
  [
    '@/data/',
    '@/data/',
    '@/arch/',
    '@/arch/',
    '@/qvd/',
    '@/',
    '@/data',
    '',
    './',
    '../',
    'data/',
    '/',
    '@/data2/',
    '/proc/self/root@/data/',
    '/proc/self/cwd/',
    '//@/data/',
    '@/data/link/',
    '@/arch/linkout/',
    '@/data/up/',
  ],
  DISK_NAMES,
)

const REQUESTS: fc.Arbitrary<FileRequest> = fc.oneof(
  fc.record({
    operation: fc.constant('copy' as const),
    from: DISK_PATHS,
    to: DISK_PATHS,
    overwrite: fc.boolean(),
    preserveTimestamp: fc.boolean(),
  }),
  fc.record({ operation: fc.constant('move' as const), from: DISK_PATHS, to: DISK_PATHS, overwrite: fc.boolean() }),
  fc.record({ operation: fc.constant('delete' as const), from: DISK_PATHS, recursive: fc.boolean() }),
  fc.record({ operation: fc.constantFrom('createdir' as const, 'createdirqvd' as const), directory: DISK_PATHS }),
)

export interface DiskReport {
  /** Paths that were tried. */
  readonly paths: number
  /** Operations that were carried out. */
  readonly done: number
  /** Batches after which something outside was another one, or something secret inside. */
  readonly escapes: readonly string[]
}

/** Carries the operations out on a disk, until so many paths were tried. */
export async function fuzzDisk(paths: number, seed: number): Promise<DiskReport> {
  const escapes: string[] = []
  let [tried, done] = [0, 0]
  for (let batch = 0; tried < paths; batch++) {
    await using disk = fileDisk()
    const operations = operationsOn(disk)
    const before = JSON.stringify(snapshot(disk, OUTSIDE))
    const requests = fc.sample(REQUESTS, { numRuns: BATCH, seed: seed + batch }).map((request) => onDisk(disk, request))
    for (const request of requests) {
      tried += 'to' in request ? 2 : 1
      if (await carryOut(operations, request)) done += 1
      // What was moved away or deleted is wanted again.
      if (!disk.has('data/a.txt')) disk.put('data/a.txt')
      if (!disk.has('data/sub')) disk.put('data/sub/b.txt')
    }
    const outside = JSON.stringify(snapshot(disk, OUTSIDE)) === before
    const inside = leaks(disk)
    if (!outside || inside.length > 0) escapes.push(`seed ${seed + batch}: ${outside ? inside : 'changed outside'}`)
  }
  return { paths: tried, done, escapes }
}

function onDisk({ root }: Disk, request: FileRequest): FileRequest {
  const real = (text: string) => text.replaceAll('@', root)
  if ('directory' in request) return { ...request, directory: real(request.directory) }
  return 'to' in request
    ? { ...request, from: real(request.from), to: real(request.to) }
    : { ...request, from: real(request.from) }
}

async function carryOut(operations: FileOperations, request: FileRequest): Promise<boolean> {
  let names = 0
  const work: Work = {
    signal: NEVER,
    tally: { files: 0, filesDone: 0, bytes: 0, bytesDone: 0 },
    temporaryName: async (kind = 'tmp') => `.footman-019cad58-bd80-7e8c-9902-207afaeb7120-${names++}.${kind}`,
  }
  return operations
    .read(request)
    .then((read) => operations.run(read, work))
    .then(
      () => true,
      () => false,
    )
}

const NEVER = new AbortController().signal

/** So many paths, most of them against the rules, which is quicker; prints what came of it. True when none leads out. */
export async function fuzzPaths(count: number, seed: number): Promise<boolean> {
  const escaped = (['win32', 'posix'] as const).flatMap((system) => fuzzRules(system, Math.ceil(count * 0.4), seed))
  const disk = await fuzzDisk(Math.ceil(count * 0.2), seed)
  console.log(`${count} paths, ${disk.paths} of them on a disk with ${disk.done} operations that were carried out`)
  for (const problem of [...escaped.map((path) => JSON.stringify(path)), ...disk.escapes]) {
    console.log(`FAILED: a path leads out of the approved directories: ${problem}`)
  }
  return escaped.length === 0 && disk.escapes.length === 0
}
