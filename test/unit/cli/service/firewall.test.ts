import { describe, expect, test } from 'bun:test'
import { firewallHint, planFirewall } from '../../../../src/cli/service/install.ts'
import { CommandError, type RunCommand } from '../../../../src/platform/command.ts'
import { LINUX_FACTS, WINDOWS_FACTS } from '../../../support/service-facts.ts'

const answering =
  (answers: Readonly<Record<string, string>>): RunCommand =>
  async (file, args) => {
    const stdout = answers[[file, ...args].join(' ')]
    if (stdout === undefined) throw new CommandError(`${file} cannot be started: ENOENT`, 'notFound')
    return { code: 0, stdout, stderr: '' }
  }

const typed = (steps: readonly unknown[]) =>
  (steps as { file: string; args: string[] }[]).map(({ file, args }) => [file, ...args].join(' '))

describe('rules', () => {
  test('of Windows are limited to program, port and senders', async () => {
    const { steps } = await planFirewall(answering({}), WINDOWS_FACTS, 'win32')
    expect(typed(steps)).toEqual([
      'netsh.exe advfirewall firewall delete rule name=Footman UDP events',
      'netsh.exe advfirewall firewall add rule name=Footman UDP events dir=in action=allow protocol=UDP localport=9998 program=C:\\Program Files\\Footman\\footman.exe remoteip=10.0.0.5,10.1.0.0/16,fd00::1',
      'netsh.exe advfirewall firewall delete rule name=Footman REST API',
      'netsh.exe advfirewall firewall add rule name=Footman REST API dir=in action=allow protocol=TCP localport=8080 program=C:\\Program Files\\Footman\\footman.exe',
    ])
  })

  test('are made with ufw where that is active', async () => {
    const { steps } = await planFirewall(
      answering({ 'env LC_ALL=C ufw status': 'Status: active\n' }),
      LINUX_FACTS,
      'linux',
    )
    expect(typed(steps)).toEqual([
      'ufw allow proto udp from 10.0.0.5 to any port 9998 comment footman UDP events',
      'ufw allow proto udp from 10.1.0.0/16 to any port 9998 comment footman UDP events',
      'ufw allow proto udp from fd00::1 to any port 9998 comment footman UDP events',
      'ufw allow proto tcp from any to any port 8080 comment footman REST API',
    ])
  })

  test('are made with firewalld where ufw is not active', async () => {
    const run = answering({ 'env LC_ALL=C ufw status': 'Status: inactive\n', 'firewall-cmd --state': 'running\n' })
    const { steps } = await planFirewall(run, LINUX_FACTS, 'linux')
    expect(typed(steps)).toEqual([
      'firewall-cmd --permanent --add-rich-rule=rule family="ipv4" source address="10.0.0.5" port port="9998" protocol="udp" accept',
      'firewall-cmd --permanent --add-rich-rule=rule family="ipv4" source address="10.1.0.0/16" port port="9998" protocol="udp" accept',
      'firewall-cmd --permanent --add-rich-rule=rule family="ipv6" source address="fd00::1" port port="9998" protocol="udp" accept',
      'firewall-cmd --permanent --add-port=8080/tcp',
      'firewall-cmd --reload',
    ])
  })

  test('are not made where no firewall is active', async () => {
    expect(await planFirewall(answering({}), LINUX_FACTS, 'linux')).toEqual({
      steps: [],
      warning: 'neither ufw nor firewalld is active here: no rules were made',
    })
  })

  test('let nobody in where only host names may send, which are named', async () => {
    const [udp] = LINUX_FACTS.ports
    const facts = { ...LINUX_FACTS, ports: [{ ...udp!, from: [], names: ['qs2.acme.example'] }] }
    expect((await planFirewall(answering({}), facts, 'win32')).steps).toEqual([])
    expect(firewallHint(facts, 'linux')).toContain('add the addresses of qs2.acme.example to "UDP events"')
  })
})

test('the hint has the words of PowerShell and nftables', () => {
  expect(firewallHint(WINDOWS_FACTS, 'win32')).toContain(
    "New-NetFirewallRule -DisplayName 'Footman UDP events' -Direction Inbound -Action Allow -Protocol UDP -LocalPort 9998 -Program 'C:\\Program Files\\Footman\\footman.exe' -RemoteAddress '10.0.0.5','10.1.0.0/16','fd00::1'",
  )
  expect(firewallHint(LINUX_FACTS, 'linux')).toContain(
    'nft add rule inet filter input ip saddr { 10.0.0.5, 10.1.0.0/16 } udp dport 9998 accept',
  )
})

test('nothing is said where nobody connects from outside', () => {
  expect(firewallHint({ ...LINUX_FACTS, ports: [] }, 'linux')).toBeNull()
})
