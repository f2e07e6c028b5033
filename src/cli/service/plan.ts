/** Carrying a plan out, or showing it. */
import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CommandError, type RunCommand } from '../../platform/command.ts'
import { writeFileAtomic } from '../../platform/files.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { type Plan, ServiceError, type Step } from './host.ts'

const TIMEOUT_MS = 60_000

interface PlanDeps {
  readonly io: CommandIo
  readonly run: RunCommand
  readonly platform: NodeJS.Platform
}

/** Rejects with a `ServiceError` at the first step that fails; the ones before it are done. */
export async function carryOut(deps: PlanDeps, { steps, hints }: Plan): Promise<void> {
  for (const step of steps) await doStep(deps, step)
  for (const hint of hints) deps.io.out(`\n${hint}`)
}

/** Prints the files and commands of a plan. */
export function show({ io, platform }: PlanDeps, { steps, hints }: Plan): void {
  for (const step of steps) {
    if (step.kind === 'file') io.out(`# ${step.path}\n${step.content}`)
    else if (step.kind === 'check') io.out(`# check: ${commandLine(step, platform)}`)
    else io.out(`$ ${lineOf(step, platform)}`)
  }
  for (const hint of hints) io.out(`\n${hint}`)
}

async function doStep({ io, run, platform }: PlanDeps, step: Step): Promise<void> {
  if (step.kind === 'check') {
    const answer = await run(step.file, step.args, { timeoutMs: TIMEOUT_MS }).catch(() => null)
    if (answer !== null && answer.code !== 0) io.err(`warning: ${step.warning}`)
    return
  }
  io.out(lineOf(step, platform))
  if (step.kind !== 'command') {
    await touch(step).catch((error) => {
      throw new ServiceError(`${step.path}: ${error.message}. ${rights(platform)}`, EXIT.unreachable)
    })
    return
  }
  try {
    const { code, stdout, stderr } = await run(step.file, step.args, { timeoutMs: step.timeoutMs ?? TIMEOUT_MS })
    if (code === 0 || step.mayFail) return
    if (step.warning !== undefined) return io.err(`warning: ${step.warning}`)
    const said = [stderr, stdout].map((text) => text.trim()).filter((text) => text !== '')
    const reason = said.join('\n') || `it ended with ${code}`
    throw new ServiceError(
      `${commandLine(step, platform)}: ${reason}\n${step.help ?? rights(platform)}`,
      EXIT.unreachable,
    )
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    if (step.mayFail) return
    if (step.warning !== undefined) return io.err(`warning: ${step.warning}`)
    const help = step.help === undefined ? '' : `\n${step.help}`
    throw new ServiceError(`${commandLine(step, platform)}: ${error.message}${help}`, EXIT.unreachable)
  }
}

async function touch(step: Exclude<Step, { readonly kind: 'command' | 'check' }>): Promise<void> {
  if (step.kind === 'remove') return rm(step.path, { force: true })
  if (step.kind === 'directory') return void (await mkdir(step.path, { recursive: true }))
  await mkdir(dirname(step.path), { recursive: true })
  if (step.kind === 'copy') return copyWhole(step)
  const text = step.encoding === 'utf16le' ? `\ufeff${step.content}` : step.content
  await writeFileAtomic(step.path, Buffer.from(text, step.encoding ?? 'utf8'))
}

/** Half a program would be taken for one by the next call. */
async function copyWhole({ from, path }: { readonly from: string; readonly path: string }): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await copyFile(from, temporary)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
}

const rights = (platform: NodeJS.Platform): string =>
  platform === 'win32'
    ? 'Services are installed by administrators: use a command prompt opened with "Run as administrator".'
    : 'Services are installed by root: use sudo.'

function lineOf(step: Exclude<Step, { readonly kind: 'check' }>, platform: NodeJS.Platform): string {
  switch (step.kind) {
    case 'command':
      return commandLine(step, platform)
    case 'copy':
      return `copy ${quote(step.from, platform)} to ${quote(step.path, platform)}`
    case 'file':
      return `write ${quote(step.path, platform)}`
    case 'directory':
      return `make folder ${quote(step.path, platform)}`
    case 'remove':
      return `remove ${quote(step.path, platform)}`
  }
}

/** The command as an operator would type it. */
export function commandLine(
  { file, args }: { readonly file: string; readonly args: readonly string[] },
  platform: NodeJS.Platform,
): string {
  return [file, ...args].map((part) => quote(part, platform)).join(' ')
}

export function quote(text: string, platform: NodeJS.Platform): string {
  if (platform === 'win32') return /^[^\s"&|<>^()%;,]+$/.test(text) ? text : windowsArgument(text)
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** For programs that split their command line as Microsoft's C runtime does. */
export function windowsArgument(text: string): string {
  if (text !== '' && !/[\s"]/.test(text) && !/[&|<>^()%;,]/.test(text)) return text
  // Backslashes count only before a quote.
  return `"${text.replaceAll(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`
}
