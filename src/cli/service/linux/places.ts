/** What a path on this machine is: a folder of the system, one of Footman's own, or somebody else's. */
import type { Stats } from 'node:fs'
import { lstat, readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

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
  /^local\.key$/,
  /^\.footman-[0-9a-f]+\.tmp$/,
  /^butler\.\d{4}-\d{2}-\d{2}(?:\.\d+)?\.log(?:\.gz)?$/,
  /^\.[0-9a-f]{40}-audit\.json$/,
]
/** Whatever plain files are in them. */
const FOLDERS = ['backup', 'appdump', 'report']

/**
 * The first thing in a data or log folder that is not Footman's, absolute: another name, a link, a file that has a second
 * name elsewhere. Null when there is none.
 */
export async function foreignIn(folder: string, isInner = false): Promise<string | null> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (isInner || !FOLDERS.includes(entry.name)) return path
      const inner = await foreignIn(path, true)
      if (inner !== null) return inner
      continue
    }
    const isKnown = isInner || FILES.some((kind) => kind.test(entry.name))
    if (!isKnown || !entry.isFile() || ((await lookAt(path))?.nlink ?? 1) > 1) return path
  }
  return null
}
