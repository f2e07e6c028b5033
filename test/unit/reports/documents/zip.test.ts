import { afterAll, describe, expect, test } from 'bun:test'
import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Uint8ArrayReader, Uint8ArrayWriter, ZipReader } from '@zip.js/zip.js'
import { writeZip, type ZipEntry } from '../../../../src/reports/documents/zip.ts'
import { tempDirectory } from '../../../support/temp.ts'

const directory = tempDirectory()
afterAll(() => directory.remove())

const ENTRIES: readonly ZipEntry[] = [
  { name: 'Försäljning.csv', content: Buffer.from('Region;Sales\r\nÖst;1\r\n') },
  { name: 'folder/pages.txt', content: slices('page ', 20_000) },
]

async function* chunks(text: string, count: number): AsyncGenerator<Uint8Array> {
  for (let number = 0; number < count; number += 1) yield Buffer.from(`${text}${number}\n`)
}
/** Readable more than once. */
function slices(text: string, count: number): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => chunks(text, count) }
}

async function read(file: string, password?: string): Promise<Record<string, string>> {
  const reader = new ZipReader(new Uint8ArrayReader(readFileSync(file)), { password, useWebWorkers: false })
  const found: Record<string, string> = {}
  for (const entry of await reader.getEntries()) {
    if (!entry.directory)
      found[entry.filename] = Buffer.from(await entry.getData(new Uint8ArrayWriter())).toString('utf8')
  }
  await reader.close()
  return found
}

describe('archives', () => {
  test('hold their entries under their names', async () => {
    const file = directory.join('plain.zip')
    const size = await writeZip(file, ENTRIES)
    expect(size).toBe(readFileSync(file).length)
    const found = await read(file)
    expect(Object.keys(found)).toEqual(['Försäljning.csv', 'folder/pages.txt'])
    expect(found['Försäljning.csv']).toBe('Region;Sales\r\nÖst;1\r\n')
    expect(found['folder/pages.txt']?.split('\n')).toHaveLength(20_001)
    expect(found['folder/pages.txt']).toEndWith('page 19999\n')
  })

  test('of equal entries have equal bytes', async () => {
    await writeZip(directory.join('first.zip'), ENTRIES)
    await writeZip(directory.join('second.zip'), ENTRIES)
    expect(readFileSync(directory.join('first.zip')).equals(readFileSync(directory.join('second.zip')))).toBe(true)
  })

  test('take a file as an entry and a date for all entries', async () => {
    const source = directory.join('source.bin')
    writeFileSync(source, 'x'.repeat(200_000))
    const file = directory.join('dated.zip')
    await writeZip(file, [{ name: 'copy.bin', content: createReadStream(source) }], {
      modified: new Date('2025-11-21T06:30:00Z'),
    })
    const reader = new ZipReader(new Uint8ArrayReader(readFileSync(file)))
    const [entry] = await reader.getEntries()
    expect(entry?.lastModDate.toISOString()).toBe('2025-11-21T06:30:00.000Z')
    expect(entry?.uncompressedSize).toBe(200_000)
  })

  test('need no ZIP64, which old tools and Excel refuse in streamed entries', async () => {
    const file = directory.join('streamed.zip')
    await writeZip(file, [{ name: 'pages.txt', content: slices('page ', 10) }])
    const [entry] = await new ZipReader(new Uint8ArrayReader(readFileSync(file))).getEntries()
    expect(entry?.zip64).toBe(false)
  })
})

describe('a password', () => {
  const password = 'correct horse battery'

  test('encrypts the contents by AES-256, not the names', async () => {
    const file = directory.join('secret.zip')
    await writeZip(file, ENTRIES, { password })
    const bytes = readFileSync(file)
    expect(bytes.includes('Region;Sales')).toBe(false)
    const entries = await new ZipReader(new Uint8ArrayReader(bytes)).getEntries()
    expect(entries.map(({ filename, encrypted, zipCrypto }) => ({ filename, encrypted, zipCrypto }))).toEqual([
      { filename: 'Försäljning.csv', encrypted: true, zipCrypto: false },
      { filename: 'folder/pages.txt', encrypted: true, zipCrypto: false },
    ])
    expect(entries.map(({ extraFieldAES }) => extraFieldAES?.strength)).toEqual([3, 3])
    expect((await read(file, password))['Försäljning.csv']).toContain('Öst;1')
  })

  test.each([undefined, 'wrong horse battery'])('refuses %p', async (wrong) => {
    const file = directory.join(`refusing-${wrong}.zip`)
    await writeZip(file, ENTRIES, { password })
    expect(read(file, wrong)).rejects.toThrow(/password|encrypted/i)
  })
})

describe('a failure leaves no file:', () => {
  test('an entry that cannot be read', async () => {
    const file = directory.join('failed.zip')
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('first')
      throw new Error('the engine has gone')
    }
    await expect(writeZip(file, [{ name: 'a', content: broken() }])).rejects.toThrow('the engine has gone')
    expect(existsSync(file)).toBe(false)
  })

  test('a list of entries that fails', async () => {
    const file = directory.join('failed-list.zip')
    const entries = async function* (): AsyncGenerator<ZipEntry> {
      yield { name: 'a', content: Buffer.from('a') }
      throw new Error('no more')
    }
    await expect(writeZip(file, entries())).rejects.toThrow('no more')
    expect(existsSync(file)).toBe(false)
  })

  test('an abort in the middle of an entry', async () => {
    const file = directory.join('aborted.zip')
    const abort = new AbortController()
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      for (let number = 0; ; number += 1) {
        if (number === 100) abort.abort(new Error('cancelled'))
        yield Buffer.alloc(1000, number)
      }
    }
    await expect(writeZip(file, [{ name: 'a', content: endless() }], { signal: abort.signal })).rejects.toThrow()
    expect(existsSync(file)).toBe(false)
  })

  test('a name that stands twice', async () => {
    const file = directory.join('twice.zip')
    const entry = { name: 'a', content: Buffer.from('a') }
    await expect(writeZip(file, [entry, entry])).rejects.toThrow()
    expect(existsSync(file)).toBe(false)
  })
})
