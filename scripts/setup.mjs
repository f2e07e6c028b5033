// Makes a fresh clone ready: the packages of the lock file, and the Bun that npm fetched. Plain Node.js, because it
// runs before anything is installed. Nothing is installed outside the repository.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
const modules = join(root, 'node_modules')
const MINIMUM_NODE = 20

/** Ends the process with one clear sentence instead of a stack trace. */
function giveUp(message) {
  console.error(`footman: ${message}`)
  process.exit(1)
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

/**
 * True when node_modules holds the packages of package-lock.json. npm records the installed ones in
 * node_modules/.package-lock.json, as its last step; comparing contents instead of file times survives `git checkout`.
 */
function installedAsLocked(directory = root) {
  const wanted = readJson(join(directory, 'package-lock.json'))?.packages
  const installed = readJson(join(directory, 'node_modules', '.package-lock.json'))?.packages
  if (!wanted || !installed) return false
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true
    const present = installed[path]
    // Optional packages are those of other platforms; npm leaves them out.
    return present ? present.version === entry.version : entry.optional === true
  })
}

/** `npm ci`, with the npm that started us where there is one. */
function installPackages() {
  // At level error npm leaves out its notes about install scripts and deprecated packages, which need no action here.
  const options = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env.npm_execpath
  const result = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...options], { cwd: root, stdio: 'inherit' })
    : spawnSync('npm', options, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
  if (result.error)
    giveUp(`npm could not be started (${result.error.message}). Install Node.js with npm and try again.`)
  if (result.status !== 0) giveUp('npm ci failed; see the messages above.')
}

/** Names of the platform packages that may hold the Bun binary for this machine, best first. */
function bunPackages(platform = process.platform, arch = process.arch, musl = isMusl()) {
  const os = platform === 'win32' ? 'windows' : platform
  const base = `bun-${os}-${arch === 'arm64' ? 'aarch64' : arch}`
  const libc = platform === 'linux' && musl ? '-musl' : ''
  return [`${base}${libc}`, `${base}${libc}-baseline`]
}

function isMusl() {
  return process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime
}

/**
 * Path of the pinned Bun. npm versions that don't run install scripts leave the binary in the platform package
 * (@oven/bun-<platform>) and a placeholder that cannot run in the package `bun`.
 */
function findBun() {
  const version = readJson(join(root, 'package.json')).devDependencies.bun
  const name = process.platform === 'win32' ? 'bun.exe' : 'bun'
  const candidates = [
    join(modules, 'bun', 'bin', 'bun.exe'),
    ...bunPackages().map((packageName) => join(modules, '@oven', packageName, 'bin', name)),
  ].filter((path) => existsSync(path))
  return candidates.find((path) => answersVersion(path, version))
}

function answersVersion(path, version) {
  const ask = () => spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 20_000 })
  let answer = ask()
  if (answer.error?.code === 'EACCES') {
    chmodSync(path, 0o755)
    answer = ask()
  }
  return answer.status === 0 && answer.stdout.trim() === version
}

/** Installs missing packages and returns the path of Bun. */
export function setup() {
  const major = Number.parseInt(process.versions.node, 10)
  if (major < MINIMUM_NODE) giveUp(`Node.js ${MINIMUM_NODE} or newer is needed; this is ${process.versions.node}.`)
  if (!installedAsLocked()) installPackages()
  const bun = findBun()
  if (!bun) {
    giveUp(
      `no working Bun in node_modules for ${process.platform}-${process.arch}. ` +
        'Check that npm may install optional dependencies (no `omit=optional`), delete node_modules and try again.',
    )
  }
  return bun
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setup()
