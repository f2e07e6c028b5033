/** Classifies a path of this machine: a folder of the system, one of Footman's own, or a foreign one. */
import type { Stats } from 'node:fs'
import { chmod, lstat, readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { EXIT } from '../io.ts'
import { ServiceError, type ServiceFacts } from './host.ts'

/** Folders that belong to the system or to a person, never to a service; trees of which nothing does. */
const SYSTEM = [
  /^\/(?:|etc|home|lib\w*|bin|sbin|media|mnt|opt|root|run|srv|tmp|usr|var|lost\+found)$/,
  /^\/(?:boot|dev|proc|sys|bin|sbin|lib\w*)\//,
  /^\/(?:boot|dev|proc|sys)$/,
  /^\/home\/[^/]+$/,
  /^\/root\/\.\w+(?:\/|$)/,
  /^\/home\/[^/]+\/\.\w+$/,
  /^\/run\/(?:systemd|user|lock|dbus)(?:\/|$)/,
  /^\/usr\/(?!local\/[^/]+|share\/[^/]+\/)/,
  /^\/usr\/local\/(?:bin|sbin|lib\w*|etc|share|src|include|man|games)$/,
  /^\/var\/(?:backups|cache|crash|db|lib|local|lock|log|mail|opt|run|spool|tmp|www)$/,
  /^\/var\/lib\/(?:systemd|dpkg|rpm|apt|private)(?:\/|$)/,
  /^\/var\/log\/(?:journal|private|audit)(?:\/|$)/,
  /^[a-z]:[\\/]*$/i,
  /^[a-z]:[\\/]+(?:windows|winnt)(?:[\\/]|$)/i,
  /^[a-z]:[\\/]+(?:program files(?: \(x86\))?|programdata|users)[\\/]*$/i,
  /^[a-z]:[\\/]+(?:programdata[\\/]+(?:microsoft|qlik)|users[\\/]+[^\\/]+)[\\/]*$/i,
  /^[a-z]:[\\/]+programdata[\\/]+qlik[\\/]+sense(?:[\\/]|$)/i,
  /^[\\/]{2}[^\\/]+(?:[\\/]+[^\\/]*)?[\\/]*$/,
  /^\/etc\/(?:systemd|ssl|pki|ssh|pam\.d|sudoers\.d|cron\.\w+|init\.d|default|sysconfig|credstore[\w.]*)(?:\/|$)/,
]

/** Absolute, without `..`. */
export const isSystemFolder = (path: string): boolean => SYSTEM.some((kind) => kind.test(path))

/** Where a path leads, as far as it exists. */
export async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(await realPath(parent), basename(path))
  }
}

/** Null when nothing is there; the link itself for a link. */
export const lookAt = (path: string): Promise<Stats | null> =>
  lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
    throw error
  })

const FILES = [
  /^(?:footman|journal)\.db(?:[.-][\w.+-]+)?$/,
  /^footman\.lock(?:-\w+)?$/,
  /^footman\.reserve$/,
  /^(?:local|settings)\.key(?:\.[0-9a-f]+\.tmp)?$/,
  /^\.footman-[0-9a-f]+\.tmp$/,
  /^butler\.\d{4}-\d{2}-\d{2}(?:\.\d+)?\.log(?:\.gz)?$/,
  /^\.[0-9a-f]{40}-audit\.json$/,
  // Output that WinSW and NSSM have caught.
  /^[\w.-]+\.(?:out|err|wrapper)(?:[.-][\w.-]+)?\.log(?:\.old)?$/i,
]
/** Folders of Footman, with any plain files and folders in them. */
const FOLDERS = ['backup', 'appdump', 'report']

/** Rejects with a `ServiceError` for a folder of the system or of a person. `key`: below `Butler`; `example`: a better one. */
export async function refuseSystemFolder(folder: string, key: string, example: string): Promise<void> {
  const isOne = isSystemFolder(folder)
  const real = isOne ? folder : await realPath(folder)
  if (!isSystemFolder(real)) return
  const where = isOne ? folder : `${folder} leads to ${real}, which`
  throw new ServiceError(
    `Butler.${key}: ${where} is a folder of the system or of a person: name one that is Footman's alone, as ${example}`,
    EXIT.badInput,
  )
}

/** Whether one of the paths lies in the folder. */
const holdsOne = (folder: string, paths: readonly string[]): boolean => {
  const plain = (path: string) => path.replaceAll('\\', '/').replace(/\/+$/, '')
  return paths.some((path) => plain(path).startsWith(`${plain(folder)}/`))
}

/** The folder of the schedule file; null without a scheduler. */
export const scheduleFolder = ({ scheduleFile }: ServiceFacts): string | null => scheduleFile && dirname(scheduleFile)

/** Whether nothing but the schedule file and its copies is in its folder: who may replace it may replace the others too. */
export async function hasOwnScheduleFolder({ scheduleFile, ...facts }: ServiceFacts): Promise<boolean> {
  if (scheduleFile === null) return false
  const [folder, name] = [dirname(scheduleFile), basename(scheduleFile)]
  if (isSystemFolder(folder) || holdsOne(folder, [facts.configFile, ...facts.readable, ...facts.command])) return false
  if ((await lookAt(folder))?.isDirectory() !== true) return false
  const entries = await readdir(folder, { withFileTypes: true })
  return entries.every((entry) => entry.isFile() && entry.name.includes(name))
}

/** Content of a data directory that other accounts can still see. */
interface OpenToOthers {
  /** Names of things in it that are not Footman's: with them the folder keeps its rights. */
  readonly foreign: readonly string[]
  /** Paths whose rights this account may not change. */
  readonly failed: readonly string[]
}

/** Gives a data directory and everything of Footman's in it to this account alone, links excepted. Not for Windows. */
export async function closeToOthers(folder: string): Promise<OpenToOthers> {
  const foreign: string[] = []
  const failed: string[] = []

  async function close(path: string): Promise<void> {
    const found = await lookAt(path)
    if (found?.isDirectory()) for (const name of await readdir(path)) await close(join(path, name))
    else if (!found?.isFile() || found.nlink > 1) return
    await restrict(path, found.mode, found.isDirectory())
  }

  async function restrict(path: string, mode: number, isDirectory: boolean): Promise<void> {
    const wanted = isDirectory ? 0o700 : 0o600
    if ((mode & 0o777) !== wanted) await chmod(path, wanted).catch(() => failed.push(path))
  }

  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const isOwn = entry.isDirectory() ? FOLDERS.includes(entry.name) : FILES.some((kind) => kind.test(entry.name))
    if (isOwn) await close(join(folder, entry.name))
    else foreign.push(entry.name)
  }
  const own = await lookAt(await realPath(folder))
  if (own && foreign.length === 0) await restrict(folder, own.mode, true)
  return { foreign: own && (own.mode & 0o077) === 0 ? [] : foreign, failed }
}

/**
 * The first thing in a data or log folder that is not Footman's, absolute: another name, a link, a file that has a second
 * name elsewhere. Null when there is none.
 */
export async function foreignIn(folder: string, isInner = false): Promise<string | null> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (!isInner && !FOLDERS.includes(entry.name)) return path
      const inner = await foreignIn(path, true)
      if (inner !== null) return inner
      continue
    }
    const isKnown = isInner || FILES.some((kind) => kind.test(entry.name))
    if (!isKnown || !entry.isFile() || ((await lookAt(path))?.nlink ?? 1) > 1) return path
  }
  return null
}
