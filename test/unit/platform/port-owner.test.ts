import { describe, expect, test } from 'bun:test'
import { processOn, socketsOn } from '../../../src/platform/port-owner.ts'

const all = (port: number) => ({ port, addresses: ['0.0.0.0'] })
const only = (address: string, port: number) => ({ port, addresses: [address] })

describe('the tables of Linux', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 100 0 0 10 0
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0
`
  test('of TCP only who listens counts', () => {
    expect(socketsOn(table, 'tcp', all(8080))).toEqual(['4711'])
    expect(socketsOn(table, 'tcp', all(80))).toEqual(['4713'])
    expect(socketsOn(table, 'tcp', all(443))).toEqual([])
  })
  test('who listens on another address is not in the way', () => {
    expect(socketsOn(table, 'tcp', only('127.0.0.1', 8080))).toEqual(['4711'])
    expect(socketsOn(table, 'tcp', only('10.0.0.5', 8080))).toEqual([])
    expect(socketsOn(table, 'tcp', only('10.0.0.5', 80))).toEqual(['4713'])
  })
  test('addresses of IPv6, and of IPv4 within them', () => {
    const six = `   0: 00000000000000000000000001000000:1F90 0:0 0A 0:0 0:0 0 0 0 21
   1: 0000000000000000FFFF00000500000A:1F91 0:0 0A 0:0 0:0 0 0 0 22
   2: 00000000000000000000000000000000:1F92 0:0 0A 0:0 0:0 0 0 0 23
`
    expect(socketsOn(six, 'tcp', only('::1', 8080))).toEqual(['21'])
    expect(socketsOn(six, 'tcp', only('127.0.0.1', 8080))).toEqual([])
    expect(socketsOn(six, 'tcp', only('10.0.0.5', 8081))).toEqual(['22'])
    expect(socketsOn(six, 'tcp', only('10.0.0.5', 8082))).toEqual(['23'])
  })
  test('of UDP everybody counts', () => {
    const udp = '  12: 00000000:2710 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 99 2 0 0\n'
    expect(socketsOn(udp, 'udp', all(10_000))).toEqual(['99'])
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
    expect(processOn(english, 'tcp', all(8080))).toBe(1234)
    expect(processOn(german, 'tcp', all(8080))).toBe(4321)
    expect(processOn(english, 'tcp', all(443))).toBe(4)
    expect(processOn(english, 'udp', all(9998))).toBe(5678)
  })
  test('who listens on another address is not in the way', () => {
    const list =
      '  TCP    192.168.1.5:8080   0.0.0.0:0   LISTENING   7\r\n  TCP    [fe80::1%4]:443   [::]:0   LISTENING   8\r\n'
    expect(processOn(list, 'tcp', only('127.0.0.1', 8080))).toBeNull()
    expect(processOn(list, 'tcp', only('192.168.1.5', 8080))).toBe(7)
    expect(processOn(list, 'tcp', only('fe80::1', 443))).toBe(8)
  })
  test('a connection of somebody else to such a port is no listener', () => {
    expect(processOn(english, 'tcp', all(51_515))).toBeNull()
    expect(processOn(english, 'udp', all(8080))).toBeNull()
  })
})
