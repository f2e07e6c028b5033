/** The systemd unit of a Footman: its life, its account and what of the machine it sees. */
import { scheduleFolder } from '../folders.ts'
import type { ServiceFacts } from '../types.ts'

export interface UnitSettings {
  readonly user: string
  /** Credentials that lie encrypted on this machine; the others are plain files. */
  readonly encrypted?: readonly string[]
}

/** The first line of what this program writes; a file without it is somebody else's. */
export const UNIT_MARK = '# Written by "footman service install"'

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
      // 1 = wrong configuration, which no restart mends.
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

export const stopSeconds = ({ graceMs }: ServiceFacts): number => Math.ceil(graceMs / 1000) + STOP_MARGIN_S

type Row = readonly [key: string, value: string]

const section = (name: string, rows: readonly Row[]): string =>
  `\n[${name}]\n${rows.map(([key, value]) => `${key}=${value}`).join('\n')}`

/** A drop-in of the administrator that names the same credential wins. */
const credential = (name: string, isEncrypted: boolean): Row =>
  isEncrypted
    ? ['LoadCredentialEncrypted', `${name}:${CREDENTIALS}.encrypted/${name}`]
    : ['LoadCredential', `${name}:${CREDENTIALS}/${name}`]

/** Where the files of credentials are kept, readable by root alone; encrypted ones in the same with `.encrypted`. */
export const CREDENTIALS = '/etc/credstore'

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
