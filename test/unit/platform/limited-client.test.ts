/** Whom a limit counts for an address. */
import { expect, test } from 'bun:test'
import { limitedClient } from '../../../src/platform/addresses.ts'

test.each([
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['::FFFF:0a01:203', '10.1.2.3'],
  ['0:0:0:0:0:ffff:10.1.2.3', '10.1.2.3'],
  ['2001:db8:9:1::1', '2001:db8:9:1::/64'],
  ['2001:DB8:9:1:ffff:ffff:ffff:ffff', '2001:db8:9:1::/64'],
  ['2001:0db8:0009:0001::', '2001:db8:9:1::/64'],
  ['2001:db8:9:2::1', '2001:db8:9:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
  ['64:ff9b::10.1.2.3', '64:ff9b:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['unknown', 'unknown'],
  ['key:erp', 'key:erp'],
  ['', ''],
])('%s counts as %s', (address, client) => {
  expect(limitedClient(address)).toBe(client)
})
