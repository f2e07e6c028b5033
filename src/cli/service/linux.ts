/** Installing and removing a systemd service. */

import { access, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RunCommand } from '../../platform/command.ts'
import { EXIT } from '../io.ts'
import {
  foreignIn,
  hasOwnScheduleFolder,
  isSystemFolder,
  lookAt,
  realPath,
  refuseSystemFolder,
  scheduleFolder,
} from './folders.ts'
import { type Plan, ServiceError, type ServiceFacts, type Step } from './host.ts'

export const UNIT_DIRECTORY = '/etc/systemd/system'
/** Databases may be brought up to date first: as long as Footman asks systemd to wait, and a little more. */
const START_TIMEOUT_MS = 16 * 60_000
const STOP_TIMEOUT_MS = 3 * 60_000
const PROBE_TIMEOUT_MS = 10_000

interface SystemdSettings {
  readonly user: string
  readonly directory: string
  readonly start: boolean
}

const command = (file: string, args: readonly string[], timeoutMs?: number): Step => ({
  kind: 'command',
  file,
  args,
  ...(timeoutMs !== undefined && { timeoutMs }),
})

/** Looks at accounts and folders; changes nothing. */
export async function planInstall(run: RunCommand, facts: ServiceFacts, settings: SystemdSettings): Promise<Plan> {
  const { user, start } = settings
  refuseProgram(facts.command[0])
  const path = unitPath(settings.directory, facts.name)
  await refuseForeign(path)
  const unit = `${facts.name}.service`
  const [encrypted, missing] = await credentialPlaces(facts)
  const { facts: opened, hints } = await openFolders(facts)
  const isNew = !(await hasAccount(run, user))
  const rights = { user, way: await wayIn(run, user, isNew) }
  const steps: Step[] = [
    ...(isNew ? [accountStep(user, facts.dataDirectory)] : []),
    ...once([
      ...(await ownFolders(facts, rights)),
      ...(await readRights(facts, rights)),
      ...(await scheduleRights(opened, rights)),
    ]),
    programCheck(facts, user),
    ...writeChecks(opened, user),
    { kind: 'file', path, content: `${unitText(opened, { user, encrypted })}\n` },
    command('systemctl', ['daemon-reload']),
    command('systemctl', ['enable', unit]),
    ...(start ? [restart(facts.name, unit)] : []),
  ]
  return { steps, hints: [...hints, ...credentialHints(missing)] }
}

/** Files that lie together need the same folders. */
const once = (steps: readonly Step[]): Step[] => [
  ...new Map(steps.map((step) => [JSON.stringify(step), step])).values(),
]

const restart = (name: string, unit: string): Step => ({
  kind: 'command',
  file: 'systemctl',
  args: ['restart', unit],
  timeoutMs: START_TIMEOUT_MS,
  help: `The service is installed and does not start. Its log: journalctl -u ${name} -n 50. Afterwards call this again, or: systemctl restart ${name}`,
})

/** Rejects with exit code 3 when there is no such service. */
export async function planUninstall(name: string, directory: string): Promise<Plan> {
  const path = unitPath(directory, name)
  if ((await refuseForeign(path)) === 'missing') {
    throw new ServiceError(`service ${name}: not installed: there is no ${path}`, EXIT.missing)
  }
  const unit = `${name}.service`
  return {
    steps: [
      { ...command('systemctl', ['disable', '--now', unit], STOP_TIMEOUT_MS) },
      { kind: 'remove', path },
      command('systemctl', ['daemon-reload']),
      { kind: 'command', file: 'systemctl', args: ['reset-failed', unit], mayFail: true },
    ],
    hints: ['Configuration, data, logs and the account are still there.'],
  }
}

/** Systemd starts nothing of such a name. */
function refuseProgram(program: string): void {
  if (!/["'\\]|\p{Cc}/u.test(program)) return
  throw new ServiceError(
    `${program}: systemd runs no program whose path has quotes, backslashes or control characters. Move it.`,
    EXIT.badInput,
  )
}

const unitPath = (directory: string, name: string): string => join(directory, `${name}.service`)

async function refuseForeign(path: string): Promise<'missing' | 'ours'> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new ServiceError(`${path}: ${error.message}`, EXIT.unreachable)
  })
  if (text === null) return 'missing'
  if (text.startsWith(UNIT_MARK)) return 'ours'
  throw new ServiceError(
    `${path}: was not written by Footman and is left alone. Take another --name, or move that file away first.`,
    EXIT.unreachable,
  )
}

const hasAccount = async (run: RunCommand, user: string): Promise<boolean> =>
  (await run('id', ['-u', user], { timeoutMs: PROBE_TIMEOUT_MS }).catch(() => null))?.code === 0

function accountStep(user: string, home: string): Step {
  const withoutLogin = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin']
  return command('useradd', [...withoutLogin, '--home-dir', home, '--comment', 'Footman for Qlik Sense', user])
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** Names of those that lie encrypted here, and of those of which nothing lies here. */
async function credentialPlaces({ credentials }: ServiceFacts): Promise<[encrypted: string[], missing: string[]]> {
  const found = await Promise.all(
    credentials.map(async (name) => ({
      name,
      isEncrypted: await exists(`${CREDENTIALS}.encrypted/${name}`),
      isPlain: await exists(`${CREDENTIALS}/${name}`),
    })),
  )
  return [
    found.filter(({ isEncrypted }) => isEncrypted).map(({ name }) => name),
    found.filter(({ isEncrypted, isPlain }) => !isEncrypted && !isPlain).map(({ name }) => name),
  ]
}

function credentialHints(missing: readonly string[]): string[] {
  if (missing.length === 0) return []
  const lines = missing.map((name) => `  ${CREDENTIALS}/${name}, or encrypted: footman credential set ${name}`)
  return [['The service does not start without these credentials, one file each:', ...lines].join('\n')]
}

interface UnitSettings {
  readonly user: string
  /** Credentials that lie encrypted on this machine; the others are plain files. */
  readonly encrypted?: readonly string[]
}

/** First line of every unit file that Footman writes; a file without it is foreign. */
const UNIT_MARK = '# Written by "footman service install"'

/** Beyond the grace: the log is flushed, locks are given back. */
const STOP_MARGIN_S = 15
const WATCHDOG_S = 60
const PRIVILEGED_PORTS = 1024

/** Text of the unit file. Options that systemd of this machine does not know yet are ignored by it. */
export function unitText(facts: ServiceFacts, { user, encrypted = [] }: UnitSettings): string {
  return [
    `${UNIT_MARK}. It is replaced by the next call;`,
    `# keep changes of your own in: systemctl edit ${facts.name}`,
    section('Unit', [
      ['Description', `Footman for Qlik Sense (${literal(facts.configFile)})`],
      ['Wants', 'network-online.target'],
      ['After', 'network-online.target time-sync.target'],
      // A start that fails again and again is tried for ever, but not in a hurry.
      ['StartLimitIntervalSec', '0'],
    ]),
    section('Service', [
      ['Type', 'notify'],
      // Where the socket of systemd cannot be used, the command systemd-notify is.
      ['NotifyAccess', 'all'],
      ['ExecStart', commandLine(facts)],
      ['ExecReload', '/bin/kill -HUP $MAINPID'],
      ['WorkingDirectory', literal(facts.workingDirectory)],
      ['User', user],
      ['Restart', 'on-failure'],
      ['RestartSec', '5'],
      // 1 = wrong configuration, which no restart repairs.
      ['RestartPreventExitStatus', '1'],
      ['WatchdogSec', String(WATCHDOG_S)],
      ['TimeoutStopSec', String(stopSeconds(facts))],
      ['KillMode', 'mixed'],
      ['LimitNOFILE', '65536'],
      ...facts.credentials.map((name) => credential(name, encrypted.includes(name))),
    ]),
    sandbox(facts),
    section('Install', [['WantedBy', 'multi-user.target']]),
  ].join('\n')
}

const stopSeconds = ({ graceMs }: ServiceFacts): number => Math.ceil(graceMs / 1000) + STOP_MARGIN_S

type Row = readonly [key: string, value: string]

const section = (name: string, rows: readonly Row[]): string =>
  `\n[${name}]\n${rows.map(([key, value]) => `${key}=${value}`).join('\n')}`

/** A drop-in of the administrator that names the same credential wins. */
const credential = (name: string, isEncrypted: boolean): Row =>
  isEncrypted
    ? ['LoadCredentialEncrypted', `${name}:${CREDENTIALS}.encrypted/${name}`]
    : ['LoadCredential', `${name}:${CREDENTIALS}/${name}`]

/** Where the files of credentials are kept, readable by root alone; encrypted ones in the same with `.encrypted`. */
const CREDENTIALS = '/etc/credstore'

/** No MemoryDenyWriteExecute: the JavaScript engine compiles at run time. */
function sandbox(facts: ServiceFacts): string {
  const paths = [facts.dataDirectory, facts.logDirectory, scheduleFolder(facts), ...facts.writable].filter(
    (path) => path !== null,
  )
  const needsBind = facts.listensOn.some((port) => port < PRIVILEGED_PORTS)
  const capabilities = needsBind ? 'CAP_NET_BIND_SERVICE' : ''
  const rows: Row[] = [
    ['NoNewPrivileges', 'yes'],
    ['ProtectSystem', facts.writesAnywhere ? 'full' : 'strict'],
    // A folder that is missing must not keep the service from starting.
    ...(facts.writesAnywhere ? [] : unique(paths).map((path): Row => ['ReadWritePaths', pathArgument(path)])),
    ['ProtectHome', homeProtection(facts)],
    ['PrivateTmp', usesTemporary(facts) ? 'no' : 'yes'],
    ['PrivateDevices', 'yes'],
    ['ProtectClock', 'yes'],
    ['ProtectControlGroups', 'yes'],
    ['ProtectHostname', 'yes'],
    ['ProtectKernelLogs', 'yes'],
    ['ProtectKernelModules', 'yes'],
    ['ProtectKernelTunables', 'yes'],
    ['ProtectProc', 'invisible'],
    ['LockPersonality', 'yes'],
    ['RemoveIPC', 'yes'],
    ['RestrictAddressFamilies', 'AF_INET AF_INET6 AF_UNIX AF_NETLINK'],
    ['RestrictNamespaces', 'yes'],
    ['RestrictRealtime', 'yes'],
    ['RestrictSUIDSGID', 'yes'],
    ['SystemCallArchitectures', 'native'],
    ['SystemCallFilter', '@system-service'],
    ['SystemCallFilter', '~@privileged'],
    ['SystemCallErrorNumber', 'EPERM'],
    ['CapabilityBoundingSet', capabilities],
    ['AmbientCapabilities', capabilities],
    ['UMask', '0027'],
  ]
  return `\n# What Footman does not need is closed\n${rows.map(([key, value]) => `${key}=${value}`).join('\n')}`
}

function pathsOf(facts: ServiceFacts): string[] {
  const { dataDirectory, logDirectory, scheduleFile, writable, readable, command } = facts
  return [
    ...command.filter((part) => part.startsWith('/')),
    dataDirectory,
    logDirectory ?? '',
    scheduleFile ?? '',
    ...writable,
    ...readable,
  ]
}

/** Home folders stay closed unless something of the configuration lies there. */
const homeProtection = (facts: ServiceFacts): string =>
  pathsOf(facts).some((path) => /^\/(home|root|run\/user)(\/|$)/.test(path)) ? 'read-only' : 'yes'

const usesTemporary = (facts: ServiceFacts): boolean => pathsOf(facts).some((path) => /^\/(var\/)?tmp(\/|$)/.test(path))

const unique = (paths: readonly string[]): string[] => [...new Set(paths)]

/** `%` starts a specifier. Line breaks cannot be written. */
const literal = (text: string): string => text.replaceAll('%', '%%').replaceAll(/[\r\n]+/g, ' ')

/** The program is taken as it is; in its arguments `$` starts a variable. */
const commandLine = ({ command: [program, ...args] }: ServiceFacts): string =>
  [literal(program), ...args.map((text) => literal(text).replaceAll('$', '$$$$'))].map(quoted).join(' ')

/** Quoted where needed. */
const quoted = (plain: string): string =>
  /^[\w@%+=:,./$-]+$/.test(plain) ? plain : `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`

/** One of a list of paths, which may be missing: the sign for that stands inside the quotes. */
const pathArgument = (text: string): string => quoted(`-${literal(text)}`)

// ------------------------------------------------------------------------------------------------ rights of the account

/*
 * The account of the service may write into its own folders, and read the configuration and the files that it names.
 * Foreign files keep their owners, and no link is followed.
 */
const OTHERS = { read: 0o004, enter: 0o001 } as const

const optional = (file: string, args: readonly string[]): Step => ({ kind: 'command', file, args, mayFail: true })

/** How the account is let in beside those who are in already; null = only people can. */
type Way = 'acl' | 'group' | null

interface RightsSettings {
  readonly user: string
  readonly way: Way
}

type Right = 'r' | 'x' | 'rwx'

/** With access control lists where there are some; else by the group, where that is the account's alone. */
async function wayIn(run: RunCommand, user: string, isNew: boolean): Promise<Way> {
  const says = (file: string, args: readonly string[]) =>
    run(file, args, { timeoutMs: PROBE_TIMEOUT_MS }).catch(() => null)
  if ((await says('setfacl', ['--version']))?.code === 0) return 'acl'
  const group = isNew ? user : (await says('id', ['-gn', user]))?.stdout.trim()
  return group === user ? 'group' : null
}

function letIn({ user, way }: RightsSettings, right: Right, path: string): Step[] {
  if (way === 'acl') return [optional('setfacl', ['-m', `u:${user}:${right}`, path])]
  // In this order, and exactly: what the group of root might do, the account must not.
  return [optional('chmod', [`g=${right}`, path]), optional('chgrp', [user, path])]
}

/** The group of a file is replaced only where it is that of root, who reads everything anyway. */
const canLetIn = async (way: Way, path: string): Promise<boolean> =>
  way === 'group' ? (await lookAt(path))?.gid === 0 : way === 'acl'

/** Data and log folder. Rejects with a `ServiceError` for a folder of the system. */
async function ownFolders({ dataDirectory, logDirectory }: ServiceFacts, settings: RightsSettings): Promise<Step[]> {
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
async function readRights(facts: ServiceFacts, settings: RightsSettings): Promise<Step[]> {
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
      kind: 'check',
      file: 'runuser',
      args: ['-u', user, '--', 'test', '-r', path],
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
const programCheck = ({ command: [program] }: ServiceFacts, user: string): Step => ({
  kind: 'check',
  file: 'runuser',
  args: ['-u', user, '--', 'test', '-x', program],
  warning: `${user} cannot run ${program}: put it where every account may, as /opt/footman, and call this again`,
})

/** The folder of the schedule file is opened when the account finds nothing else in it that it could replace. */
async function scheduleRights(facts: ServiceFacts, settings: RightsSettings): Promise<Step[]> {
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
async function openFolders(facts: ServiceFacts): Promise<{ facts: ServiceFacts; hints: string[] }> {
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

/** Checks whether the account can write; warnings are printed before the service starts. */
const writeChecks = ({ writable }: ServiceFacts, user: string): Step[] =>
  writable.map((path) =>
    writeCheck(user, path, `${user} cannot write in ${path}: setfacl -m u:${user}:rwx, if features of Footman need it`),
  )

const writeCheck = (user: string, path: string, warning: string): Step => ({
  kind: 'check',
  file: 'runuser',
  args: ['-u', user, '--', 'test', '-w', path],
  warning,
})
