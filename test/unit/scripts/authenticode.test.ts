import { afterAll, describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { NtExecutable } from 'resedit'
import { isSigned, signExecutable } from '../../../scripts/release/authenticode.ts'
import { tempDirectory } from '../../support/temp.ts'

const directory = tempDirectory()
afterAll(() => directory.remove())

/** Appends a certificate table, as signing programs do. */
const SIGNER = `
import { readFileSync, writeFileSync } from 'node:fs'
const file = process.argv.at(-1)
const before = readFileSync(file)
const after = Buffer.concat([before, Buffer.alloc(16)])
const entry = before.readUInt32LE(0x3c) + 24 + 112 + 4 * 8
after.writeUInt32LE(before.length, entry)
after.writeUInt32LE(16, entry + 4)
writeFileSync(file, after)
`
const signer = directory.join('signer.js')
writeFileSync(signer, SIGNER)
mkdirSync(directory.join('a folder with $HOME'))

function unsigned(): string {
  const file = directory.join('a folder with $HOME', 'footman.exe')
  writeFileSync(file, Buffer.from(NtExecutable.createEmpty(false, false).generate()))
  return file
}

describe('the command of FOOTMAN_SIGN_WINDOWS', () => {
  test('gets the path of the executable as its last argument, and options of its own', () => {
    const file = unsigned()
    expect(isSigned(readFileSync(file))).toBe(false)
    signExecutable(`"${process.execPath}" --no-env-file "${signer}" --option`, file)
    expect(isSigned(readFileSync(file))).toBe(true)
  })

  test.each([
    ['fails', 'exit 3 #', 'the command ended with 3'],
    ['is none', 'no-such-command-here 2>/dev/null', 'the command ended with 127'],
    ['does nothing', 'true', 'the command left the executable unsigned'],
  ])('ends the release when it %s', (_, command, reason) => {
    expect(() => signExecutable(command, unsigned())).toThrow(`FOOTMAN_SIGN_WINDOWS: ${reason}`)
  })
})
