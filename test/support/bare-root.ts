/** A file system with nothing on it but one executable and the C library, and a network that ends at this machine. */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { type Running, runBinary } from './binary.ts'
import { findExecutable, MUSL_LOADER } from './servers.ts'
import { tempDirectory } from './temp.ts'

const TOOLS = ['unshare', 'mount', 'chroot', 'ip', 'ldd'] as const

function outputOf(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`)
  return stdout
}

/** The missing requirements of such a file system; null when it can be made. */
export function missingForBareRoot(): string | null {
  if (process.platform !== 'linux') return 'Linux'
  const lacking = TOOLS.find((tool) => findExecutable(tool) === null)
  if (lacking) return lacking
  const allowed = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0
  return allowed ? null : 'the right to make namespaces (root)'
}

export const missingForMusl = (): string | null =>
  missingForBareRoot() ??
  (process.arch !== 'x64' ? 'x64' : null) ??
  (existsSync(MUSL_LOADER) ? null : 'musl') ??
  (findExecutable('gcc') ? null : 'gcc')

export interface BareRoot extends AsyncDisposable {
  /** Starts the executable there: without environment, the file system read-only except `/tmp`, the network but a loopback. */
  run(args: readonly string[]): Running
}

/** Read-only, with an empty `/tmp` in memory; devices and processes, which every system has. All of it ends with the program. */
const SCRIPT = `
ip link set lo up
mount --bind "$ROOT" "$ROOT"
mount -o remount,bind,ro "$ROOT"
mount -t tmpfs none "$ROOT/tmp"
mount --bind /proc "$ROOT/proc"
mount --bind /dev "$ROOT/dev"
exec env -i "$CHROOT" "$ROOT" /opt/footman "$@"`

/** `libraries`: path there -> file here. Without any: those that the executable is linked with. */
export function bareRoot(executable: string, libraries = linkedLibraries(executable)): BareRoot {
  const directory = tempDirectory()
  const root = directory.join('root')
  for (const folder of ['opt', 'tmp', 'proc', 'dev']) mkdirSync(join(root, folder), { recursive: true })
  copyFileSync(executable, join(root, 'opt', 'footman'))
  chmodSync(join(root, 'opt', 'footman'), 0o755)
  for (const [path, file] of Object.entries(libraries)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    cpSync(file, join(root, path), { dereference: true })
  }
  return {
    run(args) {
      return runBinary(['--net', '--mount', 'sh', '-euc', SCRIPT, 'sh', ...args], {
        command: findExecutable('unshare')!,
        cwd: root,
        env: { ROOT: root, CHROOT: findExecutable('chroot')!, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      })
    },
    [Symbol.asyncDispose]: async () => directory.remove(),
  }
}

/** The dynamic loader and the libraries that it would load, by their own paths. */
function linkedLibraries(executable: string): Record<string, string> {
  const paths = outputOf('ldd', executable).match(/\/\S+/g) ?? []
  return Object.fromEntries(paths.map((path) => [path, path]))
}

/**
 * The same for an executable built for musl: its loader, and Debian's libstdc++, which is made for another C library, with
 * what it misses. Alpine has `apk add libstdc++` instead.
 */
export function bareMuslRoot(executable: string): BareRoot {
  const missing = tempDirectory()
  const shim = missing.join('ld-linux-x86-64.so.2')
  const source = join(import.meta.dirname, 'musl', 'glibc.c')
  outputOf('gcc', '-shared', '-fPIC', '-nostdlib', '-O1', `-Wl,-soname,${basename(shim)}`, '-o', shim, source)
  const found = (name: string) => outputOf('gcc', `-print-file-name=${name}`).trim()
  const libraries = {
    [MUSL_LOADER]: MUSL_LOADER,
    '/lib/libstdc++.so.6': found('libstdc++.so.6'),
    '/lib/libgcc_s.so.1': found('libgcc_s.so.1'),
    '/lib/ld-linux-x86-64.so.2': shim,
  }
  try {
    return bareRoot(executable, libraries)
  } finally {
    missing.remove()
  }
}
