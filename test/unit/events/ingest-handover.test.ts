import { expect, test } from 'bun:test'
import { udpServerConfig } from '../../../src/events/config.ts'
import { createIngestHandover } from '../../../src/events/ingest/handover.ts'
import type { Ingest } from '../../../src/events/ingest/ingest.ts'
import type { IngestSettings } from '../../../src/events/ingest/protocol.ts'

const settings: IngestSettings = {
  journalFile: '/data/journal.db',
  udp: udpServerConfig.parse({ serverHost: '127.0.0.1' }),
  sharedSecrets: [],
  delivery: { maxBacklog: 1000, memoryBacklog: 100 },
  takenUpTo: 5,
}

function worker() {
  const done: string[] = []
  const ingest = {
    reportTo: (next: unknown) => void done.push(next === null ? 'reports to nobody' : 'reports'),
    stop: async () => void done.push('stopped'),
  } as unknown as Ingest
  return { ingest, done }
}

test('outside a new start nothing is kept', async () => {
  const { ingest, done } = worker()
  const handover = createIngestHandover()
  expect(handover.leave(ingest, settings)).toBe(false)
  expect(await handover.take(settings)).toBeNull()
  expect(done).toEqual([])
})

test('a worker goes on for who wants the same, wherever the journal was read to', async () => {
  const { ingest, done } = worker()
  const handover = createIngestHandover()
  handover.begin()
  expect(handover.leave(ingest, settings)).toBe(true)
  expect(await handover.take({ ...settings, takenUpTo: null })).toBe(ingest)
  await handover.end()
  expect(done).toEqual(['reports to nobody'])
  expect(handover.leave(ingest, settings)).toBe(false)
})

test('one that does something else is stopped first, as it holds journal and port', async () => {
  const { ingest, done } = worker()
  const handover = createIngestHandover()
  handover.begin()
  handover.leave(ingest, settings)
  expect(await handover.take({ ...settings, udp: { ...settings.udp, portTaskFailure: 9999 } })).toBeNull()
  expect(done).toEqual(['reports to nobody', 'stopped'])
})

test('one that nobody has taken is stopped at the end', async () => {
  const { ingest, done } = worker()
  const handover = createIngestHandover()
  handover.begin()
  handover.leave(ingest, settings)
  await handover.end()
  expect(done).toEqual(['reports to nobody', 'stopped'])
})
