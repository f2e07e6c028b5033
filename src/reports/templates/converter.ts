/** PDF of filled Office files, by an installed LibreOffice. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, open, readdir, rename, writeFile } from 'node:fs/promises'
import { delimiter, join, sep } from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { runCommand, systemProgram } from '../../platform/command.ts'
import { errorText } from '../../platform/errors.ts'
import { errorWithoutPath } from '../../platform/file-errors.ts'
import { exists, removeAll } from '../../platform/files.ts'
import { type DirectoryLock, lockDirectory, lockHolder } from '../../platform/lock.ts'
import { ReportError } from '../codes.ts'
import type { RenderSettings } from '../types.ts'
import type { OfficeFormat } from './package.ts'

interface OfficeProgram {
  readonly path: string
  /** `7.4.7.2`; null when the program does not print one. */
  readonly version: string | null
}

interface OfficeConverter {
  /** Rejects with `CONVERTER_MISSING`. */
  find(): Promise<OfficeProgram>
  /**
   * Writes the PDF of `source` to `target`, a path in an existing folder. Waits for a free slot. Rejects with
   * `CONVERTER_MISSING`, `CONVERTER_FAILED`, `CONVERTER_TIMEOUT`, or the reason of `signal`.
   */
  toPdf(source: string, format: OfficeFormat, target: string, signal: AbortSignal): Promise<void>
  /** Converts a small file of its own. Rejects as `toPdf`. */
  probe(signal: AbortSignal): Promise<OfficeProgram & { readonly durationMs: number }>
}

const OLDEST_VERSION = 7
const VERSION_TIMEOUT_MS = 30_000
const SLOT_POLL_MS = 200
const KILL_TIMEOUT_MS = 5000
/** For the processes of a killed group to be gone; in a container without an init process their entries stay. */
const GONE_WAIT_MS = 1000
const MOST_OUTPUT = 2000

/** Slots are shared by all threads and converters of the same `temporaryDirectory`. */
export function createConverter({
  officeConverter,
  temporaryDirectory,
}: Pick<RenderSettings, 'officeConverter' | 'temporaryDirectory'>): OfficeConverter {
  const directory = join(temporaryDirectory, 'office-converter')
  let found: OfficeProgram | undefined

  async function find(): Promise<OfficeProgram> {
    if (officeConverter.enable === 'off') throw missing('it is switched off (officeConverter.enable)')
    found ??= await findProgram(officeConverter.path)
    return found
  }

  async function convert(
    fileName: string,
    place: (path: string) => Promise<void>,
    target: string,
    signal: AbortSignal,
  ) {
    const program = await find()
    const slot = await takeSlot(directory, officeConverter.parallel, signal)
    try {
      const [input, output] = [join(slot.path, 'in'), join(slot.path, 'out')]
      // Left by a Footman that was killed: its LibreOffice may still run with the profile of the slot.
      const isAbandoned = await exists(input)
      await removeAll(input)
      await removeAll(output)
      await mkdir(input)
      await mkdir(output)
      await place(join(input, fileName))
      const profile = await profileIn(slot.path, isAbandoned)
      const options = [
        '--headless',
        '--norestore',
        '--nolockcheck',
        `-env:UserInstallation=${pathToFileURL(profile).href}`,
      ]
      const parameters = [...options, '--convert-to', 'pdf', '--outdir', output, join(input, fileName)]
      const timeoutMs = officeConverter.timeoutSeconds * 1000
      const run = await runTree(program.path, parameters, { timeoutMs, signal, home: profile, temporary: input })
      if (run.end !== 'exit') {
        // The profile of a killed program may be damaged or locked.
        await removeAll(profile)
        signal.throwIfAborted()
        throw new ReportError(
          'CONVERTER_TIMEOUT',
          `LibreOffice did not finish within ${officeConverter.timeoutSeconds} s`,
        )
      }
      // The exit code is 0 for files that could not be loaded, too.
      const pdf = join(output, fileName.replace(/\.\w+$/, '.pdf'))
      if (!(await isPdf(pdf)))
        throw new ReportError('CONVERTER_FAILED', `LibreOffice made no PDF: ${reasonOf(run, [input, output])}`)
      await move(pdf, target)
    } finally {
      for (const folder of ['in', 'out']) await removeAll(join(slot.path, folder)).catch(() => undefined)
      slot.lock.release()
    }
  }

  return {
    find,
    toPdf: (source, format, target, signal) =>
      convert(`document.${format}`, (path) => copyFile(source, path), target, signal),
    async probe(signal) {
      const program = await find()
      const start = performance.now()
      await mkdir(directory, { recursive: true })
      const target = join(directory, `probe-${process.pid}.pdf`)
      await convert('document.fodt', (path) => writeFile(path, PROBE), target, signal)
      await removeAll(target)
      return { ...program, durationMs: Math.round(performance.now() - start) }
    },
  }
}

const missing = (details: string, cause?: unknown) =>
  new ReportError('CONVERTER_MISSING', `LibreOffice cannot be used: ${details}`, { cause })

async function findProgram(configured: string): Promise<OfficeProgram> {
  if (configured !== '') {
    if (!(await exists(configured))) throw missing(`${configured} does not exist (officeConverter.path)`)
    return await versionOf(configured)
  }
  for (const path of await usualPaths()) if (await exists(path)) return await versionOf(path)
  throw missing('it was not found; install LibreOffice 7 or later, or set officeConverter.path')
}

async function usualPaths(): Promise<string[]> {
  const isWindows = process.platform === 'win32'
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const named = folders.map((folder) => join(folder, isWindows ? 'soffice.com' : 'soffice'))
  if (isWindows) return [...named, 'C:\\Program Files\\LibreOffice\\program\\soffice.com']
  const newest = (a: string, b: string) => b.localeCompare(a, 'en', { numeric: true })
  const versions = (await readdir('/opt').catch(() => [])).filter((name) => name.startsWith('libreoffice')).sort(newest)
  return [...named, '/usr/bin/soffice', ...versions.map((name) => `/opt/${name}/program/soffice`)]
}

async function versionOf(path: string): Promise<OfficeProgram> {
  let printed: string
  try {
    printed = (await runCommand(path, ['--version'], { timeoutMs: VERSION_TIMEOUT_MS })).stdout
  } catch (error) {
    throw missing(errorText(error), error)
  }
  const version = /LibreOffice\D* (\d+[\d.]*)/.exec(printed)?.[1] ?? null
  if (version !== null && Number.parseInt(version, 10) < OLDEST_VERSION) {
    throw missing(`${path} is version ${version}; ${OLDEST_VERSION} or later is needed`)
  }
  return { path, version }
}

interface Slot {
  readonly path: string
  readonly lock: DirectoryLock
}

/** Waits until one of the slots is free. A slot has a profile of its own, because LibreOffice locks its profile. */
async function takeSlot(directory: string, count: number, signal: AbortSignal): Promise<Slot> {
  for (;;) {
    for (let number = 1; number <= count; number++) {
      signal.throwIfAborted()
      const path = join(directory, `slot-${number}`)
      await mkdir(path, { recursive: true })
      try {
        return { path, lock: lockDirectory(path) }
      } catch (error) {
        if (lockHolder(path) === null && !(await isFree(path))) throw error
      }
    }
    await sleep(SLOT_POLL_MS, undefined, { signal })
  }
}

/** Whether a lock that was refused was given up meanwhile. */
async function isFree(path: string): Promise<boolean> {
  try {
    lockDirectory(path).release()
    return true
  } catch {
    return lockHolder(path) !== null
  }
}

/** The profile of a slot, made when it is missing or must not be used again. */
async function profileIn(slot: string, isAbandoned: boolean): Promise<string> {
  const known = (await readdir(slot)).filter((name) => name.startsWith('profile'))
  if (isAbandoned) for (const name of known.splice(0)) await removeAll(join(slot, name))
  const profile = join(slot, known[0] ?? `profile-${randomUUID().slice(0, 8)}`)
  const settings = join(profile, 'user', 'registrymodifications.xcu')
  if (await exists(settings)) return profile
  await mkdir(join(profile, 'user'), { recursive: true })
  await writeFile(settings, PROFILE)
  return profile
}

const setting = (path: string, name: string, value: string | number | boolean) =>
  `<item oor:path="/org.openoffice.Office.${path}"><prop oor:name="${name}" oor:op="fuse"><value>${value}</value></prop></item>`
/** No macros, no updates of links, formulas always computed. */
const PROFILE = `<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
${[
  setting('Common/Security/Scripting', 'MacroSecurityLevel', 3),
  setting('Common/Security/Scripting', 'DisableMacrosExecution', true),
  setting('Common/Security/Scripting', 'BlockUntrustedRefererLinks', true),
  setting('Common/Misc', 'FirstRun', false),
  // "Never" has another number in each program.
  setting('Writer/Content/Update', 'Link', 0),
  setting('Calc/Content/Update', 'Link', 1),
  setting('Calc/Formula/Load', 'OOXMLRecalcMode', 0),
].join('\n')}
</oor:items>
`

const PROBE = `<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.text"><office:body><office:text><text:p>Footman</text:p></office:text></office:body></office:document>
`

async function isPdf(path: string): Promise<boolean> {
  if (!(await exists(path))) return false
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
  return bytesRead === 4 && buffer.toString('latin1') === '%PDF'
}

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    await copyFile(from, to)
  }
}

/** Variables that programs need to start; no secrets of Footman's own environment. */
const VARIABLES = [
  'PATH',
  'LANG',
  'LC_ALL',
  'TZ',
  'SystemRoot',
  'SystemDrive',
  'windir',
  'ProgramFiles',
  'ProgramData',
  'PATHEXT',
  'COMSPEC',
]

interface TreeOptions {
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly home: string
  readonly temporary: string
}

interface Ended {
  readonly end: 'exit' | 'killed'
  /** Whether a signal of the system ended it, or a program that it started. */
  readonly crashed: boolean
  readonly output: string
}

/** Exit codes from here on are those of a shell whose program a signal has ended. */
const SHELL_SIGNALS = 128

/** Runs a program and, when time is up or the signal comes, ends it with all processes that it has started. */
async function runTree(
  file: string,
  parameters: readonly string[],
  { timeoutMs, signal, home, temporary }: TreeOptions,
): Promise<Ended> {
  signal.throwIfAborted()
  const kept = VARIABLES.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  const own = {
    HOME: home,
    USERPROFILE: home,
    TMPDIR: temporary,
    TEMP: temporary,
    TMP: temporary,
    SAL_USE_VCLPLUGIN: 'svp',
  }
  const child = spawn(file, [...parameters], {
    cwd: temporary,
    env: { ...Object.fromEntries(kept), ...own },
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    // A process group of its own on Linux; on Windows it would only open a window.
    detached: process.platform !== 'win32',
  })
  let output = ''
  let crashed = false
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Uint8Array) => {
      output = (output + new TextDecoder().decode(chunk)).slice(-MOST_OUTPUT)
    })
    stream.on('error', () => undefined)
  }
  const ended = new Promise<'exit'>((resolve, reject) => {
    child.once('error', (error) => reject(missing(errorWithoutPath(error), error)))
    child.once('close', (code, by) => {
      crashed = by !== null || (code ?? 0) > SHELL_SIGNALS
      resolve('exit')
    })
  })
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const stopped = new Promise<'killed'>((resolve) => {
    limit.addEventListener('abort', () => resolve('killed'), { once: true })
  })
  const end = await Promise.race([ended, stopped])
  if (end === 'killed' && child.pid !== undefined) await killTree(child.pid)
  for (const stream of [child.stdout, child.stderr]) stream.destroy()
  return { end, crashed, output }
}

async function killTree(pid: number): Promise<void> {
  if (process.platform === 'win32') {
    await runCommand(systemProgram('taskkill.exe'), ['/PID', String(pid), '/T', '/F'], {
      timeoutMs: KILL_TIMEOUT_MS,
    }).catch(() => undefined)
    return
  }
  const isThere = (kill: 'SIGKILL' | 0) => {
    try {
      return process.kill(-pid, kill)
    } catch {
      return false
    }
  }
  const deadline = performance.now() + GONE_WAIT_MS
  isThere('SIGKILL')
  while (isThere(0) && performance.now() < deadline) await sleep(20)
}

const CRASH = /fatal exception|unspecified application error|signal \d|segmentation fault|core dumped|terminate called/i
const FAULT = /\berror\b|\bfailed\b/i
/** LibreOffice says first from where to where it converts, and warns of a Java that it does not need. */
const NO_REASON = /^(convert .* -> |warning)|javaldx/i
const LONGEST_REASON = 200

/** One line of the output of LibreOffice, without the folders of Footman: that of a crash is a page of addresses. */
function reasonOf({ crashed, output }: Ended, folders: readonly string[]): string {
  if (crashed || CRASH.test(output)) return 'it crashed'
  const lines = output
    .split(/[\r\n]+/)
    .map((line) => line.replaceAll(/\s+/g, ' ').trim())
    .filter((line) => line !== '' && !NO_REASON.test(line))
  let reason = lines.find((line) => FAULT.test(line)) ?? lines[0] ?? 'no message'
  for (const folder of folders) {
    for (const path of [`${pathToFileURL(folder).href}/`, `${folder}${sep}`]) reason = reason.replaceAll(path, '')
  }
  return reason.slice(0, LONGEST_REASON)
}
