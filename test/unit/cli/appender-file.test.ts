import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseAppenderFile } from '../../../src/cli/doctor/site/appender.ts'

const read = (xml: string) => {
  const result = parseAppenderFile(xml)
  if (!result.ok) throw new Error(result.error)
  return result.file
}

test('both ways to write a setting mean the same, in any case of the letters', () => {
  const [first, second] = ['<param name="RemoteAddress" value="qs&amp;1"/>', '<remoteAddress Value="qs&amp;1"/>'].map(
    (setting) => read(`<configuration><appender name="A" type="T">${setting}</appender></configuration>`).appenders[0]!,
  )
  expect(first!.settings.get('remoteaddress')).toBe('qs&1')
  expect(second!.settings).toEqual(first!.settings)
})

test('an appender knows its loggers, a logger may name an appender that is not there', () => {
  const file = read(`<log4net>
    <appender name="A" type="T"/>
    <logger name="L"><appender-ref ref="A"/><appender-ref ref="B"/></logger>
    <root><appender-ref ref="A"/></root>
  </log4net>`)
  expect(file.appenders[0]!.loggers).toEqual(['L', 'root'])
  expect(file.dangling).toEqual([{ logger: 'L', ref: 'B' }])
})

test('a file of the program, where log4net stands within the configuration', () => {
  const xml = '<configuration><log4net><appender name="A" type="T"/></log4net></configuration>'
  expect(read(xml).appenders.map(({ name }) => name)).toEqual(['A'])
})

test.each([
  ['<configuration>\n<appender name="A">\n</configuration>', 2],
  ['<configuration>\n<appender name=A/>\n</configuration>', 2],
  ['<configuration>\n<appender name="&unknown;"/>\n</configuration>', 2],
  ['no XML', null],
])('%p is refused', (xml, line) => {
  expect(parseAppenderFile(xml)).toEqual({ ok: false, error: expect.any(String), line })
})

const PIECES = [
  '<configuration>',
  '</configuration>',
  '<appender name="A">',
  '</appender>',
  '<param name="x" value="1"/>',
  '<layout/>',
  '<filter>text</filter>',
  '<logger name="L">',
  '</logger>',
  '<appender-ref ref="A"/>',
  '<!-- -->',
  '<![CDATA[x]]>',
  '&amp;',
  '<__proto__ value="1"/>',
  '<constructor/>',
  '<?xml version="1.0"?>',
  '<root>',
  '</root>',
]

test('whatever the file holds is read or refused, never thrown', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(fc.constantFrom(...PIECES)).map((all) => all.join('')),
      ),
      (text) => {
        const result = parseAppenderFile(text)
        if (result.ok) expect(Array.isArray(result.file.appenders)).toBeTrue()
        else expect(result.error).not.toBe('')
      },
    ),
    { numRuns: 500 },
  )
})
