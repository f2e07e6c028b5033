/** The Windows build under Wine: a Windows drive of its own with the executable on it. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import type { Host } from '../host.ts'

const root = join(import.meta.dirname, '..', '..', '..')
/** Handed from `npm test` to the test files, so that one drive serves all. */
const DRIVE = 'FOOTMAN_WINE_PREFIX'
/** With a blank in it, as on many servers. */
const FOLDER = ['Program Files', 'Footman'] as const
const EXECUTABLE = `C:\\${FOLDER.join('\\')}\\footman.exe`

/** Environment of programs that use this drive. Without a display, Mono and Gecko, which Footman does not need. */
const environment = (prefix: string): Record<string, string> => ({
  WINEPREFIX: prefix,
  WINEDEBUG: '-all',
  WINEDLLOVERRIDES: 'mscoree,mshtml=',
  DISPLAY: '',
})

/** Rejects with the output when the program fails. */
async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  await promisify(execFile)(command, [...args], { cwd: root, env })
}

/**
 * The services of Wine start with its first program, keep that program's output open and end after the last one: a shell
 * that waits for input keeps them for the tests. When this process ends, for any reason, so does the input, and the drive
 * is removed.
 */
const KEEPER = 'wine cmd >/dev/null 2>&1; wineserver --kill; sleep 0.2; rm -rf "$WINEPREFIX"'

export interface WindowsDrive {
  /** Environment of the test files. */
  readonly env: Readonly<Record<string, string>>
  /** Ends what runs on the drive. */
  remove(): Promise<void>
}

/** Makes a drive with the executable on it. Takes about ten seconds. */
export async function makeWindowsDrive(executable: string): Promise<WindowsDrive> {
  const prefix = mkdtempSync(join(tmpdir(), 'footman-wine-'))
  const env = { ...process.env, ...environment(prefix) }
  // The services of Wine keep its output open, so only its end counts.
  const [status] = await once(spawn('wineboot', ['--init'], { env, stdio: 'ignore' }), 'exit')
  if (status !== 0) throw new Error(`wineboot ended with ${status}`)
  const keeper = spawn('sh', ['-c', KEEPER], { stdio: ['pipe', 'ignore', 'ignore'], env, detached: true })
  keeper.unref()
  const folder = join(prefix, 'drive_c', ...FOLDER)
  mkdirSync(folder, { recursive: true })
  copyFileSync(executable, join(folder, 'footman.exe'))
  const [source, library] = [join(import.meta.dirname, 'bcryptprimitives.c'), join(folder, 'bcryptprimitives.dll')]
  await run('x86_64-w64-mingw32-gcc', ['-shared', '-O2', '-o', library, source, '-ladvapi32'])
  return {
    env: { [DRIVE]: prefix },
    async remove() {
      const ended = once(keeper, 'exit')
      keeper.stdin.end()
      await ended
    },
  }
}

export interface WindowsHost extends Host {
  /** Linux path of something on drive C:. */
  onDisk(...names: string[]): string
}

/** The drive of this test run; a test file that runs alone makes its own, and the executable too. */
export async function windowsHost(): Promise<WindowsHost> {
  const prefix = process.env[DRIVE] ?? (await ownDrive())
  const drive = join(prefix, 'drive_c')
  return {
    command: 'wine',
    args: [EXECUTABLE],
    env: environment(prefix),
    onDisk: (...names) => join(drive, ...names),
    directoryIn: drive,
    // On a busy machine Wine may never hand a program the data that came together with its connection.
    lostAfterMs: 5000,
    /** `Z:` is the whole Linux disk. */
    path(local) {
      const inside = relative(drive, local)
      const path = inside.startsWith('..') ? `Z:${local}` : `C:/${inside}`
      return path.replaceAll('/', '\\')
    },
  }
}

async function ownDrive(): Promise<string> {
  const out = mkdtempSync(join(tmpdir(), 'footman-windows-'))
  try {
    await run(process.execPath, ['--no-env-file', 'scripts/build.ts', '--target', 'windows-x64', '--out', out])
    const drive = await makeWindowsDrive(join(out, 'footman-windows-x64.exe'))
    Object.assign(process.env, drive.env)
    return drive.env[DRIVE]!
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}
