/** A database with nonsense in it, wherever: it can be opened and used, or is replaced, and never ends in a loop of errors. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { closeSync, copyFileSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs'
import fc from 'fast-check'
import { MIGRATIONS } from '../../../src/app/migrations.ts'
import { createKeyValueStore } from '../../../src/kv/store.ts'
import { openStorage } from '../../../src/platform/storage/index.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'

const clock = { now: () => Date.now() }
const LIMITS = { maxKeysPerNamespace: 100_000, maxValueSize: 1000 }
let directory: TempDirectory
let bytes = 0
const sound = () => directory.join('sound.db')
const file = () => directory.join('footman.db')

function open() {
  const others: string[] = []
  const storage = openStorage(
    {
      log: recordingLog(),
      clock,
      claimDirectory: () => {},
      onBack: () => {},
      onMoved: () => {},
      onOther: () => void others.push('other'),
    },
    { file: file(), migrations: MIGRATIONS },
  )
  return { ...storage, others, pairs: createKeyValueStore({ ...storage, clock }, LIMITS) }
}

beforeAll(async () => {
  directory = tempDirectory()
  const { db, pairs } = open()
  await Promise.all(
    Array.from({ length: 500 }, (_, n) =>
      pairs.set({ namespace: 'ns', key: `key-${n}`, value: 'value '.repeat(20), ttl: 0 }),
    ),
  )
  db.close()
  copyFileSync(file(), sound())
  bytes = statSync(sound()).size
})
afterAll(() => directory.remove())

/** The tables that are there in the end: one that took the place of another one has its name, and some are gone. */
function tables(): string[] {
  const all = MIGRATIONS.map(({ sql }) => sql).join('\n')
  const isGone = (name: string) => all.includes(`DROP TABLE ${name};`) && !all.includes(`RENAME TO ${name}`)
  return MIGRATIONS.flatMap(({ sql }) =>
    [...sql.matchAll(/CREATE TABLE (\w+)/g)]
      .map(([, name]) => name!)
      .filter((name) => !sql.includes(`ALTER TABLE ${name} RENAME TO`) && !isGone(name)),
  )
}

test('bytes flipped anywhere: everything can be read and written in the end', async () => {
  const flip = fc.record({
    at: fc.double({ min: 0, max: 0.9999, noNaN: true }),
    length: fc.integer({ min: 1, max: 9000 }),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(flip, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 0, max: 255 }),
      async (flips, byte) => {
        const damages = flips.map(({ at, length }) => ({ from: Math.floor(at * bytes), length }))
        await survives(damages, byte)
      },
    ),
    { numRuns: 40 },
  )
}, 60_000)

test('a header that names an unknown file format', () => survives([{ from: 44, length: 4 }], 255))

async function survives(damages: readonly { readonly from: number; readonly length: number }[], byte: number) {
  for (const name of readdirSync(directory.path)) if (name !== 'sound.db') rmSync(directory.join(name))
  copyFileSync(sound(), file())
  const fd = openSync(file(), 'r+')
  for (const { from, length } of damages) {
    writeSync(fd, Buffer.alloc(Math.min(length, bytes - from), byte), 0, Math.min(length, bytes - from), from)
  }
  closeSync(fd)

  let used = open()
  try {
    for (const table of tables()) used.db.all(`SELECT * FROM ${table} LIMIT 1000`)
    used.guard.suspect()
    // What a restart within the process does.
    if (used.others.length > 0) {
      used.db.close()
      used = open()
    }
    await used.pairs.set({ namespace: 'ns', key: 'after', value: 'works', ttl: 0 })
    expect(used.pairs.get('ns', 'after')?.value).toBe('works')
    expect(used.guard.state.state).not.toBe('down')
  } finally {
    used.db.close()
  }
}
