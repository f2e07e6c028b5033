import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { type Archive, tarGz, zip } from '../../../scripts/release/archive.ts'
import { checksums } from '../../../scripts/release/contents.ts'
import { needs } from '../../support/servers.ts'
import { tempDirectory } from '../../support/temp.ts'

needs('unzip')

const bytes = (text: string) => new TextEncoder().encode(text)
const LONG = `docs/${'directory/'.repeat(15)}long.md`
const ARCHIVE: Archive = {
  folder: 'footman-1.2.3-test',
  time: new Date('2026-03-04T05:06:08Z'),
  files: [
    { path: 'footman', bytes: bytes('#!/bin/sh\necho runs\n'), executable: true },
    { path: 'docs/guide.md', bytes: bytes('# Guide\nGrüße\n'.repeat(500)) },
    { path: 'docs/empty.md', bytes: bytes('') },
    { path: 'LICENSE', bytes: bytes('MIT\n') },
    { path: LONG, bytes: bytes('deep\n') },
  ],
}
const NAMES = ['LICENSE', LONG, 'docs/empty.md', 'docs/guide.md', 'footman'].map((path) => `footman-1.2.3-test/${path}`)
const shuffled: Archive = { ...ARCHIVE, files: ARCHIVE.files.toReversed() }

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } })
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`)
  return stdout
}

describe('a tar archive', () => {
  test('is unpacked by tar with modes and times', async () => {
    await using directory = tempDirectory()
    writeFileSync(directory.join('a.tar.gz'), await tarGz(ARCHIVE))
    run('tar', '-xzf', directory.join('a.tar.gz'), '-C', directory.path)
    const program = directory.join('footman-1.2.3-test', 'footman')
    expect(run(program)).toBe('runs\n')
    expect(statSync(program).mtime).toEqual(ARCHIVE.time)
    const guide = directory.join('footman-1.2.3-test', 'docs', 'guide.md')
    expect(statSync(guide).mode & 0o777).toBe(0o644)
    expect(readFileSync(guide)).toEqual(Buffer.from(ARCHIVE.files[1]!.bytes))
    expect(readFileSync(directory.join('footman-1.2.3-test', LONG), 'utf8')).toBe('deep\n')
  })

  test('lists its files in order, owned by nobody in particular', async () => {
    await using directory = tempDirectory()
    writeFileSync(directory.join('a.tar.gz'), await tarGz(shuffled))
    expect(run('tar', '-tzf', directory.join('a.tar.gz')).trim().split('\n')).toEqual(NAMES)
    const [first] = run('tar', '-tzvf', directory.join('a.tar.gz')).split('\n')
    expect(first).toMatch(/^-rw-r--r-- root\/root +4 2026-03-04 05:06/)
  })

  test('is the same whoever makes it', async () => {
    const packed = await tarGz(ARCHIVE)
    expect(packed.equals(await tarGz(shuffled))).toBe(true)
    expect(packed.readUInt32LE(4)).toBe(0)
    expect(gunzipSync(packed).length % 512).toBe(0)
  })
})

/** Local file headers: general purpose bits and sizes, as a reader meets them that does not look at the directory first. */
function localHeaders(archive: Buffer): { readonly name: string; readonly flags: number; readonly version: number }[] {
  const headers = []
  for (let at = 0; archive.readUInt32LE(at) === 0x04034b50; ) {
    const [nameLength, extraLength] = [archive.readUInt16LE(at + 26), archive.readUInt16LE(at + 28)]
    const name = archive.toString('utf8', at + 30, at + 30 + nameLength)
    headers.push({ name, flags: archive.readUInt16LE(at + 6), version: archive.readUInt16LE(at + 4) })
    at += 30 + nameLength + extraLength + archive.readUInt32LE(at + 18)
  }
  return headers
}

describe('a zip archive', () => {
  test('is unpacked by unzip', async () => {
    await using directory = tempDirectory()
    writeFileSync(directory.join('a.zip'), await zip(ARCHIVE))
    run('unzip', '-q', directory.join('a.zip'), '-d', directory.path)
    const program = directory.join('footman-1.2.3-test', 'footman')
    expect(run(program)).toBe('runs\n')
    expect(statSync(program).mtime).toEqual(ARCHIVE.time)
    expect(readFileSync(directory.join('footman-1.2.3-test', LONG), 'utf8')).toBe('deep\n')
  })

  test('tells names and sizes before the data, for the readers of Windows', async () => {
    const headers = localHeaders(await zip(shuffled))
    expect(headers.map(({ name }) => name)).toEqual(NAMES)
    // Bit 3 would say that the sizes follow the data; versions from 45 on are zip64.
    expect(headers.filter(({ flags, version }) => (flags & 8) !== 0 || version >= 45)).toEqual([])
  })

  test('is the same whoever makes it, wherever', async () => {
    const here = (await zip(ARCHIVE)).toString('base64')
    const module = JSON.stringify(import.meta.resolve('../../../scripts/release/archive.ts'))
    const program = `
      import { zip } from ${module}
      const archive = JSON.parse(process.argv[1], (key, value) => key === 'bytes' ? Buffer.from(value, 'base64') : value)
      console.log((await zip({ ...archive, time: new Date(archive.time) })).toString('base64'))`
    const files = shuffled.files.map((file) => ({ ...file, bytes: Buffer.from(file.bytes).toString('base64') }))
    const { stdout } = spawnSync(process.execPath, ['-e', program, JSON.stringify({ ...shuffled, files })], {
      encoding: 'utf8',
      env: { ...process.env, TZ: 'Pacific/Auckland' },
    })
    expect(stdout.trim()).toBe(here)
  })
})

test('checksums are sorted by path, in the form of sha256sum', () => {
  expect(checksums([ARCHIVE.files[3]!, ARCHIVE.files[2]!])).toBe(
    `${new Bun.CryptoHasher('sha256').update('MIT\n').digest('hex')}  LICENSE\n` +
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  docs/empty.md\n',
  )
})
