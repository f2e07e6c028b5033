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
  for (const step of steps) {
    const { line, isSilent, run } = kindOf(step)
    if (!isSilent) deps.io.out(line(step, deps.platform))
    await run(step, deps)
  }
  for (const hint of hints) deps.io.out(`\n${hint}`)
}

/** Prints the files and commands of a plan. */
export function show({ io, platform }: PlanDeps, { steps, hints }: Plan): void {
  for (const step of steps) {
    const { line, preview } = kindOf(step)
    io.out(preview?.(step, platform) ?? `$ ${line(step, platform)}`)
  }
  for (const hint of hints) io.out(`\n${hint}`)
}

/** A kind of step: how it is printed, and how it is done. */
interface Kind<S> {
  /** Printed before it is done. */
  readonly line: (step: S, platform: NodeJS.Platform) => string
  /** It is done without being printed. */
  readonly isSilent?: boolean
  /** Printed in a plan in place of `$` and the line. */
  readonly preview?: (step: S, platform: NodeJS.Platform) => string
  readonly run: (step: S, deps: PlanDeps) => Promise<void>
}

type StepOf<Name> = Extract<Step, { readonly kind: Name }>

const KINDS: { readonly [Name in Step['kind']]: Kind<StepOf<Name>> } = {
  file: {
    line: ({ path }, platform) => `write ${quote(path, platform)}`,
    preview: ({ path, content }) => `# ${path}\n${content}`,
    run: onDisk(async ({ path, content, encoding = 'utf8' }) => {
      await mkdir(dirname(path), { recursive: true })
      await writeFileAtomic(path, Buffer.from(encoding === 'utf16le' ? `\ufeff${content}` : content, encoding))
    }),
  },
  copy: {
    line: ({ from, path }, platform) => `copy ${quote(from, platform)} to ${quote(path, platform)}`,
    run: onDisk(copyWhole),
  },
  directory: {
    line: ({ path }, platform) => `make folder ${quote(path, platform)}`,
    run: onDisk(({ path }) => mkdir(path, { recursive: true })),
  },
  remove: {
    line: ({ path }, platform) => `remove ${quote(path, platform)}`,
    run: onDisk(({ path }) => rm(path, { force: true })),
  },
  command: { line: commandLine, run: runCommandStep },
  check: {
    line: commandLine,
    isSilent: true,
    preview: (step, platform) => `# check: ${commandLine(step, platform)}`,
    async run({ file, args, warning }, { io, run }) {
      const answer = await run(file, args, { timeoutMs: TIMEOUT_MS }).catch(() => null)
      if (answer !== null && answer.code !== 0) io.err(`warning: ${warning}`)
    },
  },
}

const kindOf = (step: Step) => KINDS[step.kind] as Kind<Step>

/** Failures name the path of the step and the rights that it needs. */
function onDisk<S extends { readonly path: string }>(work: (step: S) => Promise<unknown>): Kind<S>['run'] {
  return async (step, { platform }) => {
    await work(step).catch((error) => {
      throw new ServiceError(`${step.path}: ${error.message}. ${rights(platform)}`, EXIT.unreachable)
    })
  }
}

async function runCommandStep(step: StepOf<'command'>, deps: PlanDeps): Promise<void> {
  const failure = await failureOf(step, deps)
  if (failure === null || step.mayFail) return
  if (step.warning !== undefined) return deps.io.err(`warning: ${step.warning}`)
  const help = step.help ?? failure.help
  const text = `${commandLine(step, deps.platform)}: ${failure.reason}${help === undefined ? '' : `\n${help}`}`
  throw new ServiceError(text, EXIT.unreachable)
}

interface Failure {
  readonly reason: string
  readonly help?: string
}

async function failureOf(
  { file, args, timeoutMs = TIMEOUT_MS }: StepOf<'command'>,
  { run, platform }: PlanDeps,
): Promise<Failure | null> {
  try {
    const { code, stdout, stderr } = await run(file, args, { timeoutMs })
    if (code === 0) return null
    const said = [stderr, stdout].map((text) => text.trim()).filter((text) => text !== '')
    return { reason: said.join('\n') || `it ended with ${code}`, help: rights(platform) }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    return { reason: error.message }
  }
}

/** Half a program would be taken for one by the next call. */
async function copyWhole({ from, path }: StepOf<'copy'>): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
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
