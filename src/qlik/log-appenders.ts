/**
 * The file `LocalLogConfig.xml` (log4net) that makes the schedulers of Qlik Sense notify Footman about tasks by UDP. Text
 * and order are those of `config/qlik/LocalLogConfig.xml`, which is made by this generator.
 */

export interface AppenderTarget {
  /** Where the nodes of Qlik Sense reach Footman: an IP address or a host name. */
  readonly address: string
  readonly port: number
  /** Stands before the type of every message (`Butler.footman.udp.sharedSecrets`). */
  readonly secret?: string | undefined
  /** True in the shipped example: a comment asks the reader to fill in the address. */
  readonly isExample?: boolean
}

export interface LogAppender {
  readonly name: string
  /** Substrings of the scheduler's log messages; any of them. */
  readonly texts: readonly string[]
  /** First field of the datagram. */
  readonly type: string
  readonly logger: string
}

const TASK_SESSION = 'System.Scheduler.Scheduler.Master.Task.TaskSession'
const RELOAD_TASK = 'System.Scheduler.Scheduler.Slave.Tasks.ReloadTask'

/** In the order of the file: failed, aborted, successful tasks, distributions. */
export const APPENDERS: readonly LogAppender[] = [
  {
    name: 'FootmanTaskFailed',
    texts: ['Max retries reached', 'Failed to start session', 'Could not reserve an executor for task'],
    type: '/scheduler-task-failed/',
    logger: TASK_SESSION,
  },
  {
    name: 'FootmanTaskAborted',
    texts: ['Execution State Change to Aborting'],
    type: '/scheduler-task-aborted/',
    logger: TASK_SESSION,
  },
  {
    name: 'FootmanTaskSuccess',
    texts: ['Execution State Change to FinishedSuccess'],
    type: '/scheduler-task-success/',
    logger: TASK_SESSION,
  },
  {
    name: 'FootmanDistribute',
    texts: ['Exiting execute of Distribute task request.'],
    type: '/scheduler-distribute/',
    logger: RELOAD_TASK,
  },
]

/** The fields of every message, after its type. */
export const FIELDS =
  '%hostname;%property{TaskName};%property{AppName};%property{User};%property{TaskId};%property{AppId};%date;%level;%property{ExecutionId};%message'
const HOST_NAME = 'Qlik.Sense.Logging.log4net.Layout.Pattern.HostNamePatternConverter'

/** The whole file, with `\n` at the ends of lines. Throws on a port that is none. */
export function logAppenderFile(target: AppenderTarget): string {
  const { address, port, isExample = false } = target
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new RangeError(`${port} is not a port`)
  const loggers = [...new Set(APPENDERS.map(({ logger }) => logger))]
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<!--\n${comment(address, port, isExample)}\n-->`,
    '<configuration>',
    ...APPENDERS.map((appender) => appenderElement(appender, target)),
    ...loggers.map(loggerElement),
    '</configuration>',
    '',
  ].join('\n')
}

function comment(address: string, port: number, isExample: boolean): string {
  const first = isExample
    ? `1. Replace ${address} (four times) by the address of the server that runs Footman, and ${port} if
     Butler.udpServerConfig.portTaskFailure says otherwise.`
    : `1. Messages go to ${quietly(address)}, port ${port} (UDP). See that the nodes of Qlik Sense reach that address.`
  return `  Notifies Footman when a task has failed, was stopped or succeeded.

  ${first}
  2. Copy this file to C:\\ProgramData\\Qlik\\Sense\\Scheduler\\LocalLogConfig.xml on every Qlik Sense server that runs a
     scheduler. Qlik Sense reads it by itself after some minutes; restarting the scheduler service makes it immediate.
  3. Allow UDP to that port in the firewall of the server that runs Footman.

  A file made for Butler 4.2 or later keeps working as it is. Replace older ones.`
}

function appenderElement({ name, texts, type }: LogAppender, { address, port, secret }: AppenderTarget): string {
  const start = secret === undefined ? type : `${secret};${type}`
  return `  <appender name="${name}" type="log4net.Appender.UdpAppender">
${texts.map((text) => `    <filter type="log4net.Filter.StringMatchFilter">${param('stringToMatch', text)}</filter>`).join('\n')}
    <filter type="log4net.Filter.DenyAllFilter"/>
    ${param('remoteAddress', address)}
    ${param('remotePort', String(port))}
    ${param('encoding', 'utf-8')}
    <layout type="log4net.Layout.PatternLayout">
      <converter>
        ${param('name', 'hostname')}
        ${param('type', HOST_NAME)}
      </converter>
      ${param('conversionpattern', `${start};${FIELDS}`)}
    </layout>
  </appender>`
}

function loggerElement(logger: string): string {
  const names = APPENDERS.filter((appender) => appender.logger === logger).map(({ name }) => name)
  const references = names.map((name) => `    <appender-ref ref="${name}"/>`)
  return [`  <logger name="${logger}">`, ...references, '  </logger>'].join('\n')
}

const param = (name: string, value: string): string => `<param name="${name}" value="${escaped(value)}"/>`

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character]!)

/** Two hyphens end a comment. */
const quietly = (text: string): string => text.replace(/-(?=-)/g, '- ')
