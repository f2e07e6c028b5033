/** Places, accounts and XML of Windows services and tasks. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EXIT } from '../../io.ts'
import { ServiceError } from '../host.ts'

/** File name, without extension, of the WinSW executable of a service and of all that belongs to it. */
export const winswBase = (name: string): string => `${name}-service`

const WINSW = /^winsw.*\.exe$/i

/** The WinSW executable in a folder, as it is downloaded; null when there is none. */
export async function findWinsw(folder: string): Promise<string | null> {
  const entries = await readdir(folder).catch(() => [])
  const found = entries.filter((entry) => WINSW.test(entry)).sort()
  return found[0] === undefined ? null : join(folder, found[0])
}

/** Fix for a missing WinSW. */
export const winswMissing = (folder: string): ServiceError =>
  new ServiceError(
    [
      `service install: there is no WinSW in ${folder}`,
      'WinSW makes a Windows service of a program (MIT licence). Get WinSW-x64.exe from the releases of the project',
      `winsw/winsw on GitHub, put it into ${folder}, and call this again; or name it with --winsw FILE.`,
      'Without a download: footman service install --task-scheduler. With NSSM: footman service install --nssm.',
    ].join('\n'),
    EXIT.missing,
  )

/** The configuration file that an installed entry names; null when there is none, or it was made by something else. */
export async function installedConfig(directory: string, name: string): Promise<string | null> {
  const entries = [
    [join(directory, `${winswBase(name)}.xml`), 'utf8', 'arguments'],
    [join(directory, `${name}-task.xml`), 'utf16le', 'Arguments'],
  ] as const
  for (const [path, encoding, element] of entries) {
    const text = await readFile(path, encoding).catch(() => '')
    const args = new RegExp(`<${element}>([^<]*)</${element}>`).exec(text)?.[1]
    const quoted = args && /-c (?:"(.*)"|(\S+))$/.exec(fromXml(args))
    if (quoted) return quoted[1] ?? quoted[2] ?? null
  }
  return null
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** Escapes content and attributes. Characters that XML 1.0 cannot hold are left out. */
export const xml = (text: string): string =>
  text.replaceAll(/(?![\t\n\r])\p{Cc}|[\ufffe\uffff]/gu, '').replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign]!)

/** Reverses `xml`. */
export const fromXml = (text: string): string =>
  text.replaceAll(/&(?:amp|lt|gt|quot|apos);/g, (entity) => SIGNS.get(entity) ?? entity)

const SIGNS = new Map(Object.entries(ENTITIES).map(([sign, entity]) => [entity, sign]))

const BUILT_IN: Readonly<Record<string, string>> = {
  localservice: 'NT AUTHORITY\\LocalService',
  networkservice: 'NT AUTHORITY\\NetworkService',
}
const LOCAL_SERVICE_SID = 'S-1-5-19'
const NETWORK_SERVICE_SID = 'S-1-5-20'

/** The account that Windows makes for every service: no password, no rights but those that it is given. */
const virtualAccount = (service: string): string => `NT SERVICE\\${service}`

/** Rejects accounts that need a password: a command line is no place for one. */
export function serviceAccount(wanted: string | undefined, service: string): string {
  if (wanted === undefined) return virtualAccount(service)
  const builtIn = BUILT_IN[wanted.replace(/^NT AUTHORITY\\/i, '').toLowerCase()]
  if (builtIn) return builtIn
  if (/^NT SERVICE\\.+$/i.test(wanted) || /^[^\\]+\\[^\\]+\$$/.test(wanted)) return wanted
  throw new ServiceError(
    `--user ${wanted}: Footman asks for no passwords. Use LocalService, NetworkService, "NT SERVICE\\${service}" or a group managed account (DOMAIN\\name$); for an ordinary account install without --user and enter it in services.msc`,
    EXIT.badInput,
  )
}

/** Account of a task: the Task Scheduler knows no service accounts. */
export function taskAccount(wanted: string | undefined, service: string): { id: string; isManaged: boolean } {
  if (wanted === undefined) return { id: LOCAL_SERVICE_SID, isManaged: false }
  const account = serviceAccount(wanted, service)
  if (account === BUILT_IN.localservice) return { id: LOCAL_SERVICE_SID, isManaged: false }
  if (account === BUILT_IN.networkservice) return { id: NETWORK_SERVICE_SID, isManaged: false }
  if (account.endsWith('$')) return { id: account, isManaged: true }
  throw new ServiceError(
    `--user ${wanted}: tasks of the Task Scheduler run as LocalService, NetworkService or a group managed account (DOMAIN\\name$)`,
    EXIT.badInput,
  )
}

/** For `icacls`: an account, or `*` and a security id. */
export const trustee = (account: string): string => (/^S-1-/.test(account) ? `*${account}` : account)
