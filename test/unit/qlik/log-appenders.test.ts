/** The log appender file for the schedulers of Qlik Sense. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DOMParser, type Element, onWarningStopParsing } from '@xmldom/xmldom'
import fc from 'fast-check'
import { logAppenderFile } from '../../../src/qlik/log-appenders.ts'

const shipped = join(import.meta.dirname, '..', '..', '..', 'config', 'qlik', 'LocalLogConfig.xml')

const children = (parent: Element, name: string) =>
  Array.from(parent.children).filter(({ nodeName }) => nodeName === name)
const attribute = (element: Element, name: string) => element.getAttribute(name)
const values = (parent: Element) => children(parent, 'param').map((param) => attribute(param, 'value'))
const params = (parent: Element) =>
  Object.fromEntries(children(parent, 'param').map((param) => [attribute(param, 'name'), attribute(param, 'value')]))

function parsed(text: string): { appenders: Element[]; loggers: Element[] } {
  const root = new DOMParser({ onError: onWarningStopParsing }).parseFromString(text, 'text/xml').documentElement!
  expect(root.nodeName).toBe('configuration')
  return { appenders: children(root, 'appender'), loggers: children(root, 'logger') }
}

test('the shipped file is made by the generator', () => {
  expect(readFileSync(shipped, 'utf8')).toBe(logAppenderFile({ address: '10.11.12.13', port: 9998, isExample: true }))
})

describe('the file', () => {
  const { appenders, loggers } = parsed(logAppenderFile({ address: 'footman.acme.example', port: 10_001 }))

  test('has the four appenders with their texts and first fields', () => {
    const found = appenders.map((appender) => [
      attribute(appender, 'name'),
      children(appender, 'filter').flatMap(values),
      params(children(appender, 'layout')[0]!).conversionpattern?.split(';')[0],
    ])
    expect(found).toEqual([
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
    for (const appender of appenders) {
      expect(attribute(appender, 'type')).toBe('log4net.Appender.UdpAppender')
      expect(params(appender)).toEqual({
        remoteAddress: 'footman.acme.example',
        remotePort: '10001',
        encoding: 'utf-8',
      })
      expect(attribute(children(appender, 'filter').at(-1)!, 'type')).toBe('log4net.Filter.DenyAllFilter')
      const layout = children(appender, 'layout')[0]!
      expect(params(layout).conversionpattern).toEndWith(
        ';%hostname;%property{TaskName};%property{AppName};%property{User};%property{TaskId};%property{AppId};%date;%level;%property{ExecutionId};%message',
      )
      expect(values(children(layout, 'converter')[0]!)).toEqual([
        'hostname',
        'Qlik.Sense.Logging.log4net.Layout.Pattern.HostNamePatternConverter',
      ])
    }
  })

  test('hangs them on the loggers of manager and worker', () => {
    const refs = (logger: Element) => children(logger, 'appender-ref').map((one) => attribute(one, 'ref'))
    expect(loggers.map((logger) => [attribute(logger, 'name'), refs(logger)])).toEqual([
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
      const { appenders } = parsed(logAppenderFile({ address, port: 9998 }))
      for (const appender of appenders) expect(params(appender).remoteAddress).toBe(address)
    }),
    { numRuns: 200 },
  )
})

test.each([0, -1, 65_536, 1.5, Number.NaN])('%p is not a port', (port) => {
  expect(() => logAppenderFile({ address: 'a', port })).toThrow('is not a port')
})
