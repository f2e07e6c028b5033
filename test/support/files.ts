/** A disk with approved directories, something to protect beside them, and links that lead there. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { type ApprovalSettings, readApprovals } from '../../src/files/approvals.ts'
import { fileJobRoutes, fileRoutes } from '../../src/files/http.ts'
import {
  createFileJobs,
  createJobStore,
  type FileJobDeps,
  type FinishedOperation,
  fileMigrations,
} from '../../src/files/jobs.ts'
import { createFileOperations } from '../../src/files/operations.ts'
import { createGroupWriter } from '../../src/platform/group-commit.ts'
import { openDatabase } from '../../src/platform/sqlite.ts'
import { systemClock } from '../../src/platform/types.ts'
import { recordingLog } from './recording-log.ts'
import { routesApi } from './routes-api.ts'
import { type TempDirectory, tempDirectory } from './temp.ts'

/** Must never stand in a file in an approved directory. */
export const CANARY = 'the secret of the house'

export interface Disk extends AsyncDisposable {
  readonly temp: TempDirectory
  /** Real path of the whole. */
  readonly root: string
  /** Absolute path of something on it. */
  at(...names: string[]): string
  /** Writes a file, with the directories above it. */
  put(path: string, content?: string): void
  text(path: string): string
  has(path: string): boolean
}

/** `data` and `arch` are approved, `secret` and `data2` are not. */
export function fileDisk(): Disk {
  const temp = tempDirectory()
  const root = realpathSync(temp.path)
  const at = (...names: string[]): string => join(root, ...names)
  const disk: Disk = {
    temp,
    root,
    at,
    put(path, content = path) {
      mkdirSync(dirname(at(path)), { recursive: true })
      writeFileSync(at(path), content)
    },
    text: (path) => readFileSync(at(path), 'utf8'),
    has: (path) => lstatSync(at(path), { throwIfNoEntry: false }) !== undefined,
    [Symbol.asyncDispose]: async () => temp.remove(),
  }
  disk.put('data/a.txt', 'content of a')
  disk.put('data/sub/b.txt', 'content of b')
  disk.put('secret/s.txt', CANARY)
  disk.put('secret/deep/t.txt', CANARY)
  disk.put('data2/z.txt', CANARY)
  for (const directory of ['arch', 'cwd', 'qvd']) mkdirSync(at(directory))
  symlinkSync('../secret', at('data/link'))
  symlinkSync('../secret/s.txt', at('data/flink'))
  symlinkSync('../secret/new.txt', at('data/dangling'))
  symlinkSync('sub', at('data/inner'))
  symlinkSync('a.txt', at('data/inner.txt'))
  symlinkSync('..', at('data/up'))
  symlinkSync('../secret', at('arch/linkout'))
  symlinkSync('../secret/s.txt', at('arch/flinkout'))
  symlinkSync('../secret', at('qvd/linkout'))
  return disk
}

function approvalsOf(disk: Disk, more: Partial<ApprovalSettings> = {}): ApprovalSettings {
  const pair = { fromDirectory: disk.at('data'), toDirectory: disk.at('arch') }
  return {
    fileCopyApprovedDirectories: [pair],
    fileMoveApprovedDirectories: [pair],
    fileDeleteApprovedDirectories: [disk.at('data')],
    configDirectories: { qvdPath: disk.at('qvd') },
    footman: { files: { createDirAllowAnywhere: false, allowRootApproval: false } },
    ...more,
  }
}

export function operationsOn(disk: Disk, more: Partial<ApprovalSettings> = {}) {
  const rules = { platform: 'posix', workingDirectory: disk.at('cwd') } as const
  return createFileOperations({ approvals: readApprovals(approvalsOf(disk, more), rules, 'linux'), rules })
}

export interface FileApiOptions {
  readonly settings?: Partial<ApprovalSettings>
  readonly maxConcurrent?: number
  readonly shadow?: boolean
  readonly operations?: FileJobDeps['operations']
  /** Default: in memory. */
  readonly databaseFile?: string
}

/** The endpoints in front of the disk. */
export async function fileApi(disk: Disk, options: FileApiOptions = {}) {
  const operations = options.operations ?? operationsOn(disk, options.settings)
  const log = recordingLog()
  const db = openDatabase(options.databaseFile ?? ':memory:', { migrations: fileMigrations })
  const writer = createGroupWriter(db)
  const finished: FinishedOperation[] = []
  const jobs = createFileJobs(
    {
      operations,
      log,
      clock: systemClock,
      store: createJobStore({ db, writer }),
      onFinished: (one) => finished.push(one),
    },
    { maxConcurrent: options.maxConcurrent ?? 4 },
  )
  const api = await routesApi(
    [
      ...fileRoutes({ operations, jobs }, { shadow: options.shadow ?? false }),
      ...fileJobRoutes(jobs, { switch: 'fileCopy' }),
    ],
    log,
  )
  await jobs.start()
  return {
    log,
    jobs,
    finished,
    db,
    /** Status and parsed body. */
    async call(method: string, path: string, body?: unknown) {
      const answer = await api.send(method, path, body)
      return { status: answer.status, body: answer.body === '' ? null : JSON.parse(answer.body) }
    },
    async [Symbol.asyncDispose]() {
      await jobs.stop(1000)
      await api[Symbol.asyncDispose]()
      await writer.flush()
      db.close()
    },
  }
}

/** The entries on the disk below these names: kind, inode, times and content, links not followed. */
export function snapshot(disk: Disk, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {}
  const visit = (path: string): void => {
    const stats = lstatSync(path, { bigint: true })
    const kind = stats.isSymbolicLink() ? `-> ${readlinkSync(path)}` : stats.isDirectory() ? 'directory' : 'file'
    const content = stats.isFile() ? readFileSync(path, 'utf8') : ''
    found[path.slice(disk.root.length)] = [kind, stats.ino, stats.mtimeNs, stats.ctimeNs, content].join(' ')
    if (stats.isDirectory()) for (const name of readdirSync(path)) visit(join(path, name))
  }
  for (const name of names) if (existsSync(disk.at(name))) visit(disk.at(name))
  return found
}

/** Files below an approved directory in which the secret stands. */
export function leaks(disk: Disk, names: readonly string[] = ['data', 'arch', 'qvd']): string[] {
  return Object.entries(snapshot(disk, names)).flatMap(([path, state]) => (state.includes(CANARY) ? [path] : []))
}
