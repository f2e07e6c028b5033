/** Secrets kept as protected files, with a protection that can be looked into. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createDataProtection, type DataProtection } from '../../../src/platform/dpapi.ts'
import {
  createProtectedValues,
  isCredentialName,
  type ProtectedValues,
  protectedValuesOf,
} from '../../../src/platform/protected-values.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'

const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0xff)
/** Keeps the entropy before the data, as a real one checks it. */
const protection: DataProtection = {
  async protect(plain, entropy) {
    return new Uint8Array([entropy.length, ...entropy, ...flip(plain)])
  },
  async unprotect(sealed, entropy) {
    const expected = [entropy.length, ...entropy]
    if (!expected.every((byte, index) => sealed[index] === byte)) throw new Error('refused')
    return flip(sealed.slice(expected.length))
  },
}

let directory: TempDirectory
let values: ProtectedValues
beforeEach(() => {
  directory = tempDirectory()
  values = createProtectedValues({ protection }, directory.join('Footman', 'credentials'))
})
afterEach(() => directory.remove())
const file = (name: string) => directory.join('Footman', 'credentials', `${name}.dpapi`)

describe('a value', () => {
  test('is read back as it was set, and replaced by the next one', async () => {
    for (const value of ['pässwörd', 'a\nb\n', 'x'.repeat(60_000), ' ']) {
      await values.set('smtp-password', value, [])
      expect(await values.get('smtp-password')).toBe(value)
    }
    expect(readdirSync(directory.join('Footman', 'credentials'))).toEqual(['smtp-password.dpapi'])
  })
  test('lies in a file of its owner alone, not in clear', async () => {
    await values.set('key', 'hunter2', [])
    expect(statSync(file('key')).mode & 0o777).toBe(0o600)
    expect(statSync(directory.join('Footman', 'credentials')).mode & 0o777).toBe(0o700)
    expect(readFileSync(file('key'), 'utf8')).not.toContain('hunter2')
  })
  test('of another name is not taken, nor a file that is damaged or newer', async () => {
    await values.set('one', 'secret', [])
    writeFileSync(file('two'), readFileSync(file('one')))
    await expect(values.get('two')).rejects.toThrow('refused')
    for (const text of ['', '{', '[]', '{"version":2,"protected":"AA=="}', '{"version":1}']) {
      writeFileSync(file('one'), text)
      await expect(values.get('one')).rejects.toThrow('damaged, or of a newer Footman')
    }
  })
  test('that was never set, or was removed, is none', async () => {
    expect(await values.get('none')).toBeNull()
    expect(await values.remove('none')).toBe(false)
    await values.set('one', 'x', [])
    expect(await values.remove('one')).toBe(true)
    expect(await values.get('one')).toBeNull()
  })
})

test('the list has names and times, and no other files', async () => {
  expect(await values.list()).toEqual([])
  const before = Date.now()
  for (const name of ['b', 'a']) await values.set(name, 'x', [])
  writeFileSync(directory.join('Footman', 'credentials', 'notes.txt'), '')
  const listed = await values.list()
  expect(listed.map(({ name }) => name)).toEqual(['a', 'b'])
  for (const { setAt } of listed) expect(Math.abs(setAt - before)).toBeLessThan(60_000)
})

test.each(['a', 'smtp-password', 'A.b_c-1', '0', 'x'.repeat(100)])('%p is a name', (name) => {
  expect(isCredentialName(name)).toBe(true)
})
test.each([
  '',
  '.',
  '..',
  '.a',
  '-a',
  'a/b',
  'a\\b',
  '../a',
  'a:b',
  'a b',
  'é',
  'con',
  'NUL.x',
  'lpt1',
  'x'.repeat(101),
])('%p is no name', async (name) => {
  expect(isCredentialName(name)).toBe(false)
  for (const call of [() => values.get(name), () => values.set(name, 'x', []), () => values.remove(name)]) {
    await expect(call()).rejects.toThrow('is not the name of a credential')
  }
})

test.skipIf(process.platform === 'win32')('other systems have no such protection', () => {
  expect(createDataProtection()).toBeNull()
  expect(protectedValuesOf({ ProgramData: directory.path })).toBeNull()
})
