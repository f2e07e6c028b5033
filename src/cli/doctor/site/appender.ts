/** The log appender file of the scheduler: would what it sends arrive here, and be understood? */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { DOMParser, type Element, type Node } from '@xmldom/xmldom'
import { isLoopback } from '../../../platform/addresses.ts'
import { lenientText } from '../../../platform/encodings.ts'
import { errorText } from '../../../platform/errors.ts'
import { APPENDERS, FIELDS as MESSAGE_FIELDS } from '../../../qlik/log-appenders.ts'
import { isOwn, ownAddress, resolved } from '../machine/ports.ts'
import type { DoctorContext, Finding, FindingLevel, Probe } from '../types.ts'
import { plural, some } from './site.ts'

const GROUP = 'appender'
const DEFAULT_FILE = 'C:\\ProgramData\\Qlik\\Sense\\Scheduler\\LocalLogConfig.xml'
/** First field of the messages of Butler 4.2 and 4.3, which have no type. */
const HOST = '%hostname'
/** The number of fields in messages of Butler 1.1 to 4.1: without type, ids and time. */
const OUTDATED_FIELDS = 4
/** Appenders of Butler 2.0 to 6.1 about users and their sessions. */
const SESSION_APPENDER = /^(NodeUserLogger|EventSession)$/i
const TAKE = 'take the file that "footman log-appender" writes'

interface Kind {
  readonly what: string
  /** First field of the messages, today's first. */
  readonly types: readonly string[]
  /** Texts of the lines that are sent, today's first; any of them is enough. */
  readonly texts: readonly string[]
  /** Text of older files, with the logger that it needs. */
  readonly older?: readonly [text: string, logger: string]
  readonly logger: string
  /** When no appender is of this kind. */
  readonly missing: FindingLevel
}

interface KindNotes extends Pick<Kind, 'what' | 'older' | 'missing'> {
  readonly olderTypes?: readonly string[]
}

/** In the order of the appenders. */
const NOTES: readonly KindNotes[] = [
  {
    what: 'failed tasks',
    olderTypes: ['/scheduler-reload-failed/', '/scheduler-reloadtask-failed/', HOST],
    missing: 'error',
  },
  { what: 'aborted tasks', olderTypes: ['/scheduler-reload-aborted/'], missing: 'warning' },
  {
    what: 'successful tasks',
    olderTypes: ['/scheduler-reloadtask-success/'],
    older: ['Reload complete', APPENDERS[3]!.logger],
    missing: 'warning',
  },
  { what: 'distribution tasks', missing: 'info' },
]

const KINDS: readonly Kind[] = APPENDERS.map(({ type, texts, logger }, index) => {
  const { olderTypes = [], ...notes } = NOTES[index]!
  return { ...notes, types: [type, ...olderTypes], texts, logger }
})

const FIELDS = MESSAGE_FIELDS.split(';')

export const appenderProbe: Probe = {
  group: GROUP,
  title: 'Log appender of the scheduler',
  applies: ({ config, appender }) => config.udpServerConfig.enable && fileOf(appender) !== null,
  async run(context) {
    const path = fileOf(context.appender)!
    return examine(path, context)
  },
}

function fileOf(given: string | undefined): string | null {
  if (given !== undefined) return given
  return process.platform === 'win32' && existsSync(DEFAULT_FILE) ? DEFAULT_FILE : null
}

async function examine(path: string, context: DoctorContext): Promise<readonly Finding[]> {
  const say: Say = (level, what, message, fix) => {
    return { level, code: `${GROUP}.${what}`, target: path, message, ...(fix !== undefined && { fix }) }
  }
  const text = await readFile(path).then(
    (bytes) => lenientText(bytes).text,
    (error: Error) => error,
  )
  if (typeof text !== 'string') {
    return [say('error', 'unreadable', `cannot be read: ${text.message}`, 'check the path, and who may read the file')]
  }
  const parsed = parseAppenderFile(text)
  if (!parsed.ok) {
    const place = parsed.line === null ? '' : `line ${parsed.line}: `
    const fix = `correct it there, or ${TAKE}; Qlik Sense ignores a file that is no XML`
    return [say('error', 'xml', `is no log appender file: ${place}${parsed.error}`, fix)]
  }
  return judge(parsed.file, context, say)
}

type Say = (level: FindingLevel, what: string, message: string, fix?: string) => Finding

async function judge(file: AppenderFile, context: DoctorContext, say: Say): Promise<readonly Finding[]> {
  const sending = file.appenders.filter(({ type }) => /UdpAppender/i.test(type))
  const ours = sending.filter(({ name }) => !SESSION_APPENDER.test(name))
  const findings = sending.filter((one) => !ours.includes(one)).map((one) => sessionFinding(one, say))
  if (ours.length === 0) {
    const message = `holds no UDP appender${findings.length > 0 ? ' about tasks' : ''}, so nothing is sent`
    return [...findings, say('error', 'none', message, TAKE)]
  }
  for (const target of targetsOf(ours)) findings.push(...(await targetFindings(target, context, say)))
  const secrets = context.config.footman.udp.sharedSecrets
  const plain = ours.map((appender) => ({ ...appender, pattern: withoutSecret(appender.pattern, secrets) }))
  findings.push(...secretFindings(ours, secrets, say))
  for (const appender of plain) findings.push(...contentFindings(appender, say))
  findings.push(...KINDS.flatMap((kind) => kindFindings(kind, plain, say)))
  for (const { logger, ref } of file.dangling) {
    const fix = `correct the appender-ref in the logger ${logger}`
    findings.push(
      say('warning', 'reference', `the logger ${logger} names the appender "${ref}", which is not there`, fix),
    )
  }
  if (findings.some(({ level }) => level !== 'info')) return findings
  const to = `${ours[0]!.settings.get('remoteaddress')}:${ours[0]!.settings.get('remoteport')}`
  return [
    say('ok', 'valid', `${plural(ours.length, 'appender')} that send to ${to}, as Footman expects it`),
    ...findings,
  ]
}

// -------------------------------------------------------------------------------------------- where it is sent to

/** Where appenders send to; most files have one target for all of them. */
interface Target {
  /** In quotes. */
  readonly names: string
  readonly address: string
  readonly port: string
  readonly encoding: string
}

function targetsOf(appenders: readonly Appender[]): readonly Target[] {
  const of = ({ settings }: Appender, name: string) => settings.get(name) ?? ''
  const key = (one: Appender) =>
    JSON.stringify(['remoteaddress', 'remoteport', 'encoding'].map((name) => of(one, name)))
  return [...Map.groupBy(appenders, key).values()].map((same) => ({
    names: some(
      same.map(({ name }) => name),
      same.length,
    ),
    address: of(same[0]!, 'remoteaddress'),
    port: of(same[0]!, 'remoteport'),
    encoding: of(same[0]!, 'encoding'),
  }))
}

async function targetFindings(target: Target, context: DoctorContext, say: Say): Promise<Finding[]> {
  const { names, port, encoding } = target
  const wanted = String(context.config.udpServerConfig.portTaskFailure)
  const findings = await addressFindings(target, context, say)
  if (port !== wanted) {
    const message = `${names}: sends to port ${port || 'nothing'}, but Footman listens on ${wanted}`
    const fix = `set remotePort to ${wanted} in ${names}, or Butler.udpServerConfig.portTaskFailure to ${port || 9998}`
    findings.push(say('error', 'port', message, fix))
  }
  if (!/^utf-?8$/i.test(encoding)) {
    const message = `${names}: ${encoding ? `sends as ${encoding}` : 'names no encoding'}: letters beyond ASCII may arrive garbled`
    findings.push(say('warning', 'encoding', message, `write <param name="encoding" value="utf-8"/> into ${names}`))
  }
  return findings
}

async function addressFindings(
  { names, address }: Target,
  { config: { udpServerConfig: udp }, timeout }: DoctorContext,
  say: Say,
): Promise<Finding[]> {
  const fix = `set remoteAddress to ${ownAddress(udp.serverHost)} in ${names}`
  if (address === '') return [say('error', 'address', `${names}: no remoteAddress`, fix)]
  const addresses = isIP(address) > 0 ? [address] : await resolved(address, timeout)
  if (addresses.length === 0) {
    return [say('error', 'address', `${names}: sends to ${address}, a name that is not known here`, fix)]
  }
  if (!addresses.some(isOwn)) {
    const message = `${names}: sends to ${address}, which is no address of this machine`
    return [say('error', 'address', message, `${fix}, if Footman is to run on this machine`)]
  }
  if (isIP(udp.serverHost) > 0 && !isAll(udp.serverHost) && !addresses.includes(udp.serverHost)) {
    const message = `${names}: sends to ${address}, but Footman listens on ${udp.serverHost} only`
    return [say('error', 'address', message, `${fix}, or Butler.udpServerConfig.serverHost to 0.0.0.0`)]
  }
  if (!addresses.some(isLoopback)) return []
  const message = `${names}: sends to ${address}, which is right only where the scheduler runs on the machine of Footman`
  return [say('info', 'loopback', message)]
}

const isAll = (host: string): boolean => host === '0.0.0.0' || host === '::'

// ---------------------------------------------------------------------------------------------------- what is sent

function sessionFinding({ name }: Appender, say: Say): Finding {
  const message = `"${name}" sends messages about sessions of users, which is not needed any more`
  const fix = `delete "${name}" and the lines <appender-ref ref="${name}"/>`
  return say('warning', 'not-needed', message, fix)
}

/** `/scheduler-task-success//` counts as `/scheduler-task-success/`. */
const typeOf = ({ pattern }: Appender): string =>
  (pattern.split(';')[0] ?? '').trim().toLowerCase().replace(/\/+$/, '/')

const kindOf = (appender: Appender): Kind | undefined => KINDS.find(({ types }) => types.includes(typeOf(appender)))

function withoutSecret(pattern: string, secrets: readonly string[]): string {
  const secret = secrets.find((one) => pattern.startsWith(`${one};`))
  return secret === undefined ? pattern : pattern.slice(secret.length + 1)
}

/** Secrets themselves are never shown. */
function secretFindings(appenders: readonly Appender[], secrets: readonly string[], say: Say): Finding[] {
  if (secrets.length === 0) return []
  const without = appenders.filter(({ pattern }) => withoutSecret(pattern, secrets) === pattern)
  if (without.length === 0) return []
  const names = without.map(({ name }) => `"${name}"`).join(', ')
  const message = `${names}: the conversionpattern does not begin with one of Butler.footman.udp.sharedSecrets, so Footman drops what is sent`
  return [say('error', 'secret', message, TAKE)]
}

function contentFindings(appender: Appender, say: Say): Finding[] {
  const { name, texts, loggers, deniesRest, converters } = appender
  if (isOutdated(appender)) return [outdatedFinding(appender, say)]
  const findings = patternFindings(appender, say)
  if (!deniesRest) {
    const fix = `write <filter type="log4net.Filter.DenyAllFilter"/> after the other filters of "${name}"`
    findings.push(say('error', 'deny', `"${name}" has no DenyAllFilter: every line of the log would be sent`, fix))
  }
  if (/%hostname/i.test(appender.pattern) && !converters.some((one) => one.toLowerCase() === 'hostname')) {
    const fix =
      'add the converter "hostname" of type Qlik.Sense.Logging.log4net.Layout.Pattern.HostNamePatternConverter to its layout'
    findings.push(say('error', 'converter', `the layout of "${name}" uses %hostname without defining it`, fix))
  }
  const kind = kindOf(appender)
  if (!kind) return findings
  return [...findings, ...textFindings({ name, texts, loggers }, kind, say)]
}

const isOutdated = ({ pattern }: Appender): boolean =>
  !pattern.startsWith('/') && pattern.split(';').length === OUTDATED_FIELDS

function outdatedFinding({ name }: Appender, say: Say): Finding {
  const message = `"${name}" sends ${OUTDATED_FIELDS} fields without the ids of task and execution, as files of Butler 1.1 to 4.1 do: Footman cannot use them`
  const fix = `replace this appender, and the others of the file: ${TAKE}`
  return say('error', 'outdated', message, fix)
}

function textFindings(
  { name, texts, loggers }: Pick<Appender, 'name' | 'texts' | 'loggers'>,
  kind: Kind,
  say: Say,
): Finding[] {
  const findings: Finding[] = []
  const older = kind.older && texts.includes(kind.older[0]) ? kind.older : undefined
  const missing = kind.texts.filter((text) => !texts.includes(text))
  const [first = ''] = kind.texts
  if (missing.length === kind.texts.length && !older) {
    const found = texts.length > 0 ? `looks for ${some(texts)}` : 'has no text to look for'
    const fix = `set stringToMatch of "${name}" to ${kind.texts.join(' / ')}`
    findings.push(say('error', 'filter', `"${name}" ${found}, but lines about ${kind.what} hold "${first}"`, fix))
  } else if (older || missing.length > 0) {
    const message = older
      ? `"${name}" looks for "${older[0]}", as older files do; that works for reload tasks only`
      : `"${name}" does not look for ${some(missing)}, as older files do: failed preload tasks are not reported`
    findings.push(say('info', 'generation', message))
  }
  const logger = older?.[1] ?? kind.logger
  if (loggers.length === 0) {
    const fix = `write <appender-ref ref="${name}"/> into <logger name="${logger}">`
    findings.push(say('error', 'logger', `"${name}" is attached to no logger, so it sends nothing`, fix))
  } else if (!loggers.some((one) => one === 'root' || logger.startsWith(one))) {
    const fix = `attach it to <logger name="${logger}">`
    const message = `"${name}" is attached to ${loggers.join(', ')}, but lines about ${kind.what} come from ${logger}`
    findings.push(say('error', 'logger', message, fix))
  }
  return findings
}

function patternFindings(appender: Appender, say: Say): Finding[] {
  const { name, pattern } = appender
  const kind = kindOf(appender)
  const type = kind?.types[0] ?? '/scheduler-task-failed/'
  const fix = `set conversionpattern of "${name}" to ${[type, ...FIELDS].join(';')}`
  if (pattern === '') return [say('error', 'pattern', `"${name}" has no conversionpattern`, fix)]
  const findings: Finding[] = []
  const [first = '', ...rest] = pattern.split(';')
  const before = typeOf(appender) === HOST ? 0 : 1
  const fields = before === 0 ? [first, ...rest] : rest
  if (first.startsWith('/engine-reload-failed/')) {
    return [
      say(
        'info',
        'generation',
        `"${name}" sends messages of the engine about failed reloads: those without a task become events of the type appReload, which a rule has to ask for`,
      ),
    ]
  }
  if (!kind) {
    const message = `"${name}" sends messages that begin with "${first}", which Footman does not know`
    return [say('error', 'pattern', message, fix)]
  }
  if (kind.types.indexOf(typeOf(appender)) > 0) {
    findings.push(say('info', 'generation', `"${name}" is of an older kind ("${first}"), which Footman understands`))
  }
  const last = fields.at(-1) ?? ''
  const plain = [...fields.slice(0, -1), last.replace(/(%newline|%n)$/i, '')]
  const wrong = FIELDS.findIndex((field, index) => normal(plain[index]) !== normal(field))
  if (wrong >= 0 || fields.length !== FIELDS.length) {
    const at = wrong < 0 ? FIELDS.length : wrong
    const found = plain[at] === undefined ? 'nothing' : `"${plain[at]}"`
    const wanted = FIELDS[at] === undefined ? 'the end' : `"${FIELDS[at]}"`
    const message = `the conversionpattern of "${name}" has ${fields.length + before} fields instead of ${FIELDS.length + before}; field ${at + before + 1} is ${found} instead of ${wanted}`
    const same = `the conversionpattern of "${name}": field ${at + before + 1} is ${found} instead of ${wanted}`
    findings.push(say('error', 'pattern', fields.length === FIELDS.length ? same : message, fix))
  }
  return findings
}

/** log4net has short and long names for the same. */
const SAME: Readonly<Record<string, string>> = { '%p': '%level', '%d': '%date', '%m': '%message' }
const normal = (field = ''): string => {
  const text = field.trim().toLowerCase().replace('%properties{', '%property{')
  return SAME[text] ?? text
}

function kindFindings(kind: Kind, appenders: readonly Appender[], say: Say): Finding[] {
  if (appenders.some((appender) => kindOf(appender) === kind)) return []
  const message = `no appender is about ${kind.what}`
  if (kind.missing === 'info') return [say('info', 'kind', message)]
  const fix = `add the appender for ${kind.what} from the file that "footman log-appender" writes`
  return [say(kind.missing, 'kind', message, fix)]
}

// --------------------------------------------------------------------------------------------------------- the file

/** An appender of a log4net file (`LocalLogConfig.xml`), reduced to the members that the probe examines. */
interface Appender {
  readonly name: string
  /** Class, like `log4net.Appender.UdpAppender`. */
  readonly type: string
  /** Values by lower-case name: `remoteaddress`, `remoteport`, `encoding`. */
  readonly settings: ReadonlyMap<string, string>
  /** `stringToMatch` of the filters, in their order. */
  readonly texts: readonly string[]
  /** Whether what fits no filter is left out. */
  readonly deniesRest: boolean
  /** '' without one. */
  readonly pattern: string
  /** Converters that the layout defines. */
  readonly converters: readonly string[]
  /** Loggers that it is attached to; `root` for the root logger. */
  readonly loggers: readonly string[]
}

interface AppenderFile {
  readonly appenders: readonly Appender[]
  /** Names that loggers refer to although no appender has them. */
  readonly dangling: readonly { readonly logger: string; readonly ref: string }[]
}

type AppenderFileResult =
  | { readonly ok: true; readonly file: AppenderFile }
  | { readonly ok: false; readonly error: string; readonly line: number | null }

/** Names of elements and attributes count in any case, as log4net sets properties without regard to it. */
export function parseAppenderFile(text: string): AppenderFileResult {
  let refused: AppenderFileResult | undefined
  const parser = new DOMParser({
    // Its warnings are about texts that no other reader takes as XML, like attributes without quotes.
    onError(_level, message, { locator }) {
      refused ??= { ok: false, error: message, line: locator?.lineNumber || null }
      throw new Error(message)
    },
  })
  try {
    const outermost = parser.parseFromString(text.replace(/^\uFEFF/, ''), 'text/xml').documentElement
    if (outermost !== null && OUTERMOST.includes(nameOf(outermost))) {
      return { ok: true, file: appenderFileOf(elements(outermost, 'log4net')[0] ?? outermost) }
    }
    return { ok: false, error: 'the outermost element is not <configuration>', line: null }
  } catch (error) {
    return refused ?? { ok: false, error: errorText(error), line: null }
  }
}

const OUTERMOST = ['configuration', 'log4net']

const nameOf = ({ nodeName }: Node): string => nodeName.toLowerCase()
const elements = (parent: Element, name: string): Element[] =>
  Array.from(parent.children).filter((element) => nameOf(element) === name)
const attribute = (element: Element, name: string): string | undefined =>
  Array.from(element.attributes)
    .find((one) => nameOf(one) === name)
    ?.value.trim()

function appenderFileOf(root: Element): AppenderFile {
  const loggers = [
    ...elements(root, 'logger').map((one) => ({ name: attribute(one, 'name') ?? '', refs: refsOf(one) })),
    ...elements(root, 'root').map((one) => ({ name: 'root', refs: refsOf(one) })),
  ]
  const appenders = elements(root, 'appender').map((one) => {
    const name = attribute(one, 'name') ?? ''
    return appenderOf(
      one,
      name,
      loggers.filter(({ refs }) => refs.includes(name)).map((logger) => logger.name),
    )
  })
  const names = new Set(appenders.map(({ name }) => name))
  const dangling = loggers.flatMap(({ name, refs }) =>
    refs.filter((ref) => !names.has(ref)).map((ref) => ({ logger: name, ref })),
  )
  return { appenders, dangling }
}

const refsOf = (logger: Element): string[] => elements(logger, 'appender-ref').map((one) => attribute(one, 'ref') ?? '')

function appenderOf(element: Element, name: string, loggers: readonly string[]): Appender {
  const filters = elements(element, 'filter')
  const [layout] = elements(element, 'layout')
  return {
    name,
    type: attribute(element, 'type') ?? '',
    settings: settingsOf(element),
    texts: filters.flatMap((filter) => settingsOf(filter).get('stringtomatch') ?? []),
    deniesRest: filters.some((filter) => /DenyAllFilter/i.test(attribute(filter, 'type') ?? '')),
    pattern: (layout && settingsOf(layout).get('conversionpattern')) ?? '',
    converters: layout ? elements(layout, 'converter').map((one) => settingsOf(one).get('name') ?? '') : [],
    loggers,
  }
}

/** `<param name="x" value="y"/>` and `<x value="y"/>` mean the same. */
function settingsOf(element: Element): Map<string, string> {
  const settings = new Map<string, string>()
  for (const child of Array.from(element.children)) {
    const isParam = nameOf(child) === 'param'
    const value = attribute(child, 'value') ?? (isParam ? '' : undefined)
    if (value !== undefined)
      settings.set(isParam ? (attribute(child, 'name') ?? '').toLowerCase() : nameOf(child), value)
  }
  return settings
}
