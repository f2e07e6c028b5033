/** `footman service install` and `uninstall`. */

import { isIP } from 'node:net'
import { dirname, resolve } from 'node:path'
import type { RunCommand } from '../../platform/command.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import type { SERVICE_INSTALL, SERVICE_UNINSTALL } from './command.ts'
import { serviceFacts } from './facts.ts'
import { type Plan, ServiceError, type ServiceFacts, type ServiceHost, type ServicePort, type Step } from './host.ts'
import { planInstall, planUninstall, UNIT_DIRECTORY } from './linux.ts'
import { carryOut, commandLine, show } from './plan.ts'
import { planNssm, planTask, planWindowsUninstall, planWinsw } from './windows/plan.ts'

export interface NameOptions {
  readonly name?: string
}

export type InstallOptions = Partial<OptionsOf<typeof SERVICE_INSTALL>>

const DEFAULT_USER = 'footman'

/** 0 installed and started, 1 wrong arguments or configuration, 2 refused, 3 WinSW is missing. */
export function runInstall(options: InstallOptions, io: CommandIo, host: ServiceHost): Promise<number> {
  return guarded(io, async () => {
    const platform = supported(host)
    const facts = await serviceFacts(host, { name: nameOf(options, platform), configfile: options.configfile })
    const plan = await planOf(host, facts, options, platform)
    const firewall = options.firewall
      ? await planFirewall(host.run, facts, platform)
      : { steps: [], warning: firewallHint(facts, platform) }
    const whole: Plan = {
      steps: [...plan.steps, ...firewall.steps],
      hints: [
        ...plan.hints,
        ...variablesHint(facts, platform),
        ...(firewall.warning === null ? [] : [firewall.warning]),
      ],
    }
    const deps = { io, run: host.run, platform }
    if (options.print || options.dryRun) {
      show(deps, whole)
      return EXIT.ok
    }
    await carryOut(deps, whole)
    if (options.nssm !== true) io.out(`\n${doneText(facts, options, platform)}`)
    return EXIT.ok
  })
}

/** 0 removed, 2 refused, 3 there is no such service. */
export function runUninstall(
  options: OptionsOf<typeof SERVICE_UNINSTALL>,
  io: CommandIo,
  host: ServiceHost,
): Promise<number> {
  return guarded(io, async () => {
    const platform = supported(host)
    const name = nameOf(options, platform)
    const plan =
      platform === 'win32'
        ? await planWindowsUninstall(host.run, name, folderOf(host, options))
        : await planUninstall(name, options.directory ?? UNIT_DIRECTORY)
    const deps = { io, run: host.run, platform }
    if (options.print || options.dryRun) show(deps, plan)
    else await carryOut(deps, plan)
    return EXIT.ok
  })
}

type Supported = 'linux' | 'win32'

async function planOf(
  host: ServiceHost,
  facts: ServiceFacts,
  options: InstallOptions,
  platform: Supported,
): Promise<Plan> {
  const start = options.start !== false
  if (platform === 'linux') {
    refuseWindowsOptions(options)
    const { user = DEFAULT_USER, directory = UNIT_DIRECTORY } = options
    if (!/^[a-z_][a-z0-9_-]{0,30}\$?$/i.test(user)) {
      throw new ServiceError(`--user ${user}: is not the name of an account`, EXIT.badInput)
    }
    return planInstall(host.run, facts, { user, directory, start })
  }
  const { user, winsw, taskScheduler, nssm } = options
  if ([winsw !== undefined, taskScheduler, nssm].filter(Boolean).length > 1) {
    throw new ServiceError('--winsw, --task-scheduler and --nssm: choose one of them', EXIT.badInput)
  }
  const settings = {
    user,
    winsw: winsw && resolve(host.cwd, winsw),
    directory: folderOf(host, options),
    start,
    env: host.env,
  }
  if (nssm) return planNssm(facts, settings)
  return taskScheduler ? planTask(facts, settings) : planWinsw(host.run, facts, settings)
}

function variablesHint({ name, variables }: ServiceFacts, platform: Supported): string[] {
  if (variables.length === 0) return []
  const how =
    platform === 'win32'
      ? variables.map((variable) => `  setx /M ${variable} VALUE`)
      : [`  systemctl edit ${name}`, '  [Service]', ...variables.map((variable) => `  Environment=${variable}=VALUE`)]
  return [['Environment variables of the configuration, which the service needs:', ...how].join('\n')]
}

function refuseWindowsOptions({ winsw, taskScheduler, nssm }: InstallOptions): void {
  if (winsw === undefined && !taskScheduler && !nssm) return
  throw new ServiceError(
    '--winsw, --task-scheduler and --nssm: are for Windows; here systemd runs services',
    EXIT.badInput,
  )
}

/** Beside the program. */
export const folderOf = (host: ServiceHost, { directory }: { readonly directory?: string }): string =>
  directory === undefined ? dirname(host.script ?? host.execPath) : resolve(host.cwd, directory)

export function supported({ platform }: ServiceHost): Supported {
  if (platform === 'linux' || platform === 'win32') return platform
  throw new ServiceError(
    `service: Footman makes services on Linux (systemd) and Windows, not on ${platform}`,
    EXIT.badInput,
  )
}

/** Also a file name, and an id in every service manager. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/

export function nameOf({ name }: NameOptions, platform: Supported): string {
  if (name === undefined) return platform === 'win32' ? 'Footman' : 'footman'
  if (NAME.test(name)) return name
  throw new ServiceError(`--name ${name}: may have letters, digits, dots, hyphens and underscores only`, EXIT.badInput)
}

function doneText({ name }: ServiceFacts, { start }: InstallOptions, platform: Supported): string {
  const suffix = /^footman$/i.test(name) ? '' : ` --name ${name}`
  const where = platform === 'win32' ? 'services.msc or the Task Scheduler' : 'systemctl'
  const state = start === false ? `installed; start it with ${where}` : 'installed and started'
  return `Service ${name}: ${state}. See: footman service status${suffix}, footman service logs${suffix}`
}

/** Runs a command; errors for people go to standard error. */
export async function guarded(io: CommandIo, work: () => Promise<number>): Promise<number> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    io.err(`error: ${error.message}`)
    return error.exitCode
  }
}

// ------------------------------------------- firewall rules for the ports that other machines connect to

const PROBE_TIMEOUT_MS = 10_000

type Command = Extract<Step, { readonly kind: 'command' }>

const command = (file: string, args: readonly string[], mayFail = false): Command => ({
  kind: 'command',
  file,
  args,
  mayFail,
})

/** Where only names may send, a rule would have to let everybody in: there is none. */
const closable = ({ ports }: ServiceFacts): readonly ServicePort[] =>
  ports.filter(({ from, names }) => from.length > 0 || names.length === 0)

const ruleName = (facts: ServiceFacts, { purpose }: ServicePort): string => `${facts.name} ${purpose}`

/** Limited to the program, the port and the senders. */
function windowsRules(facts: ServiceFacts): Command[] {
  return closable(facts).flatMap((port) => {
    const name = `name=${ruleName(facts, port)}`
    const remote = port.from.length > 0 ? [`remoteip=${port.from.join(',')}`] : []
    const place = [`protocol=${port.protocol.toUpperCase()}`, `localport=${port.port}`, `program=${facts.command[0]}`]
    return [
      command('netsh.exe', ['advfirewall', 'firewall', 'delete', 'rule', name], true),
      command('netsh.exe', [
        'advfirewall',
        'firewall',
        'add',
        'rule',
        name,
        'dir=in',
        'action=allow',
        ...place,
        ...remote,
      ]),
    ]
  })
}

function powershellLines(facts: ServiceFacts): string[] {
  const text = (value: string) => `'${value.replaceAll("'", "''")}'`
  return closable(facts).map((port) => {
    const remote = port.from.length > 0 ? ` -RemoteAddress ${port.from.map(text).join(',')}` : ''
    const place = `-Protocol ${port.protocol.toUpperCase()} -LocalPort ${port.port} -Program ${text(facts.command[0])}`
    return `New-NetFirewallRule -DisplayName ${text(ruleName(facts, port))} -Direction Inbound -Action Allow ${place}${remote}`
  })
}

const everybody = (port: ServicePort): readonly string[] => (port.from.length > 0 ? port.from : ['any'])

function ufwRules(facts: ServiceFacts): Command[] {
  return closable(facts).flatMap((port) =>
    everybody(port).map((from) => {
      const place = ['proto', port.protocol, 'from', from, 'to', 'any', 'port', String(port.port)]
      return command('ufw', ['allow', ...place, 'comment', ruleName(facts, port)])
    }),
  )
}

const family = (network: string): 'ipv4' | 'ipv6' => (isIP(network.replace(/\/.*/, '')) === 6 ? 'ipv6' : 'ipv4')

function firewalldRules(facts: ServiceFacts): Command[] {
  const rules = closable(facts).flatMap(({ from, port, protocol }) =>
    from.length === 0
      ? [`--add-port=${port}/${protocol}`]
      : from.map(
          (network) =>
            `--add-rich-rule=rule family="${family(network)}" source address="${network}" port port="${port}" protocol="${protocol}" accept`,
        ),
  )
  return [...rules.map((rule) => command('firewall-cmd', ['--permanent', rule])), command('firewall-cmd', ['--reload'])]
}

function nftLines(facts: ServiceFacts): string[] {
  return closable(facts).flatMap(({ from, port, protocol }) => {
    const families = [...new Set(from.map(family))]
    const sources = families.map((one) => {
      const networks = from.filter((network) => family(network) === one)
      return `${one === 'ipv6' ? 'ip6' : 'ip'} saddr { ${networks.join(', ')} } `
    })
    return (sources.length > 0 ? sources : ['']).map(
      (source) => `nft add rule inet filter input ${source}${protocol} dport ${port} accept`,
    )
  })
}

/** For people: the same for every firewall of the platform; null when nothing listens to others. */
export function firewallHint(facts: ServiceFacts, platform: NodeJS.Platform): string | null {
  if (facts.ports.length === 0) return null
  const lines = (commands: readonly Command[]) => commands.map((one) => commandLine(one, platform))
  const groups: readonly (readonly [string, readonly string[]])[] =
    platform === 'win32'
      ? [
          ['cmd', lines(windowsRules(facts).filter(({ mayFail }) => !mayFail))],
          ['PowerShell', powershellLines(facts)],
        ]
      : [
          ['ufw', lines(ufwRules(facts))],
          ['firewalld', lines(firewalldRules(facts))],
          ['nftables', nftLines(facts)],
        ]
  return [
    'Firewall: others connect to these ports (--firewall makes the rules).',
    ...groups.flatMap(([name, rules]) => [`  ${name}:`, ...rules.map((rule) => `    ${rule}`)]),
    ...namesHint(facts),
  ].join('\n')
}

function namesHint({ ports }: ServiceFacts): string[] {
  return ports
    .filter(({ names }) => names.length > 0)
    .map(
      ({ purpose, names }) =>
        `  Firewalls know no host names: add the addresses of ${names.join(', ')} to "${purpose}".`,
    )
}

interface FirewallPlan {
  readonly steps: readonly Step[]
  readonly warning: string | null
}

/** Commands for the firewall of this machine. */
export async function planFirewall(
  run: RunCommand,
  facts: ServiceFacts,
  platform: NodeJS.Platform,
): Promise<FirewallPlan> {
  if (facts.ports.length === 0) return { steps: [], warning: null }
  if (platform === 'win32') return { steps: windowsRules(facts), warning: null }
  const says = (file: string, args: readonly string[]) =>
    run(file, args, { timeoutMs: PROBE_TIMEOUT_MS }).catch(() => null)
  // It answers in the language of the user.
  const ufw = await says('env', ['LC_ALL=C', 'ufw', 'status'])
  if (ufw?.code === 0 && /^Status: active/m.test(ufw.stdout)) return { steps: ufwRules(facts), warning: null }
  const firewalld = await says('firewall-cmd', ['--state'])
  if (firewalld?.code === 0) return { steps: firewalldRules(facts), warning: null }
  return { steps: [], warning: 'neither ufw nor firewalld is active here: no rules were made' }
}
