/** Firewall rules for the ports that others connect to: as text for every firewall, or as commands for the one here. */
import { isIP } from 'node:net'
import type { RunCommand } from '../../platform/command.ts'
import type { ServiceFacts, ServicePort, Step } from './host.ts'
import { commandLine } from './plan.ts'

const PROBE_TIMEOUT_MS = 10_000

type Command = Extract<Step, { readonly kind: 'command' }>

const command = (file: string, args: readonly string[], mayFail = false): Command => ({
  ...{ kind: 'command', file, args, mayFail },
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
