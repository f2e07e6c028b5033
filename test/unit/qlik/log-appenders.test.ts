/** The log appender file for the schedulers of Qlik Sense. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { logAppenderFile } from '../../../src/qlik/log-appenders.ts'

const shipped = join(import.meta.dirname, '..', '..', '..', 'config', 'qlik', 'LocalLogConfig.xml')

interface Param {
  readonly name: string
  readonly value: string
}
interface Appender {
  readonly name: string
  readonly type: string
  readonly filter: readonly { readonly type: string; readonly param?: readonly Param[] }[]
  readonly param: readonly Param[]
  readonly layout: readonly { readonly param: readonly Param[]; readonly converter: readonly { param: Param[] }[] }[]
}
interface Logger {
  readonly name: string
  readonly 'appender-ref': readonly { readonly ref: string }[]
}

function parsed(text: string): { appender: Appender[]; logger: Logger[] } {
  expect(XMLValidator.validate(text)).toBe(true)
  const lists = new Set(['appender', 'filter', 'param', 'layout', 'converter', 'logger', 'appender-ref'])
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseAttributeValue: false,
    processEntities: true,
    isArray: (name) => lists.has(name),
  })
  return parser.parse(text).configuration
}
const paramOf = (params: readonly Param[], name: string) => params.find((param) => param.name === name)?.value

test('the shipped file is made by the generator', () => {
  expect(readFileSync(shipped, 'utf8')).toBe(logAppenderFile({ address: '10.11.12.13', port: 9998, isExample: true }))
})

describe('the file', () => {
  const { appender, logger } = parsed(logAppenderFile({ address: 'footman.acme.example', port: 10_001 }))

  test('has the four appenders with their texts and first fields', () => {
    const told = appender.map(({ name, filter, layout }) => [
      name,
      filter.flatMap(({ param = [] }) => param.map(({ value }) => value)),
      paramOf(layout[0]!.param, 'conversionpattern')?.split(';')[0],
    ])
    expect(told).toEqual([
      [
        'FootmanTaskFailed',
        ['Max retries reached', 'Failed to start session', 'Could not reserve an executor for task'],
        '/scheduler-task-failed/',
      ],
      ['FootmanTaskAborted', ['Execution State Change to Aborting'], '/scheduler-task-aborted/'],
      ['FootmanTaskSuccess', ['Execution State Change to FinishedSuccess'], '/scheduler-task-success/'],
      ['FootmanDistribute', ['Exiting execute of Distribute task request.'], '/scheduler-distribute/'],
    ])
  })

  test('sends to the address in UTF-8, all other messages to nobody', () => {
    for (const { type, param, filter, layout } of appender) {
      expect(type).toBe('log4net.Appender.UdpAppender')
      expect(Object.fromEntries(param.map(({ name, value }) => [name, value]))).toEqual({
        remoteAddress: 'footman.acme.example',
        remotePort: '10001',
        encoding: 'utf-8',
      })
      expect(filter.at(-1)?.type).toBe('log4net.Filter.DenyAllFilter')
      expect(paramOf(layout[0]!.param, 'conversionpattern')).toEndWith(
        ';%hostname;%property{TaskName};%property{AppName};%property{User};%property{TaskId};%property{AppId};%date;%level;%property{ExecutionId};%message',
      )
      expect(layout[0]!.converter[0]!.param.map(({ value }) => value)).toEqual([
        'hostname',
        'Qlik.Sense.Logging.log4net.Layout.Pattern.HostNamePatternConverter',
      ])
    }
  })

  test('hangs them on the loggers of manager and worker', () => {
    expect(logger.map(({ name, 'appender-ref': refs }) => [name, refs.map(({ ref }) => ref)])).toEqual([
      [
        'System.Scheduler.Scheduler.Master.Task.TaskSession',
        ['FootmanTaskFailed', 'FootmanTaskAborted', 'FootmanTaskSuccess'],
      ],
      ['System.Scheduler.Scheduler.Slave.Tasks.ReloadTask', ['FootmanDistribute']],
    ])
  })
})

test('any address is escaped, also in the comment', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'a.-<>&"\'é1') }), (address) => {
      const { appender } = parsed(logAppenderFile({ address, port: 9998 }))
      for (const { param } of appender) expect(paramOf(param, 'remoteAddress')).toBe(address)
    }),
    { numRuns: 200 },
  )
})

test.each([0, -1, 65_536, 1.5, Number.NaN])('%p is not a port', (port) => {
  expect(() => logAppenderFile({ address: 'a', port })).toThrow('is not a port')
})
