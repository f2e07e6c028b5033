/** The program minisign reads what the release writes, and the other way round. */
import { afterAll, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import {
  newKey,
  publicKeyFile,
  publicKeyText,
  secretKeyFile,
  signature,
  verified,
} from '../../../scripts/release/minisign.ts'
import { needs, program } from '../../support/servers.ts'
import { tempDirectory } from '../../support/temp.ts'

needs('minisign')

const directory = tempDirectory()
afterAll(() => directory.remove())

const key = newKey()
const CONTENT = Buffer.from('abc  footman-0.1.0-linux-x64.tar.gz\n')
writeFileSync(directory.join('SHA256SUMS'), CONTENT)
writeFileSync(directory.join('minisign.pub'), publicKeyFile(key))
writeFileSync(directory.join('footman.key'), secretKeyFile(key))

function minisign(...args: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(program('minisign'), args, { cwd: directory.path, encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

test('minisign verifies the signature by the text and by the file of the key', () => {
  writeFileSync(directory.join('SHA256SUMS.minisig'), signature(CONTENT, key, 'timestamp:1\tfile:SHA256SUMS\thashed'))
  for (const by of [
    ['-P', publicKeyText(key)],
    ['-p', 'minisign.pub'],
  ]) {
    const { status, output } = minisign('-V', '-H', '-m', 'SHA256SUMS', ...by)
    expect([status, output]).toEqual([0, expect.stringContaining('Signature and comment signature verified')])
  }
  writeFileSync(directory.join('SHA256SUMS'), 'abd')
  expect(minisign('-Vm', 'SHA256SUMS', '-P', publicKeyText(key)).status).not.toBe(0)
  writeFileSync(directory.join('SHA256SUMS'), CONTENT)
})

test('minisign signs with a key that the release made', () => {
  const { status, output } = minisign('-S', '-s', 'footman.key', '-m', 'SHA256SUMS', '-x', 'theirs', '-t', 'a comment')
  expect([status, output]).toEqual([0, expect.any(String)])
  expect(verified(CONTENT, readFileSync(directory.join('theirs'), 'utf8'), publicKeyText(key))).toBe('a comment')
})
