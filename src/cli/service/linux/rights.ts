/**
 * What the account of the service may do with files: to write into its own folders, and to read the configuration and what
 * that names. Nothing is given away that is not Footman's, and no link is followed.
 */
import { dirname } from 'node:path'
import type { RunCommand } from '../../../platform/command.ts'
import {
  foreignIn,
  hasOwnScheduleFolder,
  isSystemFolder,
  lookAt,
  realPath,
  refuseSystemFolder,
  scheduleFolder,
} from '../folders.ts'
import type { ServiceFacts, Step } from '../host.ts'

const PROBE_TIMEOUT_MS = 10_000
const OTHERS = { read: 0o004, enter: 0o001 } as const

const command = (file: string, args: readonly string[], mayFail = false): Step => ({
  ...{ kind: 'command', file, args, mayFail },
})

/** How the account is let in beside those who are in already; null = only people can. */
type Way = 'acl' | 'group' | null

export interface RightsSettings {
  readonly user: string
  readonly way: Way
}

type Right = 'r' | 'x' | 'rwx'

/** With access control lists where there are some; else by the group, where that is the account's alone. */
export async function wayIn(run: RunCommand, user: string, isNew: boolean): Promise<Way> {
  const says = (file: string, args: readonly string[]) =>
    run(file, args, { timeoutMs: PROBE_TIMEOUT_MS }).catch(() => null)
  if ((await says('setfacl', ['--version']))?.code === 0) return 'acl'
  const group = isNew ? user : (await says('id', ['-gn', user]))?.stdout.trim()
  return group === user ? 'group' : null
}

function letIn({ user, way }: RightsSettings, right: Right, path: string): Step[] {
  if (way === 'acl') return [command('setfacl', ['-m', `u:${user}:${right}`, path], true)]
  // In this order, and exactly: what the group of root might do, the account must not.
  return [command('chmod', [`g=${right}`, path], true), command('chgrp', [user, path], true)]
}

/** The group of a file is replaced only where it is that of root, who reads everything anyway. */
const canLetIn = async (way: Way, path: string): Promise<boolean> =>
  way === 'group' ? (await lookAt(path))?.gid === 0 : way === 'acl'

/** Data and log folder. Rejects with a `ServiceError` for a folder of the system. */
export async function ownFolders(
  { dataDirectory, logDirectory }: ServiceFacts,
  settings: RightsSettings,
): Promise<Step[]> {
  const data = await ownFolder(dataDirectory, 'footman.dataDirectory', settings)
  if (logDirectory === null || logDirectory === dataDirectory) return data
  return [...data, ...(await ownFolder(logDirectory, 'logDirectory', settings))]
}

async function ownFolder(folder: string, key: string, settings: RightsSettings): Promise<Step[]> {
  const { user } = settings
  await refuseSystemFolder(folder, key, '/var/lib/footman')
  const real = await realPath(folder)
  const found = await lookAt(folder)
  const way = await enter(folder, settings)
  if (found === null && real === folder) {
    return [...way, command('install', ['-d', '-m', '0750', '-o', user, '-g', user, folder])]
  }
  const foreign = real === folder && found?.isDirectory() ? await foreignIn(folder) : folder
  // -h and no -H or -L: what becomes a link meanwhile is not followed.
  if (foreign === null) return [...way, command('chown', ['-hR', `${user}:`, folder])]
  const why = foreign === folder ? 'leads elsewhere' : `holds ${foreign}, which is not Footman's,`
  return [
    writeCheck(
      user,
      folder,
      `${user} cannot write in ${folder}. It ${why} and keeps its owner: name another one in Butler.${key}, or give it to ${user} yourself`,
    ),
  ]
}

/** Configuration, certificates, keys and files with secrets: for reading, and the folders on the way for entering. */
export async function readRights(facts: ServiceFacts, settings: RightsSettings): Promise<Step[]> {
  const steps: Step[] = []
  for (const path of [facts.configFile, ...facts.readable]) steps.push(...(await readRight(path, settings)))
  return steps
}

async function readRight(path: string, settings: RightsSettings): Promise<Step[]> {
  const { user, way } = settings
  const found = await lookAt(path)
  if (found === null) return []
  const isClosed = (found.mode & OTHERS.read) === 0
  const isPlain = found.isFile() && found.nlink === 1 && (await realPath(path)) === path
  return [
    ...(isPlain ? await enter(path, settings) : []),
    ...(isPlain && isClosed && (await canLetIn(way, path)) ? letIn(settings, 'r', path) : []),
    {
      ...{ kind: 'check', file: 'runuser', args: ['-u', user, '--', 'test', '-r', path] },
      warning: `${user} cannot read ${path}: let it in with setfacl -m u:${user}:r, and u:${user}:x for the folders on the way, or move the file to one like /etc/footman`,
    },
  ]
}

/** Through the folders on the way that are not open to everybody; those of the system and of people stay closed. */
async function enter(path: string, settings: RightsSettings): Promise<Step[]> {
  const closed: string[] = []
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    const found = await lookAt(folder)
    if (found && (found.mode & OTHERS.enter) === 0) closed.unshift(folder)
  }
  if (closed.some(isSystemFolder) || (await realPath(dirname(path))) !== dirname(path)) return []
  const steps: Step[] = []
  for (const folder of closed) if (await canLetIn(settings.way, folder)) steps.push(...letIn(settings, 'x', folder))
  return steps
}

/** The program may lie in a folder of a person. */
export const programCheck = ({ command: [program] }: ServiceFacts, user: string): Step => ({
  ...{ kind: 'check', file: 'runuser', args: ['-u', user, '--', 'test', '-x', program] },
  warning: `${user} cannot run ${program}: put it where every account may, as /opt/footman, and call this again`,
})

/** The folder of the schedule file is opened when the account finds nothing else in it that it could replace. */
export async function scheduleRights(facts: ServiceFacts, settings: RightsSettings): Promise<Step[]> {
  const { user, way } = settings
  const folder = scheduleFolder(facts)
  if (folder === null) return []
  const check = writeCheck(
    user,
    folder,
    `${user} cannot write in ${folder}: changed schedules do not get into the schedule file. Give it a folder of its own in Butler.scheduler.configfile`,
  )
  const isOwn = (await realPath(folder)) === folder && (await hasOwnScheduleFolder(facts))
  return isOwn && (await canLetIn(way, folder)) ? [...letIn(settings, 'rwx', folder), check] : [check]
}

/** Folders that the configuration opens to requests, without those of the system; they stay as they are. */
export async function openFolders(facts: ServiceFacts): Promise<{ facts: ServiceFacts; hints: string[] }> {
  const closed: string[] = []
  const schedules = scheduleFolder(facts)
  for (const path of [...(schedules === null ? [] : [schedules]), ...facts.writable]) {
    if (isSystemFolder(path) || isSystemFolder(await realPath(path))) closed.push(path)
  }
  const writable = facts.writable.filter((path) => !closed.includes(path))
  const scheduleFile = closed.includes(schedules ?? '') ? null : facts.scheduleFile
  const hints = closed.map(
    (path) =>
      `${path} is a folder of the system or of a person: the service may not write there. If it must: systemctl edit ${facts.name}, [Service], ReadWritePaths=${path}`,
  )
  return { facts: { ...facts, writable, scheduleFile }, hints }
}

/** What the account cannot reach, told before the service starts and fails. */
export const writeChecks = ({ writable }: ServiceFacts, user: string): Step[] =>
  writable.map((path) =>
    writeCheck(user, path, `${user} cannot write in ${path}: setfacl -m u:${user}:rwx, if features of Footman need it`),
  )

const writeCheck = (user: string, path: string, warning: string): Step => ({
  ...{ kind: 'check', file: 'runuser', args: ['-u', user, '--', 'test', '-w', path] },
  warning,
})
