/** Texts from outside are read in time in proportion to their length: twice the text takes twice the time. */
import { describe, expect, test } from 'bun:test'
import process from 'node:process'
import { addressOf } from '../../../src/alerts/destinations/email/mailer.ts'
import { htmlToText } from '../../../src/alerts/templates/html-to-text.ts'
import { strictText } from '../../../src/platform/encodings.ts'
import { createLogMask } from '../../../src/platform/log-mask.ts'
import { parseTable } from '../../../src/platform/table.ts'

/** Processor time in milliseconds, which other processes do not stretch. */
function timeOf(read: (text: string) => unknown, part: string, size: number): number {
  const text = part.repeat(Math.ceil(size / part.length))
  const begin = process.cpuUsage()
  try {
    read(text)
  } catch {
    // Refusing takes time, too.
  }
  const { user, system } = process.cpuUsage(begin)
  return (user + system) / 1000
}

const { text: mask } = createLogMask(() => [])

describe.each<[string, (text: string) => unknown, readonly string[]]>([
  [
    'HTML of a mail as text',
    htmlToText,
    [
      '<',
      '<a',
      '<a ',
      '<a "',
      '<a \'"',
      '<!--',
      '<style>',
      '<pre',
      '<pre>',
      '</',
      '</a ',
      '<a href="x">',
      '<a href="x"',
      '<b> ',
      ' <b>',
      '&#1',
      '&',
      'href="',
      "<a href='x\"'>",
      '<td></td> ',
      '\ue001 ',
      '<li ',
      '<br ',
      '<hr ',
      '<a "> <a \'>',
    ],
  ],
  ['a table', parseTable, ['"', '""', '",', 'a,', '\r', '\n"', 'a"', '"\n']],
  [
    'bytes as text',
    (text) => strictText(Buffer.from(text, 'latin1')),
    ['\xc3\xa9\xff', '\xdf\x93\xff', '\xe2\x80', 'a\n\0'],
  ],
  ['a line of the log', mask, ['-eyJ', 'eyJaaaaaaaaaa.', 'eyJ', 'bearer ', 'token=', 'a://', '"token"', 'cookie: ']],
  ['a mailbox', addressOf, ['a', '@', 'a@', '<', '<a']],
])('%s', (_, read, parts) => {
  test.each(parts.map((part) => [part]))(
    '%j',
    (part) => {
      timeOf(read, part, 100_000)
      const single = Math.min(timeOf(read, part, 500_000), timeOf(read, part, 500_000))
      const double = Math.min(timeOf(read, part, 1_000_000), timeOf(read, part, 1_000_000))
      // Quadratic: four times, from seconds on. Short times are not compared.
      expect(double).toBeLessThan(3 * single + 100)
    },
    60_000,
  )
})
