/** What the account of the service may do with files on Windows: as little as it needs. */
import { join } from 'node:path'
import { WINDOWS_READERS } from '../../../platform/private-file.ts'
import { protectedFile } from '../../../platform/protected-values.ts'
import { foreignIn, hasOwnScheduleFolder, lookAt, refuseSystemFolder, scheduleFolder } from '../folders.ts'
import type { Plan, ServiceFacts, Step } from '../host.ts'
import { trustee } from './places.ts'

export interface RightsSettings {
  readonly account: string
  readonly env: Readonly<Record<string, string | undefined>>
}

const MODIFY = '(OI)(CI)M'
const EXAMPLE = 'C:\\ProgramData\\Footman'

/** Looks at files and folders. Rejects with a `ServiceError` where data or log folder is one of the system. */
export async function planRights(facts: ServiceFacts, settings: RightsSettings): Promise<Plan> {
  const own = await ownFolders(facts)
  const credentials = await credentialFiles(facts, settings)
  const schedules = [scheduleFolder(facts)].filter((path) => path !== null)
  const isOpened = await hasOwnScheduleFolder(facts)
  const granted = [...own.granted, ...(isOpened ? schedules : [])]
  const left = [...own.left, ...(isOpened ? [] : schedules), ...facts.writable]
  return {
    steps: [
      grant(facts.configFile, 'R', settings),
      ...(await readSteps([...facts.readable, ...credentials.found], settings)),
      ...granted.flatMap((path): Step[] => [
        { kind: 'directory', path },
        ...(path === facts.dataDirectory ? close(path, settings) : [grant(path, MODIFY, settings)]),
      ]),
    ],
    hints: [...folderHints(left, settings), ...credentials.hints],
  }
}

/** All of it as lines for people; nothing is looked at. */
export function rightLines(facts: ServiceFacts, settings: RightsSettings): string[] {
  const { configFile, readable, dataDirectory, outputDirectory, writable, credentials } = facts
  const schedules = scheduleFolder(facts)
  const files = [configFile, ...readable, ...credentials.map((name) => protectedFile(settings.env, name))]
  const folders = new Set([dataDirectory, outputDirectory, ...(schedules === null ? [] : [schedules]), ...writable])
  return [
    ...files.map((path) => line(path, 'R', settings)),
    ...[...folders].map((path) =>
      path === dataDirectory
        ? `  icacls ${[path, ...closing(settings)].map((part) => (/[^\w/:]/.test(part) ? `"${part}"` : part)).join(' ')}`
        : line(path, MODIFY, settings),
    ),
  ]
}

/** Those that the account may be let into by a program, and those that people decide about. */
interface Folders {
  readonly granted: readonly string[]
  readonly left: readonly string[]
}

async function ownFolders({ dataDirectory, outputDirectory, logDirectory }: ServiceFacts): Promise<Folders> {
  await refuseSystemFolder(dataDirectory, 'footman.dataDirectory', `${EXAMPLE}\\data`)
  if (logDirectory !== null) await refuseSystemFolder(logDirectory, 'logDirectory', `${EXAMPLE}\\log`)
  const [granted, left]: [string[], string[]] = [[], []]
  for (const path of new Set([dataDirectory, outputDirectory])) ((await isOwn(path)) ? granted : left).push(path)
  return { granted, left }
}

/** There is nothing of others in it. */
async function isOwn(folder: string): Promise<boolean> {
  const found = await lookAt(folder)
  return found === null || (found.isDirectory() && (await foreignIn(folder)) === null)
}

async function readSteps(files: readonly string[], settings: RightsSettings): Promise<Step[]> {
  const steps: Step[] = []
  for (const path of files) {
    if (!(await lookAt(path))?.isFile()) continue
    const warning = `${settings.account} could not be allowed to read ${path}; see that it may`
    steps.push({ ...grant(path, 'R', settings), warning })
  }
  return steps
}

async function credentialFiles(
  { credentials }: ServiceFacts,
  { env, account }: RightsSettings,
): Promise<{ readonly found: readonly string[]; readonly hints: readonly string[] }> {
  const found: string[] = []
  const missing: string[] = []
  for (const name of credentials) {
    const path = protectedFile(env, name)
    if (await lookAt(path)) found.push(path)
    else missing.push(`  footman credential set ${name} --account "${account}"`)
  }
  const hint = ['The service does not start without these credentials:', ...missing].join('\n')
  return { found, hints: missing.length === 0 ? [] : [hint] }
}

/** With what is in a folder: files of a first start under another account may take over no rights from it. */
const grant = (path: string, right: string, { account }: RightsSettings) =>
  ({
    ...{ kind: 'command', file: 'icacls.exe' },
    args: [path, '/grant', `${trustee(account)}:${right}`, ...(right === MODIFY ? ['/T'] : [])],
  }) satisfies Step

/** The account, the system and administrators only; nothing is inherited from above. */
const closing = ({ account }: RightsSettings): string[] => [
  '/inheritance:r',
  ...WINDOWS_READERS.flatMap((reader) => ['/grant:r', `${reader}:(OI)(CI)F`]),
  ...['/grant:r', `${trustee(account)}:${MODIFY}`],
]

/** First the folder, so that it is never open; then what is in it takes over its rights, whatever it had. */
const close = (path: string, settings: RightsSettings): Step[] => [
  { kind: 'command', file: 'icacls.exe', args: [path, ...closing(settings)] },
  // An empty folder holds nothing to reset.
  { kind: 'command', file: 'icacls.exe', args: [join(path, '*'), '/reset', '/T', '/C'], mayFail: true },
]

const line = (path: string, right: string, { account }: RightsSettings): string =>
  `  icacls "${path}" /grant "${trustee(account)}:${right}"`

/** Folders that others use as well are for people to open. */
function folderHints(folders: readonly string[], settings: RightsSettings): string[] {
  if (folders.length === 0) return []
  const title = `The account ${settings.account} needs these rights as well, where it does not have them:`
  return [[title, ...folders.map((path) => line(path, MODIFY, settings))].join('\n')]
}
