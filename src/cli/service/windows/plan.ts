/** Installing and removing a Footman on Windows: as a service through WinSW, or as a task. */
import { access } from 'node:fs/promises'
import { join, win32 } from 'node:path'
import type { RunCommand } from '../../../platform/command.ts'
import { EXIT } from '../../io.ts'
import { type Plan, ServiceError, type ServiceFacts, type Step } from '../types.ts'
import { serviceAccount, taskAccount, trustee } from './accounts.ts'
import { nssmCommands } from './nssm.ts'
import { findWinsw, winswBase, winswMissing } from './places.ts'
import { taskXml } from './task.ts'
import { RESET_AFTER_S, RESTARTS, winswXml } from './winsw.ts'

export interface WindowsSettings {
  readonly user?: string | undefined
  /** A WinSW executable; absent = beside the program. */
  readonly winsw?: string | undefined
  /** Where the files of the entry are written. */
  readonly directory: string
  readonly start: boolean
}

const PROBE_TIMEOUT_MS = 15_000
const STOP_TIMEOUT_MS = 3 * 60_000

const command = (file: string, args: readonly string[], mayFail = false, timeoutMs?: number): Step => ({
  ...{ kind: 'command', file, args, mayFail },
  ...(timeoutMs !== undefined && { timeoutMs }),
})

/** A service; rejects with exit code 3 when there is no WinSW. */
export async function planWinsw(run: RunCommand, facts: ServiceFacts, settings: WindowsSettings): Promise<Plan> {
  const { name } = facts
  const account = serviceAccount(settings.user, name)
  const base = join(settings.directory, winswBase(name))
  const program = `${base}.exe`
  const steps: Step[] = [
    ...(await programSteps(program, settings)),
    { kind: 'file', path: `${base}.xml`, content: winswXml(facts, account) },
    ...((await isThere(run, name))
      ? [command(program, ['stop'], true, STOP_TIMEOUT_MS)]
      : [command(program, ['install'])]),
    // Said to Windows itself as well: versions of WinSW differ in what they take over.
    command('sc.exe', ['config', name, 'start=', 'delayed-auto', 'obj=', account]),
    command('sc.exe', ['failure', name, 'reset=', String(RESET_AFTER_S), 'actions=', restartActions()]),
    command('sc.exe', ['failureflag', name, '1']),
    ...rightSteps(facts, account),
    ...(settings.start ? [command(program, ['start'])] : []),
  ]
  return { steps, hints: rightHints(facts, account) }
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
export function planTask(facts: ServiceFacts, settings: WindowsSettings): Plan {
  const account = taskAccount(settings.user, facts.name)
  const path = join(settings.directory, `${facts.name}-task.xml`)
  const steps: Step[] = [
    { kind: 'file', path, content: taskXml(facts, account), encoding: 'utf16le' },
    ...rightSteps(facts, account.id),
    // One that runs goes on with what it was started with.
    command('schtasks.exe', ['/end', '/tn', facts.name], true),
    command('schtasks.exe', ['/create', '/tn', facts.name, '/xml', path, '/f']),
    ...(settings.start ? [command('schtasks.exe', ['/run', '/tn', facts.name])] : []),
  ]
  const silent =
    facts.logDirectory === null
      ? ['The output of a task goes nowhere: set Butler.fileLogging to true, or there is no log.']
      : []
  return { steps, hints: [...silent, ...rightHints(facts, account.id)] }
}

/** Nothing to carry out: commands for people. */
export function planNssm(facts: ServiceFacts, settings: WindowsSettings): Plan {
  const account = serviceAccount(settings.user, facts.name)
  const lines = ['For cmd.exe, run as administrator:', ...nssmCommands(facts, account).map((line) => `  ${line}`)]
  const [file, , right] = readConfiguration(facts, account)
  const configuration = `The account reads the configuration with:\n  icacls "${file}" /grant "${right}"`
  const rights = rightHints(facts, account, [...own(facts), ...facts.writable])
  return { steps: [], hints: [lines.join('\n'), configuration, ...rights] }
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

const own = (facts: ServiceFacts): string[] => [...new Set([facts.dataDirectory, facts.outputDirectory])]

const grant = (folder: string, account: string): readonly string[] => [
  folder,
  '/grant',
  `${trustee(account)}:(OI)(CI)M`,
]

/** A file of `footman init` takes over no rights from its folder: this account could not read it. */
const readConfiguration = ({ configFile }: ServiceFacts, account: string): readonly string[] => [
  configFile,
  '/grant',
  `${trustee(account)}:R`,
]

/** Folders that belong to Footman, where the account changes files, and the configuration. */
const rightSteps = (facts: ServiceFacts, account: string): Step[] => [
  command('icacls.exe', readConfiguration(facts, account)),
  ...own(facts).flatMap((path): Step[] => [{ kind: 'directory', path }, command('icacls.exe', grant(path, account))]),
]

/** Folders that others use as well are for people to open. */
function rightHints(facts: ServiceFacts, account: string, folders: readonly string[] = facts.writable): string[] {
  if (folders.length === 0 && facts.readable.length === 0) return []
  const read = [...new Set(facts.readable.map((path) => win32.dirname(path)))]
  const line = (path: string, right: string) => `  icacls "${path}" /grant "${trustee(account)}:(OI)(CI)${right}"`
  return [
    [
      `The account ${account} needs these rights as well, where it does not have them:`,
      ...folders.map((path) => line(path, 'M')),
      ...read.map((path) => line(path, 'RX')),
    ].join('\n'),
  ]
}
