/** How services are asked about: the commands, their arguments, and what their failures mean. */
import { describe, expect, test } from 'bun:test'
import { hostname } from 'node:os'
import { createServiceReader } from '../../../src/monitors/services/reader.ts'
import { CommandError, type CommandResult, type RunCommand } from '../../../src/platform/command.ts'

const { signal } = new AbortController()
const ok = (stdout: string): CommandResult => ({ code: 0, stdout, stderr: '' })
const service = (name: string, state: number) =>
  `SERVICE_NAME: ${name}\r\nDISPLAY_NAME: ${name}\r\n        TYPE : 10  X\r\n        STATE : ${state}  X\r\n\r\n`
const NO_SUCH_SERVICE = {
  code: 1060,
  stderr: '',
  stdout: '[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\r\n\r\nThe specified service does not exist.\r\n',
}
const DENIED = { code: 5, stderr: '', stdout: '[SC] OpenService FAILED 5:\r\n\r\nAccess is denied.\r\n' }

function scripted(platform: string, answer: (file: string, args: readonly string[]) => CommandResult) {
  const calls: string[][] = []
  const run: RunCommand = async (file, args, options) => {
    expect(options).toMatchObject({ timeoutMs: 30_000, signal })
    calls.push([file, ...args])
    return answer(file, args)
  }
  return { calls, reader: createServiceReader({ run }, platform) }
}

describe('Windows', () => {
  test('one list per host tells all states; what is not in it is asked for by name', async () => {
    const { calls, reader } = scripted('win32', (_, args) => {
      if (args.includes('state=')) return ok(service('QlikSenseEngineService', 4) + service('MSSQL$PROD', 7))
      if (args.includes('Gone')) return NO_SUCH_SERVICE
      return args.includes('Secret') ? DENIED : ok(service('Late', 1))
    })
    const names = ['qliksenseengineservice', 'MSSQL$PROD', 'Late', 'Gone', 'Secret', 'a"b', '\\\\srv9']
    const states = await reader.states('srv-1.my_domain.com', names, signal)
    expect([...states.values()].map((state) => (state instanceof Error ? state.message : state))).toEqual([
      'RUNNING',
      'PAUSED',
      'STOPPED',
      null,
      '[SC] OpenService FAILED 5: Access is denied.',
      'Service name is invalid',
      'Service name is invalid',
    ])
    const host = '\\\\srv-1.my_domain.com'
    expect(calls).toEqual([
      ['sc.exe', host, 'query', 'state=', 'all', 'bufsize=', '262144'],
      ['sc.exe', host, 'query', 'Late'],
      ['sc.exe', host, 'query', 'Gone'],
      ['sc.exe', host, 'query', 'Secret'],
    ])
  })

  test('only the programs of Windows itself are run', async () => {
    const calls: string[] = []
    const run: RunCommand = async (file) => {
      calls.push(file)
      throw new CommandError('not there', 'notFound')
    }
    const reader = createServiceReader({ run, systemRoot: 'C:\\Windows' }, 'win32')
    await expect(reader.states('srv1', ['A'], signal)).rejects.toThrow('not there')
    expect(calls).toEqual([
      'C:\\Windows\\System32\\sc.exe',
      'C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe',
    ])
  })

  test('a host that cannot be asked', async () => {
    const down = {
      code: 1722,
      stderr: '',
      stdout: '[SC] OpenSCManager FAILED 1722:\r\n\r\nThe RPC server is unavailable.\r\n',
    }
    const { reader } = scripted('win32', () => down)
    await expect(reader.states('srv1', ['A'], signal)).rejects.toThrow(
      '[SC] OpenSCManager FAILED 1722: The RPC server is unavailable.',
    )
  })

  test.each(['fe80::1', 'srv1 & calc', '', 'a/b', '$(x)'])('%j is no host', async (host) => {
    const { calls, reader } = scripted('win32', () => ok(''))
    await expect(reader.states(host, ['A'], signal)).rejects.toThrow('Invalid host parameter')
    await reader.states(host, ['A'], signal).catch(() => {})
    expect(calls).toEqual([])
  })

  test('details: one command; a failure rejects', async () => {
    const config =
      '[SC] QueryServiceConfig SUCCESS\r\n\r\nSERVICE_NAME: A\r\n  TYPE : 10\r\n  START_TYPE : 4   DISABLED\r\n  ERROR_CONTROL : 1\r\n  BINARY_PATH_NAME : C:\\a.exe\r\n  LOAD_ORDER_GROUP :\r\n  TAG : 0\r\n  DISPLAY_NAME : An A\r\n  DEPENDENCIES : b\r\n   : c\r\n  SERVICE_START_NAME : LocalSystem\r\n'
    const { calls, reader } = scripted('win32', (_, args) => (args.includes('A') ? ok(config) : DENIED))
    expect(await reader.info('srv1', 'A', signal)).toEqual({
      displayName: 'An A',
      startType: 'Disabled',
      exePath: 'C:\\a.exe',
      dependencies: ['b', 'c'],
    })
    expect(calls).toEqual([['sc.exe', '\\\\srv1', 'qc', 'A', '8192']])
    await expect(reader.info('srv1', 'B', signal)).rejects.toThrow('Access is denied')
  })

  test('without sc.exe PowerShell is asked, from then on', async () => {
    const { calls, reader } = scripted('win32', (file, args) => {
      if (file === 'sc.exe') throw new CommandError('sc.exe cannot be started: ENOENT', 'notFound')
      if (args.at(-1)!.includes('Get-Service')) return ok('{"Name":"A","ServicesDependedOn":["rpcss"]}')
      return ok('[{"Name":"A","DisplayName":"An A","State":"Running","StartMode":"Auto","PathName":"a.exe"}]')
    })
    expect(await reader.states('srv1', ['a', 'B'], signal)).toEqual(
      new Map([
        ['a', 'RUNNING' as const],
        ['B', null],
      ]),
    )
    expect(await reader.info('srv1', 'a', signal)).toEqual({
      displayName: 'An A',
      startType: 'Automatic',
      exePath: 'a.exe',
      dependencies: ['rpcss'],
    })
    expect(calls.map(([file]) => file)).toEqual(['sc.exe', ...Array(3).fill('powershell.exe')])
    expect(calls[1]!.at(-1)).toContain("-ComputerName 'srv1'")
  })

  test('a hung command is an error of the host, not of one service', async () => {
    const { reader } = scripted('win32', (_, args) => {
      if (args.includes('state=')) return ok(service('A', 4))
      throw new CommandError('sc.exe did not answer within 30 s', 'timeout')
    })
    await expect(reader.states('srv1', ['B'], signal)).rejects.toThrow('did not answer within 30 s')
  })
})

describe('systemd', () => {
  const units = 'LoadState=loaded\nActiveState=active\n\nLoadState=not-found\nActiveState=inactive\n'

  test('all units with one command; names that are none are told apart', async () => {
    const { calls, reader } = scripted('linux', () => ok(units))
    const states = await reader.states('localhost', ['ssh', '$(x)', 'gone.service'], signal)
    expect([...states.values()]).toEqual(['RUNNING', new Error('Service name is invalid'), null])
    expect(calls).toHaveLength(1)
    expect(calls[0]!.slice(-3)).toEqual(['--', 'ssh', 'gone.service'])
  })

  test('only on this machine', () => {
    const { reader } = scripted('linux', () => ok(''))
    for (const host of ['localhost', '127.0.0.1', hostname(), hostname().toUpperCase()]) {
      expect(reader.refusal(host)).toBeNull()
    }
    expect(reader.refusal('srv1.my.domain')).toBe('Windows services can only be read where Footman runs on Windows')
  })

  test('without systemd: why', async () => {
    const { reader } = scripted('linux', () => ({
      code: 1,
      stdout: '',
      stderr: 'System has not been booted with systemd as init system (PID 1).\n',
    }))
    await expect(reader.states('localhost', ['ssh'], signal)).rejects.toThrow('System has not been booted with systemd')
  })
})

test('elsewhere nothing can be read', async () => {
  const { reader } = scripted('darwin', () => ok(''))
  expect(reader.refusal('localhost')).toBe('services cannot be read on darwin')
  await expect(reader.states('localhost', ['A'], signal)).rejects.toThrow()
})
