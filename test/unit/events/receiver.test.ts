import { afterEach, describe, expect, jest, test } from 'bun:test'
import fc from 'fast-check'
import { udpServerConfig } from '../../../src/events/config.ts'
import { openJournal } from '../../../src/events/ingest/journal.ts'
import type { FromWorker } from '../../../src/events/ingest/protocol.ts'
import { createRejectionLog, OTHER_SENDERS } from '../../../src/events/ingest/rejections.ts'
import { createSenderRates } from '../../../src/events/ingest/sender-checks.ts'
import { createReceiver } from '../../../src/events/ingest/worker.ts'
import { tempDirectory } from '../../support/temp.ts'

const settings = {
  journalFile: 'journal.db',
  udp: udpServerConfig.parse({ serverHost: '127.0.0.1' }),
  sharedSecrets: [],
  delivery: { maxBacklog: 1_000_000, memoryBacklog: 100 },
  takenUpTo: null,
}

describe('the rate of a sender', () => {
  test('lets so many pass a minute', () => {
    const rates = createSenderRates(2)
    const times = [0, 1, 2, 59_999, 60_000]
    expect(times.map((now) => rates.take('10.0.0.1', now))).toEqual([true, true, false, false, true])
  })

  test('is not closed for an hour by a clock that is set back', () => {
    const rates = createSenderRates(1)
    expect(rates.take('10.0.0.1', 3_600_000)).toBeTrue()
    expect(rates.take('10.0.0.1', 0)).toBeTrue()
    expect(rates.take('10.0.0.1', 1)).toBeFalse()
  })

  test('is independent of all other senders, whatever the order of their messages', () => {
    const senders = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3')
    fc.assert(
      fc.property(fc.array(senders, { maxLength: 60 }), fc.integer({ min: 1, max: 8 }), (sent, limit) => {
        const rates = createSenderRates(limit)
        const passed = sent.filter((sender, at) => rates.take(sender, at))
        for (const sender of new Set(sent)) {
          const count = sent.filter((one) => one === sender).length
          expect(passed.filter((one) => one === sender)).toHaveLength(Math.min(count, limit))
        }
      }),
    )
  })

  test('is remembered for 1,000 senders: forged addresses neither fill the memory nor silence another sender', () => {
    const rates = createSenderRates(1)
    expect(rates.take('10.0.0.1', 0)).toBeTrue()
    for (let n = 0; n < 999; n += 1) rates.take(`forged ${n}`, 1)
    expect(rates.take('10.0.0.1', 2)).toBeFalse()
    rates.take('forged 999', 3)
    expect(rates.take('10.0.0.1', 4)).toBeTrue()
  })
})

describe('a journal that cannot be written', () => {
  afterEach(() => void jest.useRealTimers())

  test('is tried once a second, however long it lasts, and nothing is lost', () => {
    jest.useFakeTimers()
    const posted: FromWorker[] = []
    let attempts = 0
    let full = true
    const receiver = createReceiver(
      {
        append: (datagrams) => {
          attempts += 1
          if (full) throw new Error('database or disk is full')
          return datagrams.length
        },
        lastId: 0,
        sources: null,
        post: (message) => void posted.push(message),
        now: () => 0,
      },
      settings,
    )
    receiver.receive(new Uint8Array(10), '127.0.0.1')
    for (let second = 0; second < 30; second += 1) {
      receiver.flush()
      jest.advanceTimersByTime(1000)
    }
    expect(attempts).toBeLessThanOrEqual(62)
    expect(posted.filter(({ type }) => type === 'problem')).toHaveLength(1)
    full = false
    receiver.flush()
    expect(posted).toContainEqual({ type: 'committed', lastId: 1, received: 1 })
  })

  test('keeps so many messages in memory as is set, in order; more are refused, counted and told once a minute', () => {
    jest.useFakeTimers()
    const posted: FromWorker[] = []
    const stored: number[] = []
    let full = true
    const receiver = createReceiver(
      {
        append: (datagrams) => {
          if (full) throw new Error('database or disk is full')
          for (const { raw } of datagrams) stored.push(raw[0]!)
          return stored.length
        },
        lastId: 0,
        sources: null,
        post: (message) => void posted.push(message),
        now: () => 0,
      },
      settings,
    )
    for (let n = 0; n < 150; n += 1) {
      receiver.receive(new Uint8Array([n]), '127.0.0.1')
      if (n === 0) receiver.flush()
    }
    receiver.flush()
    expect(posted).toContainEqual(expect.objectContaining({ type: 'dropped', counts: { BACKLOG_FULL: 50 } }))
    expect(posted).toContainEqual({ type: 'inMemory', count: 100 })
    const problems = posted.flatMap((message) => (message.type === 'problem' ? [message.message] : []))
    expect(problems).toEqual([
      expect.stringContaining('Messages wait in memory, up to 100 of them'),
      expect.stringContaining('100 messages wait in memory already (delivery.memoryBacklog)'),
    ])
    full = false
    receiver.flush()
    expect(stored).toEqual(Array.from({ length: 100 }, (_, n) => n))
    expect(posted).toContainEqual({ type: 'inMemory', count: 0 })
  })
})

describe('messages that the journal cannot take', () => {
  afterEach(() => void jest.useRealTimers())

  function scene() {
    jest.useFakeTimers()
    const posted: FromWorker[] = []
    const stored: number[] = []
    let full = true
    const receiver = createReceiver(
      {
        append(datagrams) {
          if (full) throw new Error('database or disk is full')
          stored.push(...datagrams.map(({ raw }) => raw[0]!))
          return stored.length
        },
        lastId: 0,
        sources: null,
        post: (message) => void posted.push(message),
        now: () => 0,
      },
      { ...settings, delivery: { ...settings.delivery, memoryBacklog: 1000 } },
    )
    const receive = (from: number, to: number) => {
      for (let n = from; n < to; n += 1) receiver.receive(new Uint8Array([n]), '127.0.0.1')
      receiver.flush()
    }
    const offered = () =>
      posted
        .splice(0)
        .flatMap((message) => (message.type === 'unwritten' ? [message.messages.map(({ raw }) => raw[0]!)] : []))
    const makeRoom = () => {
      full = false
    }
    const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)
    return { receiver, receive, offered, numbers, stored, makeRoom }
  }

  test('are offered elsewhere, the oldest first, and leave memory when they are taken', () => {
    const { receiver, receive, offered, numbers } = scene()
    receive(0, 1)
    receive(1, 250)
    expect(offered()).toEqual([[0]])
    receiver.handedOver(true)
    expect(offered()).toEqual([numbers(1, 201)])
    receiver.handedOver(true)
    expect(offered()).toEqual([numbers(201, 250)])
    receiver.handedOver(true)
    expect(offered()).toEqual([])
    expect(receiver.waiting).toEqual([])
  })

  test('stay when they are not taken, are offered again a second later, and are written once there is room', () => {
    const { receiver, receive, offered, numbers, stored, makeRoom } = scene()
    receive(0, 3)
    expect(offered()).toEqual([[0, 1, 2]])
    receiver.handedOver(false)
    expect(offered()).toEqual([])
    jest.advanceTimersByTime(1000)
    expect(offered()).toEqual([[0, 1, 2]])
    receive(3, 5)
    makeRoom()
    receiver.flush()
    expect(stored).toEqual(numbers(0, 5))
    receiver.handedOver(true)
    expect(receiver.waiting).toEqual([])
    expect(offered()).toEqual([])
  })
})

describe('the journal', () => {
  test('is purged from its start: what is worked off and old goes, what is young stays', () => {
    const directory = tempDirectory()
    const journal = openJournal(directory.join('journal.db'))
    const at = (receivedAt: number) => ({ receivedAt, sender: '127.0.0.1', raw: new Uint8Array([1]) })
    journal.append([at(1), at(2), at(3), at(100), at(4)])
    expect(journal.purge(2, 50, 10)).toBe(2)
    expect(journal.purge(5, 50, 10)).toBe(2)
    expect(journal.purge(5, 50, 10)).toBe(0)
    expect(journal.lastId()).toBe(5)
    journal.close()
    directory.remove()
  })
})

describe('rejected datagrams in the log', () => {
  function rejectionLog() {
    const lines: string[] = []
    const clock = { now: 0 }
    const log = createRejectionLog(
      () => clock.now,
      (text, reason) => void lines.push(`${reason} ${text}`),
    )
    const at = (ms: number) => {
      clock.now = ms
      log.flush()
    }
    return { log, lines, at }
  }
  const rejection = (sender: string, detail = 'do this', reason = 'INVALID') => ({ sender, reason, detail })

  test('the first at once, the others in one line a minute, by sender and reason', () => {
    const { log, lines, at } = rejectionLog()
    for (let n = 1; n <= 500; n += 1) log.note(rejection('10.0.0.1', `number ${n}`))
    log.note(rejection('10.0.0.2'))
    log.note(rejection('10.0.0.1', 'too long', 'TOO_LARGE'))
    const first = [
      'INVALID 1 message from 10.0.0.1: number 1',
      'INVALID 1 message from 10.0.0.2: do this',
      'TOO_LARGE 1 message from 10.0.0.1: too long',
    ]
    expect(lines).toEqual(first)
    at(59_999)
    expect(lines).toEqual(first)
    at(60_000)
    expect(lines.slice(3)).toEqual(['INVALID 499 messages from 10.0.0.1 within a minute: number 500'])
    at(120_000)
    log.note(rejection('10.0.0.1', 'again'))
    expect(lines.slice(4)).toEqual(['INVALID 1 message from 10.0.0.1: again'])
  })

  test('made-up senders share a line, and a clock that is set back holds nothing up', () => {
    const { log, lines, at } = rejectionLog()
    at(100_000)
    for (let n = 0; n < 5000; n += 1) log.note(rejection(`10.0.${n >> 8}.${n & 255}`))
    expect(lines).toHaveLength(201)
    at(50_000)
    expect(lines.slice(201)).toEqual([`INVALID 4799 messages from ${OTHER_SENDERS} within a minute: do this`])
  })

  test('the rest is written at the end', () => {
    const { log, lines } = rejectionLog()
    for (let n = 0; n < 3; n += 1) log.note(rejection('10.0.0.1'))
    log.flush(true)
    expect(lines.slice(1)).toEqual(['INVALID 2 messages from 10.0.0.1 within a minute: do this'])
  })
})
