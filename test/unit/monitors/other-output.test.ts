/** What PowerShell and systemctl print about services. */
import { describe, expect, test } from 'bun:test'
import { parseUnits } from '../../../src/monitors/services/systemd-reader.ts'
import { parsePowerShell } from '../../../src/monitors/services/windows-reader.ts'

describe('PowerShell', () => {
  test('Get-CimInstance Win32_Service: a list', () => {
    const output =
      '\uFEFF[{"Name":"QlikSenseProxyService","DisplayName":"Qlik Sense Proxy Service","State":"Running","StartMode":"Auto","DelayedAutoStart":true,"PathName":"\\"C:\\\\Program Files\\\\Qlik\\\\Sense\\\\Proxy\\\\Proxy.exe\\""},' +
      '{"Name":"Spooler","DisplayName":"Druckwarteschlange","State":"Stop Pending","StartMode":"Manual","DelayedAutoStart":false,"PathName":null}]\r\n'
    expect(parsePowerShell(output)).toEqual([
      {
        name: 'QlikSenseProxyService',
        displayName: 'Qlik Sense Proxy Service',
        status: 'RUNNING',
        startType: 'Automatic (delayed start)',
        exePath: '"C:\\Program Files\\Qlik\\Sense\\Proxy\\Proxy.exe"',
        dependencies: [],
      },
      {
        name: 'Spooler',
        displayName: 'Druckwarteschlange',
        status: 'STOP_PENDING',
        startType: 'Manual',
        exePath: '',
        dependencies: [],
      },
    ])
  })

  test('Get-Service: one object, numbers for words, dependencies as objects', () => {
    const output =
      '{"Name":"QlikSenseEngineService","DisplayName":"Qlik Sense Engine Service","Status":1,"StartType":4,"ServicesDependedOn":[{"Name":"QlikSenseServiceDispatcher"},{"Name":"rpcss"}]}'
    expect(parsePowerShell(output)).toMatchObject([
      {
        status: 'STOPPED',
        startType: 'Disabled',
        dependencies: ['QlikSenseServiceDispatcher', 'rpcss'],
      },
    ])
  })

  test.each([
    ['"Stopped"', 'STOPPED'],
    ['"StartPending"', 'START_PENDING'],
    ['"Continue Pending"', 'CONTINUE_PENDING'],
    ['"Pause Pending"', 'PAUSE_PENDING'],
    ['"Paused"', 'PAUSED'],
    ['7', 'PAUSED'],
    ['"Unknown"', null],
    ['null', null],
  ])('state %s is %p', (state, status) => {
    expect(parsePowerShell(`{"Name":"A","State":${state}}`)[0]?.status).toBe(status as never)
  })

  test('one dependency as text, none at all', () => {
    expect(parsePowerShell('{"Name":"A","ServicesDependedOn":"rpcss"}')[0]?.dependencies).toEqual(['rpcss'])
    expect(parsePowerShell('{"Name":"A","ServicesDependedOn":null}')[0]?.dependencies).toEqual([])
  })

  test('no service is no output; what is no JSON throws', () => {
    expect(parsePowerShell('')).toEqual([])
    expect(() => parsePowerShell('Get-Service : Cannot find any service')).toThrow()
  })
})

describe('systemctl show', () => {
  const OUTPUT = `Requires=sysinit.target system.slice
ExecStart={ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D $SSHD_OPTS ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
Description=OpenBSD Secure Shell server
LoadState=loaded
ActiveState=active
UnitFileState=enabled

Description=nothing.service
LoadState=not-found
ActiveState=inactive
UnitFileState=

Description=Back up = copy
LoadState=loaded
ActiveState=failed
UnitFileState=static
`

  test('loaded, unknown and failed units, in the order in which they were named', () => {
    expect(parseUnits(OUTPUT)).toEqual([
      {
        status: 'RUNNING',
        displayName: 'OpenBSD Secure Shell server',
        startType: 'Automatic',
        exePath: '/usr/sbin/sshd -D $SSHD_OPTS',
        dependencies: ['sysinit.target', 'system.slice'],
      },
      { status: null, displayName: 'nothing.service', startType: '', exePath: '', dependencies: [] },
      { status: 'STOPPED', displayName: 'Back up = copy', startType: 'Manual', exePath: '', dependencies: [] },
    ])
  })

  test.each([
    ['activating', 'START_PENDING'],
    ['deactivating', 'STOP_PENDING'],
    ['reloading', 'RUNNING'],
    ['inactive', 'STOPPED'],
    ['odd', null],
  ])('ActiveState %s is %p', (state, status) => {
    expect(parseUnits(`LoadState=loaded\nActiveState=${state}\n`)[0]?.status).toBe(status as never)
  })

  test('masked units are disabled', () => {
    expect(parseUnits('LoadState=masked\nActiveState=inactive\nUnitFileState=masked\n')[0]?.startType).toBe('Disabled')
  })
})
