import { describe, expect, test } from 'bun:test'
import { processOn, socketsOn } from '../../../src/cli/doctor/machine/port-owner.ts'

describe('the tables of Linux', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 100 0 0 10 0
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0
`
  test('of TCP only who listens counts', () => {
    expect(socketsOn(table, 'tcp', 8080)).toEqual(['4711'])
    expect(socketsOn(table, 'tcp', 80)).toEqual(['4713'])
    expect(socketsOn(table, 'tcp', 443)).toEqual([])
  })
  test('of UDP everybody counts', () => {
    const udp = '  12: 00000000:2710 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 99 2 0 0\n'
    expect(socketsOn(udp, 'udp', 10_000)).toEqual(['99'])
  })
})

describe('netstat of Windows', () => {
  const english = `
Active Connections

  Proto  Local Address          Foreign Address        State           PID
  TCP    0.0.0.0:8080           0.0.0.0:0              LISTENING       1234
  TCP    10.0.0.5:8080          10.0.0.9:51515         ESTABLISHED     99
  TCP    [::]:443               [::]:0                 LISTENING       4
  UDP    0.0.0.0:9998           *:*                                    5678
`
  const german = '  TCP    0.0.0.0:8080           0.0.0.0:0              ABHÖREN         4321\r\n'

  test('names the process, in whatever language', () => {
    expect(processOn(english, 'tcp', 8080)).toBe(1234)
    expect(processOn(german, 'tcp', 8080)).toBe(4321)
    expect(processOn(english, 'tcp', 443)).toBe(4)
    expect(processOn(english, 'udp', 9998)).toBe(5678)
  })
  test('a connection of somebody else to such a port is no listener', () => {
    expect(processOn(english, 'tcp', 51_515)).toBeNull()
    expect(processOn(english, 'udp', 8080)).toBeNull()
  })
})
