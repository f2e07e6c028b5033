import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { rmSync, writeFileSync } from 'node:fs'
import { formatDay } from '../../../src/platform/calendar.ts'
import { type CalendarFiles, createCalendarFiles } from '../../../src/platform/calendar-files.ts'
import { readWorkbookTable } from '../../../src/reports/templates/workbook/table.ts'
import { ENCODINGS, encoded } from '../../support/encodings.ts'
import { type RecordingLog, recordingLog } from '../../support/recording-log.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

let directory: TempDirectory
let log: RecordingLog
let files: CalendarFiles
let troubles: [string, string | null][]

beforeEach(() => {
  directory = tempDirectory()
  log = recordingLog()
  troubles = []
})
afterEach(async () => {
  await files.stop()
  directory.remove()
})

async function start(name: string, content: string | Uint8Array | null): Promise<string> {
  const path = directory.join(name)
  if (content !== null) writeFileSync(path, content)
  files = createCalendarFiles(
    {
      log,
      readTable: (bytes) => readWorkbookTable(new Uint8Array(bytes), 10),
      onFailure: (calendar, reason) => void troubles.push([calendar, reason]),
    },
    { files: { feasts: path }, pollMs: 10 },
  )
  await files.start()
  return path
}

const days = (): string[] => [...files.days('feasts')].map(formatDay)
const ICS = 'BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261224\nEND:VEVENT\nEND:VCALENDAR\n'

describe('files of calendars', () => {
  test.each([
    ['a.ics', ICS, ['2026-12-24']],
    ['mac.yaml', '- 2026-12-24\r- 2026-12-25\r', ['2026-12-24', '2026-12-25']],
    ['a.yaml', '# ours\n- 2026-12-24\n- "2026-12-31"\n', ['2026-12-24', '2026-12-31']],
    ['a.yml', '', []],
    ['a.csv', 'Date;Name\r\n24.12.2026;Heiligabend\r\n;;\r\n2026-12-31;"a;b"\r\n', ['2026-12-24', '2026-12-31']],
    ['a.txt', 'sep=,\n2026-12-24\n', ['2026-12-24']],
  ])('%s', async (name, content, expected) => {
    await start(name, content)
    expect(days()).toEqual(expected)
    // It is told well at the first look, for whoever remembers it as broken.
    expect(troubles).toEqual([['feasts', null]])
  })

  test.each(ENCODINGS)('%s', async (encoding) => {
    await start('a.ics', encoded(ICS.replace('BEGIN:VEVENT', 'BEGIN:VEVENT\nSUMMARY:Mårten “Gås”'), encoding))
    expect(days()).toEqual(['2026-12-24'])
    expect(log.of('warn')).toEqual(
      encoding === 'windows-1252' ? [expect.stringContaining('is read as Windows-1252')] : [],
    )
    await files.stop()
    await start('b.yaml', encoded('# für März\n- 2026-12-24\n', encoding))
    expect(days()).toEqual(['2026-12-24'])
  })

  test('a cell that is no date is named with its line', async () => {
    await start('a.csv', 'Date;Name\n12/24/2026;Eve\n')
    const reason = expect.stringContaining('line 2, column 1: "12/24/2026" is no date')
    expect(troubles).toEqual([['feasts', reason]])
  })

  test('a file of two encodings is refused with its place', async () => {
    await start(
      'a.csv',
      Buffer.concat([Buffer.from('Tag;Name\n2026-12-24;Zoë\n'), Buffer.from('2026-12-25;Jörg', 'latin1')]),
    )
    expect(troubles).toEqual([['feasts', expect.stringContaining('line 3, column 13: the byte 0xF6 is no UTF-8')]])
  })

  test('an archive without a workbook is no calendar', async () => {
    await start('a.ics', Buffer.from('PK\x03\x04'))
    expect(troubles).toEqual([['feasts', expect.stringContaining('it is a ZIP file without a workbook')]])
  })

  test('a file that changes is read again', async () => {
    const path = await start('a.yaml', '- 2026-12-24\n')
    writeFileSync(path, '- 2026-12-24\n- 2026-12-25\n')
    await until(() => days().length === 2)
  })

  test('a file that breaks: the last good content stays, once told, and told again when it is well', async () => {
    const path = await start('a.yaml', '- 2026-12-24\n')
    writeFileSync(path, '- 2026-13-45\n')
    await until(() => troubles.length === 2)
    expect(troubles[1]).toEqual(['feasts', expect.stringContaining('"2026-13-45" is no date like 2026-12-24')])
    expect(days()).toEqual(['2026-12-24'])
    rmSync(path)
    await until(() => troubles.length === 3)
    writeFileSync(path, '- 2027-01-01\n')
    await until(() => troubles.at(-1)?.[1] === null)
    expect(days()).toEqual(['2027-01-01'])
  })

  test('an iCalendar file that is cut: the last good content stays, and the line is named', async () => {
    const path = await start('a.ics', ICS)
    writeFileSync(path, ICS.slice(0, ICS.indexOf('END:VEVENT')))
    await until(() => troubles.length === 2)
    expect(troubles[1]).toEqual(['feasts', expect.stringContaining('line 2, column 1: the event that begins here')])
    expect(days()).toEqual(['2026-12-24'])
  })

  test('a file that is not there', async () => {
    await start('a.ics', null)
    expect(days()).toEqual([])
    expect(troubles).toEqual([['feasts', expect.stringContaining('ENOENT')]])
  })

  test('what cannot be followed in a file is in the log', async () => {
    await start('a.ics', ICS.replace('20261224', '20261224\nRRULE:FREQ=DAILY'))
    expect(JSON.stringify(log)).toContain('FREQ=DAILY is not FREQ=YEARLY; only its first day counts')
  })
})
