import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { windowsArgument } from '../../../../src/cli/service/plan.ts'
import { nssmCommands, taskXml, winswXml } from '../../../../src/cli/service/windows/managers.ts'
import { fromXml, serviceAccount, taskAccount, xml } from '../../../../src/cli/service/windows/places.ts'
import { WINDOWS_FACTS } from '../../../support/service-facts.ts'

const element = (text: string, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]

describe('WinSW', () => {
  const text = winswXml(WINDOWS_FACTS, 'NT SERVICE\\Footman')

  test.each([
    ['id', 'Footman'],
    ['executable', 'C:\\Program Files\\Footman\\footman.exe'],
    ['arguments', 'run -c &quot;C:\\Qlik &amp; Co\\config\\prod.yaml&quot;'],
    ['workingdirectory', 'C:\\Program Files\\Footman'],
    ['startmode', 'Automatic'],
    ['delayedAutoStart', 'true'],
    ['stoptimeout', '25 sec'],
    ['resetfailure', '1 hour'],
    ['domain', 'NT SERVICE'],
    ['user', 'Footman'],
    ['username', 'NT SERVICE\\Footman'],
    ['allowservicelogon', 'false'],
    ['logpath', 'C:\\Program Files\\Footman\\log'],
  ])('%s: %s', (name, value) => expect(element(text, name)).toBe(value))

  test('restarts later and later', () => {
    expect([...text.matchAll(/<onfailure action="restart" delay="([^"]+)"\/>/g)].map(([, delay]) => delay)).toEqual([
      '5 sec',
      '1 min',
      '5 min',
    ])
  })

  test('a group managed account gets the right to log on as a service', () => {
    const managed = winswXml(WINDOWS_FACTS, 'ACME\\footman$')
    expect(element(managed, 'domain')).toBe('ACME')
    expect(element(managed, 'user')).toBe('footman$')
    expect(element(managed, 'allowservicelogon')).toBe('true')
  })

  test('output goes to the folder of the log files', () => {
    expect(element(winswXml({ ...WINDOWS_FACTS, outputDirectory: 'D:\\log' }, 'x'), 'logpath')).toBe('D:\\log')
  })
})

describe('the task', () => {
  const text = taskXml(WINDOWS_FACTS, { id: 'S-1-5-19', isManaged: false })

  test.each([
    ['UserId', 'S-1-5-19'],
    ['RunLevel', 'LeastPrivilege'],
    ['MultipleInstancesPolicy', 'IgnoreNew'],
    ['ExecutionTimeLimit', 'PT0S'],
    ['Interval', 'PT1M'],
    ['Count', '255'],
    ['Command', '&quot;C:\\Program Files\\Footman\\footman.exe&quot;'],
    ['Arguments', 'run -c &quot;C:\\Qlik &amp; Co\\config\\prod.yaml&quot;'],
    ['WorkingDirectory', 'C:\\Program Files\\Footman'],
    ['Delay', 'PT30S'],
  ])('%s: %s', (name, value) => expect(element(text, name)).toBe(value))

  test('declares its encoding and has the line ends of Windows', () => {
    expect(text).toStartWith('<?xml version="1.0" encoding="UTF-16"?>\r\n')
    expect(text.replaceAll('\r\n', '')).not.toContain('\n')
  })

  test('a group managed account needs its kind of logon', () => {
    expect(element(taskXml(WINDOWS_FACTS, { id: 'ACME\\footman$', isManaged: true }), 'LogonType')).toBe('Password')
  })
})

test('NSSM: as existing entries are made', () => {
  expect(nssmCommands(WINDOWS_FACTS, 'NT SERVICE\\Footman')).toEqual([
    'nssm install Footman "C:\\Program Files\\Footman\\footman.exe"',
    // The first quote after a backslash ends the text for cmd.exe.
    'nssm set Footman AppParameters "run -c \\"C:\\Qlik ^& Co\\config\\prod.yaml\\""',
    'nssm set Footman AppDirectory "C:\\Program Files\\Footman"',
    'nssm set Footman DisplayName "Footman for Qlik Sense"',
    'nssm set Footman Start SERVICE_DELAYED_AUTO_START',
    'nssm set Footman ObjectName "NT SERVICE\\Footman"',
    'nssm set Footman AppStopMethodConsole 25000',
    'nssm set Footman AppRestartDelay 5000',
    'nssm set Footman AppExit Default Restart',
    'nssm set Footman AppExit 0 Exit',
    'nssm set Footman AppExit 1 Exit',
    'nssm set Footman AppStdout "C:\\Program Files\\Footman\\log\\Footman.out.log"',
    'nssm set Footman AppStderr "C:\\Program Files\\Footman\\log\\Footman.err.log"',
    'nssm set Footman AppRotateFiles 1',
    'nssm set Footman AppRotateBytes 10485760',
    'nssm start Footman',
  ])
})

describe('accounts', () => {
  test.each([
    [undefined, 'NT SERVICE\\Footman'],
    ['LocalService', 'NT AUTHORITY\\LocalService'],
    ['NT AUTHORITY\\networkservice', 'NT AUTHORITY\\NetworkService'],
    ['NT SERVICE\\Other', 'NT SERVICE\\Other'],
    ['ACME\\footman$', 'ACME\\footman$'],
  ])('a service as %p: %s', (wanted, account) => expect(serviceAccount(wanted, 'Footman')).toBe(account))

  test.each(['ACME\\anna', 'anna', 'Administrator'])('%s needs a password', (wanted) => {
    expect(() => serviceAccount(wanted, 'Footman')).toThrow('Footman asks for no passwords')
  })

  test('a task as LocalService, unless told otherwise', () => {
    expect(taskAccount(undefined, 'Footman')).toEqual({ id: 'S-1-5-19', isManaged: false })
    expect(taskAccount('NetworkService', 'Footman')).toEqual({ id: 'S-1-5-20', isManaged: false })
    expect(taskAccount('ACME\\footman$', 'Footman')).toEqual({ id: 'ACME\\footman$', isManaged: true })
    expect(() => taskAccount('NT SERVICE\\Footman', 'Footman')).toThrow('tasks of the Task Scheduler run as')
  })
})

/** How the C runtime of Microsoft splits a command line. */
function splitArguments(line: string): string[] {
  const found: string[] = []
  let [current, quoted, started] = ['', false, false]
  for (let i = 0; i < line.length; i++) {
    const slashes = /^\\*/.exec(line.slice(i))![0].length
    if (slashes > 0 && line[i + slashes] === '"') {
      current += '\\'.repeat(Math.floor(slashes / 2))
      i += slashes
      if (slashes % 2 === 1) current += '"'
      else quoted = !quoted
      started = true
    } else if (line[i] === '"') {
      quoted = !quoted
      started = true
    } else if (line[i] === ' ' && !quoted) {
      if (started) found.push(current)
      ;[current, started] = ['', false]
    } else {
      current += line[i]
      started = true
    }
  }
  return started ? [...found, current] : found
}

test('arguments arrive as they are', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '\\', '"', ' ', '&', '%', '^', 'ä') })
  fc.assert(
    fc.property(fc.array(text), (args) => {
      expect(splitArguments(args.map(windowsArgument).join(' '))).toEqual(args)
    }),
  )
})

test('XML holds any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const written = xml(text)
      expect(written).not.toMatch(/[<>"']|&(?!(amp|lt|gt|quot|apos);)/)
      expect(fromXml(written)).toBe(text.replaceAll(/(?![\t\n\r])\p{Cc}|[\ufffe\uffff]/gu, ''))
    }),
  )
})
