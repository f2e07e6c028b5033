/** Where the files of a Windows service are. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EXIT } from '../../io.ts'
import { ServiceError } from '../types.ts'
import { fromXml } from './xml.ts'

/** File name, without extension, of the WinSW executable of a service and of all that belongs to it. */
export const winswBase = (name: string): string => `${name}-service`

const WINSW = /^winsw.*\.exe$/i

/** The WinSW executable in a folder, as it is downloaded; null when there is none. */
export async function findWinsw(folder: string): Promise<string | null> {
  const entries = await readdir(folder).catch(() => [])
  const found = entries.filter((entry) => WINSW.test(entry)).sort()
  return found[0] === undefined ? null : join(folder, found[0])
}

/** What to do about a WinSW that is not there. */
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
