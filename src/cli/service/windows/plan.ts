/** Installing and removing a Footman on Windows: as a service through WinSW, or as a task. */

import { access } from 'node:fs/promises'
import { join, win32 } from 'node:path'
import type { RunCommand } from '../../../platform/command.ts'
import { WINDOWS_READERS } from '../../../platform/private-file.ts'
import { protectedFile } from '../../../platform/protected-values.ts'
import { EXIT } from '../../io.ts'
import { foreignIn, hasOwnScheduleFolder, lookAt, refuseSystemFolder, scheduleFolder } from '../folders.ts'
import { type Plan, ServiceError, type ServiceFacts, type Step } from '../host.ts'
import { nssmCommands, RESET_AFTER_S, RESTARTS, taskXml, winswXml } from './managers.ts'
import { findWinsw, serviceAccount, taskAccount, trustee, winswBase, winswMissing } from './places.ts'

interface WindowsSettings {
  readonly user?: string | undefined
  /** A WinSW executable; absent = beside the program. */
  readonly winsw?: string | undefined
  /** Where the files of the entry are written. */
  readonly directory: string
  readonly start: boolean
  readonly env: Readonly<Record<string, string | undefined>>
}

const PROBE_TIMEOUT_MS = 15_000
const STOP_TIMEOUT_MS = 3 * 60_000
const START_TIMEOUT_MS = 2 * 60_000

const command = (file: string, args: readonly string[], mayFail = false, timeoutMs?: number) => ({
  kind: 'command' as const,
  file,
  args,
  mayFail,
  ...(timeoutMs !== undefined && { timeoutMs }),
})

/** A service; rejects with exit code 3 when there is no WinSW. */
export async function planWinsw(run: RunCommand, facts: ServiceFacts, settings: WindowsSettings): Promise<Plan> {
  const { name } = facts
  refuseVariables(facts)
  const account = serviceAccount(settings.user, name)
  const base = join(settings.directory, winswBase(name))
  const program = `${base}.exe`
  const copies = await programSteps(program, settings)
  const isKnown = await isThere(run, name)
  if (isKnown) await refuseForeign(run, name, program)
  const rights = await planRights(facts, { account, env: settings.env })
  const steps: Step[] = [
    // A running program cannot be replaced.
    ...(isKnown ? [command(program, ['stop'], true, STOP_TIMEOUT_MS)] : []),
    ...copies,
    { kind: 'file', path: `${base}.xml`, content: winswXml(facts, account) },
    ...(isKnown ? [] : [command(program, ['install'])]),
    // Said to Windows itself as well: versions of WinSW differ in what they take over.
    command('sc.exe', ['config', name, 'start=', 'delayed-auto', 'obj=', account]),
    command('sc.exe', ['failure', name, 'reset=', String(RESET_AFTER_S), 'actions=', restartActions()]),
    command('sc.exe', ['failureflag', name, '1']),
    ...rights.steps,
    ...(settings.start ? [{ ...command(program, ['start'], false, START_TIMEOUT_MS), help: notStarted(facts) }] : []),
  ]
  return { steps, hints: rights.hints }
}

const notStarted = ({ name, outputDirectory }: ServiceFacts): string =>
  `The service is installed and does not start. Its output: the files in ${outputDirectory}. Afterwards call this again, or start ${name} in services.msc.`

/** WinSW and the Task Scheduler put variables in, and know no way to say that none is meant. */
function refuseVariables({ command: parts, workingDirectory, outputDirectory }: ServiceFacts): void {
  const path = [...parts, workingDirectory, outputDirectory].find((one) => /%[^%]+%/.test(one))
  if (path === undefined) return
  throw new ServiceError(
    `${path}: Windows takes what stands between % for a variable. Move or rename it.`,
    EXIT.badInput,
  )
}

/** Refuses a service of that name that runs another program, like an entry of NSSM. */
async function refuseForeign(run: RunCommand, name: string, program: string): Promise<void> {
  const answer = await run('sc.exe', ['qc', name], { timeoutMs: PROBE_TIMEOUT_MS }).catch(() => null)
  const says = answer?.code === 0 ? answer.stdout.toLowerCase() : ''
  if (says === '' || says.includes(win32.basename(program).toLowerCase())) return
  throw new ServiceError(
    `service ${name}: is there and was not made by "footman service install"; it is left alone. Take another --name, or remove it first: footman service uninstall --name ${name}`,
    EXIT.unreachable,
  )
}

const restartActions = (): string => RESTARTS.map(({ ms }) => `restart/${ms}`).join('/')

/** The WinSW of the service: one that was copied before stays. */
async function programSteps(program: string, { winsw, directory }: WindowsSettings): Promise<Step[]> {
  if (winsw !== undefined) {
    if (!(await exists(winsw))) throw new ServiceError(`--winsw ${winsw}: there is no such file`, EXIT.badInput)
    return [{ kind: 'copy', from: winsw, path: program }]
  }
  if (await exists(program)) return []
  const found = await findWinsw(directory)
  if (found === null) throw winswMissing(directory)
  return [{ kind: 'copy', from: found, path: program }]
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

async function isThere(run: RunCommand, name: string): Promise<boolean> {
  const answer = await run('sc.exe', ['query', name], { timeoutMs: PROBE_TIMEOUT_MS }).catch(() => null)
  return answer?.code === 0
}

/** A task that starts with the machine. */
export async function planTask(facts: ServiceFacts, settings: WindowsSettings): Promise<Plan> {
  refuseVariables(facts)
  const account = taskAccount(settings.user, facts.name)
  const path = join(settings.directory, `${facts.name}-task.xml`)
  const rights = await planRights(facts, { account: account.id, env: settings.env })
  const steps: Step[] = [
    { kind: 'file', path, content: taskXml(facts, account), encoding: 'utf16le' },
    ...rights.steps,
    // One that runs goes on with what it was started with.
    command('schtasks.exe', ['/end', '/tn', facts.name], true),
    command('schtasks.exe', ['/create', '/tn', facts.name, '/xml', path, '/f']),
    ...(settings.start ? [command('schtasks.exe', ['/run', '/tn', facts.name])] : []),
  ]
  const silent =
    facts.logDirectory === null
      ? ['The output of a task goes nowhere: set Butler.fileLogging to true, or there is no log.']
      : []
  return { steps, hints: [...silent, ...rights.hints] }
}

/** Nothing to carry out: commands for people. */
export function planNssm(facts: ServiceFacts, settings: WindowsSettings): Plan {
  const account = serviceAccount(settings.user, facts.name)
  const lines = ['For cmd.exe, run as administrator:', ...nssmCommands(facts, account).map((line) => `  ${line}`)]
  const rights = ['The account needs these rights:', ...rightLines(facts, { account, env: settings.env })]
  return { steps: [], hints: [lines.join('\n'), rights.join('\n')] }
}

/** Removes what is there, whichever way it was installed. */
export async function planWindowsUninstall(run: RunCommand, name: string, directory: string): Promise<Plan> {
  const base = join(directory, winswBase(name))
  const hints = ['Configuration, data and logs are still there.']
  if (await isThere(run, name)) {
    const program = `${base}.exe`
    const remove = (await exists(program))
      ? [command(program, ['stop'], true, STOP_TIMEOUT_MS), command(program, ['uninstall'])]
      : [command('sc.exe', ['stop', name], true, STOP_TIMEOUT_MS), command('sc.exe', ['delete', name])]
    return { steps: [...remove, { kind: 'remove', path: `${base}.xml` }], hints }
  }
  const task = await run('schtasks.exe', ['/query', '/tn', name], { timeoutMs: PROBE_TIMEOUT_MS }).catch(() => null)
  if (task?.code !== 0) {
    throw new ServiceError(
      `service ${name}: not installed: Windows knows no service and no task of that name`,
      EXIT.missing,
    )
  }
  return {
    steps: [
      command('schtasks.exe', ['/end', '/tn', name], true),
      command('schtasks.exe', ['/delete', '/tn', name, '/f']),
      { kind: 'remove', path: join(directory, `${name}-task.xml`) },
    ],
    hints,
  }
}

// -------------------------------------------------- rights of the account on files: as few as the service needs

interface RightsSettings {
  readonly account: string
  readonly env: Readonly<Record<string, string | undefined>>
}

const EXAMPLE = 'C:\\ProgramData\\Footman'

/** An entry of the table of rights: both the commands of a plan and the lines for people are made from it. */
interface Right {
  readonly path: string
  /** `own`: the account, the system and administrators only; nothing is inherited from above. */
  readonly may: 'read' | 'write' | 'own'
  /** Skipped when there is no such file, and a warning when the account cannot be let in. */
  readonly isOptional?: boolean
}

/** Everything that the account needs, files first. */
function rightsOf(facts: ServiceFacts, { env }: RightsSettings): Right[] {
  const { configFile, readable, dataDirectory, outputDirectory, writable, credentials } = facts
  const files = [...readable, ...credentials.map((name) => protectedFile(env, name))]
  const folders = [outputDirectory, scheduleFolder(facts), ...writable].filter((path) => path !== null)
  return [
    { path: configFile, may: 'read' },
    ...files.map((path): Right => ({ path, may: 'read', isOptional: true })),
    { path: dataDirectory, may: 'own' },
    ...[...new Set(folders)].filter((path) => path !== dataDirectory).map((path): Right => ({ path, may: 'write' })),
  ]
}

/** Looks at files and folders. Rejects with a `ServiceError` where data or log folder is one of the system. */
async function planRights(facts: ServiceFacts, settings: RightsSettings): Promise<Plan> {
  const { dataDirectory, logDirectory } = facts
  await refuseSystemFolder(dataDirectory, 'footman.dataDirectory', `${EXAMPLE}\\data`)
  if (logDirectory !== null) await refuseSystemFolder(logDirectory, 'logDirectory', `${EXAMPLE}\\log`)
  const steps: Step[] = []
  const left: Right[] = []
  for (const right of rightsOf(facts, settings)) {
    if (right.may === 'read') {
      steps.push(...(await readSteps(right, settings)))
    } else if (await isOpened(right, facts)) {
      steps.push({ kind: 'directory', path: right.path }, ...stepsOf(right, settings))
    } else {
      // People give the account its right there, and take none from others.
      left.push({ path: right.path, may: 'write' })
    }
  }
  return { steps, hints: [...folderHints(left, settings), ...(await credentialHints(facts, settings))] }
}

/** All of it as lines for people; nothing is looked at. */
const rightLines = (facts: ServiceFacts, settings: RightsSettings): string[] =>
  rightsOf(facts, settings).map((right) => lineOf(right, settings))

/** Whether the account may be let into a folder by a program; people decide about the others. */
async function isOpened({ path }: Right, facts: ServiceFacts): Promise<boolean> {
  if (path === facts.dataDirectory || path === facts.outputDirectory) return isOwn(path)
  return path === scheduleFolder(facts) && hasOwnScheduleFolder(facts)
}

/** There is nothing of others in it. */
async function isOwn(folder: string): Promise<boolean> {
  const found = await lookAt(folder)
  return found === null || (found.isDirectory() && (await foreignIn(folder)) === null)
}

async function readSteps(right: Right, settings: RightsSettings): Promise<Step[]> {
  const { path, isOptional } = right
  if (!isOptional) return stepsOf(right, settings)
  if (!(await lookAt(path))?.isFile()) return []
  const warning = `${settings.account} could not be allowed to read ${path}; see that it may`
  return stepsOf(right, settings).map((step) => ({ ...step, warning }))
}

async function credentialHints({ credentials }: ServiceFacts, { env, account }: RightsSettings): Promise<string[]> {
  const missing: string[] = []
  for (const name of credentials) {
    if (await lookAt(protectedFile(env, name))) continue
    missing.push(`  footman credential set ${name} --account "${account}"`)
  }
  if (missing.length === 0) return []
  return [['The service does not start without these credentials:', ...missing].join('\n')]
}

const WRITE = '(OI)(CI)M'

/** Arguments of `icacls` behind the path. */
function grants({ may }: Right, { account }: RightsSettings): string[] {
  const [who, right] = [trustee(account), may === 'read' ? 'R' : WRITE]
  if (may !== 'own') return ['/grant', `${who}:${right}`]
  const readers = WINDOWS_READERS.flatMap((reader) => ['/grant:r', `${reader}:(OI)(CI)F`])
  return ['/inheritance:r', ...readers, '/grant:r', `${who}:${right}`]
}

function stepsOf(right: Right, settings: RightsSettings): Step[] {
  const { path, may } = right
  const icacls = (...args: readonly string[]) => command('icacls.exe', args)
  const all = grants(right, settings)
  // With what is in a folder: files of a first start under another account may take over no rights from it.
  if (may !== 'own') return [icacls(path, ...all, ...(may === 'write' ? ['/T'] : []))]
  // First the folder, so that it is never open; then its content, where there is any, inherits the rights of the folder.
  return [icacls(path, ...all), command('icacls.exe', [join(path, '*'), '/reset', '/T', '/C'], true)]
}

function lineOf(right: Right, settings: RightsSettings): string {
  const quoted = (part: string) => (/[^\w/:]/.test(part) ? `"${part}"` : part)
  return `  icacls ${[right.path, ...grants(right, settings)].map(quoted).join(' ')}`
}

/** Folders that others use as well are for people to open. */
function folderHints(left: readonly Right[], settings: RightsSettings): string[] {
  if (left.length === 0) return []
  const title = `The account ${settings.account} needs these rights as well, where it does not have them:`
  return [[title, ...left.map((right) => lineOf(right, settings))].join('\n')]
}
