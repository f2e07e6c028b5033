import { describe, expect, test } from 'bun:test'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { createLogger, isJournal, type LogSettings, withPriority } from '../../../src/platform/log.ts'

const AT = Date.parse('2026-03-02T06:00:01.120Z')

/** What a logger writes whose standard output is read by the journal. */
function journal(settings: Partial<LogSettings> = {}) {
  const texts = { stdout: '', stderr: '' }
  const writer = (name: keyof typeof texts) => ({
    write: (text: string) => {
      texts[name] += text
    },
    flush: async () => {},
    flushSync: () => {},
    end: async () => {},
  })
  const log = createLogger(
    { level: 'silly', format: 'text', console: true, ...settings },
    {
      clock: { now: () => AT },
      stdout: writer('stdout'),
      stderr: writer('stderr'),
      isTerminal: false,
      isJournal: true,
    },
  )
  return { log, texts }
}

describe('lines for the journal', () => {
  test('have a priority and no time, which the journal knows', () => {
    const { log, texts } = journal()
    for (const level of ['error', 'warn', 'info', 'verbose', 'debug', 'silly'] as const) log[level]('MAIN: Text')
    expect(texts.stdout).toBe(
      [
        '<3>error: MAIN: Text',
        '<4>warn: MAIN: Text',
        '<6>info: MAIN: Text',
        '<7>verbose: MAIN: Text',
        '<7>debug: MAIN: Text',
        '<7>silly: MAIN: Text',
        '',
      ].join('\n'),
    )
  })

  test('are written once, also errors', () => {
    const { log, texts } = journal()
    log.error('MAIN: Trouble')
    expect(texts).toEqual({ stdout: '<3>error: MAIN: Trouble\n', stderr: '' })
  })

  test('each have a priority, as the journal makes an entry of each', () => {
    const { log, texts } = journal()
    const error = Object.assign(new Error('boom'), { stack: 'Error: boom\n    at here\n\n    at there' })
    log.warn('one\ntwo', { error })
    expect(texts.stdout).toBe(
      [
        '<4>warn: one\\ntwo: boom',
        '<4>    Error: boom',
        '<4>        at here',
        '<4>    ',
        '<4>        at there',
        '',
      ].join('\n'),
    )
  })

  test('in JSON are whole', () => {
    const { log, texts } = journal({ format: 'json' })
    log.error('MAIN: Text', { port: 1 })
    expect(texts.stdout).toStartWith('<3>{')
    expect(JSON.parse(texts.stdout.slice(3))).toEqual({
      level: 'error',
      ts: '2026-03-02T06:00:01.120Z',
      port: 1,
      msg: 'MAIN: Text',
    })
  })
})

describe('the journal is recognised', () => {
  test('by device and inode of the output', () => {
    const fd = openSync('/dev/null', 'r')
    try {
      const { dev, ino } = fstatSync(fd, { bigint: true })
      expect(isJournal(fd, { JOURNAL_STREAM: `${dev}:${ino}` })).toBe(true)
      expect(isJournal(fd, { JOURNAL_STREAM: `${dev}:${ino + 1n}` })).toBe(false)
      expect(isJournal(fd, {})).toBe(false)
    } finally {
      closeSync(fd)
    }
    expect(isJournal(9999, { JOURNAL_STREAM: '1:2' })).toBe(false)
  })

  test('and lines without text get no priority', () => expect(withPriority('info', '\n')).toBe('\n'))
})
