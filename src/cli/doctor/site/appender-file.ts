/** A log appender file of the Qlik Sense scheduler (log4net, `LocalLogConfig.xml`), reduced to what matters here. */
import { XMLParser, XMLValidator } from 'fast-xml-parser'

export interface Appender {
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

export interface AppenderFile {
  readonly appenders: readonly Appender[]
  /** Names that loggers refer to although no appender has them. */
  readonly dangling: readonly { readonly logger: string; readonly ref: string }[]
}

type AppenderFileResult =
  | { readonly ok: true; readonly file: AppenderFile }
  | { readonly ok: false; readonly error: string; readonly line: number | null }

const LISTS = new Set(['appender', 'param', 'filter', 'logger', 'appender-ref', 'converter', 'root'])

/** Names of elements and attributes count in any case, as log4net sets properties without regard to it. */
export function parseAppenderFile(text: string): AppenderFileResult {
  const xml = text.replace(/^\uFEFF/, '')
  const valid = XMLValidator.validate(xml)
  if (valid !== true) {
    const { msg, line } = valid.err
    return { ok: false, error: msg, line: typeof line === 'number' ? line : null }
  }
  const parser = new XMLParser({
    ...{ ignoreAttributes: false, attributeNamePrefix: '@', parseAttributeValue: false, parseTagValue: false },
    ...{ transformTagName: lower, transformAttributeName: lower, isArray: (name: string) => LISTS.has(name) },
  })
  let document: Element
  try {
    document = asElement(parser.parse(xml) as unknown)
  } catch (error) {
    // Names and entities that it refuses although they are XML.
    return { ok: false, error: error instanceof Error ? error.message : String(error), line: null }
  }
  const root = asElement(document.configuration ?? document.log4net)
  const inner = root.log4net === undefined ? root : asElement(root.log4net)
  if (document.configuration === undefined && document.log4net === undefined) {
    return { ok: false, error: 'the outermost element is not <configuration>', line: null }
  }
  return { ok: true, file: fileOf(inner) }
}

const lower = (name: string): string => name.toLowerCase()

type Element = Readonly<Record<string, unknown>>

const asElement = (value: unknown): Element =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Element) : {}
const elements = (value: unknown): Element[] =>
  (Array.isArray(value) ? value : value === undefined ? [] : [value]).map(asElement)
const attribute = (element: Element, name: string): string => String(element[`@${name}`] ?? '').trim()

function fileOf(root: Element): AppenderFile {
  const loggers = [
    ...elements(root.logger).map((one) => ({ name: attribute(one, 'name'), refs: refsOf(one) })),
    ...elements(root.root).map((one) => ({ name: 'root', refs: refsOf(one) })),
  ]
  const appenders = elements(root.appender).map((one) => {
    const name = attribute(one, 'name')
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

const refsOf = (logger: Element): string[] => elements(logger['appender-ref']).map((one) => attribute(one, 'ref'))

function appenderOf(element: Element, name: string, loggers: readonly string[]): Appender {
  const filters = elements(element.filter)
  const layout = elements(element.layout)[0] ?? {}
  return {
    name,
    type: attribute(element, 'type'),
    settings: settingsOf(element),
    texts: filters.flatMap((filter) => settingsOf(filter).get('stringtomatch') ?? []),
    deniesRest: filters.some((filter) => /DenyAllFilter/i.test(attribute(filter, 'type'))),
    pattern: settingsOf(layout).get('conversionpattern') ?? '',
    converters: elements(layout.converter).map((one) => settingsOf(one).get('name') ?? ''),
    loggers,
  }
}

/** `<param name="x" value="y"/>` and `<x value="y"/>` mean the same. */
function settingsOf(element: Element): Map<string, string> {
  const settings = new Map<string, string>()
  for (const [name, value] of Object.entries(element)) {
    if (name === 'param' || name.startsWith('@') || name.startsWith('#')) continue
    const direct = asElement(Array.isArray(value) ? undefined : value)
    if (direct['@value'] !== undefined) settings.set(name, attribute(direct, 'value'))
  }
  for (const param of elements(element.param)) {
    settings.set(attribute(param, 'name').toLowerCase(), attribute(param, 'value'))
  }
  return settings
}
