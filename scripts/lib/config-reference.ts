/** The reference of all configuration keys as Markdown, generated from the schema. */
import { annotatedSchema, type JsonSchema } from '../../src/app/config/json-schema.ts'

const GENERATED = 'This page is generated from the program (`npm run docs`); do not edit it.'

const INTRODUCTION = `# Configuration reference

${GENERATED}

The configuration is one YAML file (\`footman -c FILE\`). All settings stand below the key \`Butler:\`, and the keys below are
written without it. A file of Butler 16 is accepted unchanged, as are older layouts; what was renamed is read under its new
name with a note in the log. Everything is optional. An empty section means the same as a missing one.

Settings that Butler 16 does not know live in \`Butler.footman\`, which Butler 16 ignores: the same file still starts it.

| Value | Written as |
| --- | --- |
| duration | \`250ms\`, \`30s\`, \`5m\`, \`24h\`, \`7d\`, \`1w\`, \`PT90S\` |
| size | \`512KB\`, \`100MB\`, \`1GB\` |
| frequency | \`every 5 minutes\`, \`at 10:15 am\`, a cron expression, or a duration like \`PT90S\` |
| glob | \`Sales*\`, \`qs-??\`: the whole text, ignoring case |
| comparison | \`">=3"\`, \`">30m"\` |
| path | an absolute one is used as it is; a relative one is looked for in the working directory and beside the configuration file, and beside the executable only when the configuration file lies in its folder or below. Certificates of Qlik Sense (\`cert\`), those of Azure Event Grid and a relative \`logDirectory\` lead beside the executable first, as with Butler. \`footman check --paths\` lists where every path leads |

In any text, \`\${env:NAME}\` stands for an environment variable, \`\${file:/path}\` for the content of a file and
\`\${credential:NAME}\` for a protected value of Windows or a credential of systemd. \`footman check -c FILE\` checks a
file, \`footman schema\` prints a JSON Schema for editors.

Settings of features that this version does not have yet are accepted and checked; one line of the log at start names those
that are switched on.
`

/** Pages of the reference below `docs/configuration/`: title, and the sections on it by name (of `Butler` or `Butler.footman`). */
const PAGES: Readonly<Record<string, readonly [title: string, ...sections: string[]]>> = {
  process: [
    'Process, logs, data directory',
    'systemInfo',
    'fileLogging',
    'heartbeat',
    'dockerHealthCheck',
    'configVisualisation',
    'configDirectories',
    'footman.node',
    'footman.logging',
    'footman.shutdown',
    'footman.retention',
    'footman.health',
  ],
  cluster: ['Several nodes over one database', 'footman.cluster'],
  qlik: [
    'Connections to Qlik Sense',
    'cert',
    'configQRS',
    'configEngine',
    'qlikSenseUrls',
    'genericUrls',
    'qlikSenseCloud',
    'footman.qlikCloud',
  ],
  events: [
    'Events and script logs',
    'udpServerConfig',
    'scriptLog',
    'footman.udp',
    'footman.distribute',
    'footman.reconciler',
    'footman.watchdog',
  ],
  'butler-alerts': [
    'Alerts in the sections of Butler',
    'emailNotification',
    'webhookNotification',
    'slackNotification',
    'teamsNotification',
    'incidentTool',
    'thirdPartyToolsCredentials',
    'footman.butlerRoutes',
    'footman.email',
  ],
  alerts: [
    'Destinations, rules and silence',
    'footman.destinations',
    'footman.alertRoutes',
    'footman.windows',
    'footman.calendars',
    'footman.maintenance',
    'footman.selfAlerts',
    'footman.delivery',
  ],
  tasks: [
    'Task starts, schedules, retries',
    'startTaskFilter',
    'footman.startFilter',
    'footman.startQueue',
    'footman.retryPolicy',
    'footman.taskPolicies',
    'scheduler',
    'footman.scheduler',
    'footman.reportTask',
  ],
  rest: [
    'REST API, access, key-value store, files',
    'restServerConfig',
    'restServerEndpointsEnable',
    'restServerEndpointsConfig',
    'footman.access',
    'footman.audit',
    'footman.api',
    'keyValueStore',
    'footman.keyValue',
    'fileCopyApprovedDirectories',
    'fileMoveApprovedDirectories',
    'fileDeleteApprovedDirectories',
    'footman.files',
    'footman.scriptLogs',
    'footman.settings',
  ],
  console: ['Console', 'footman.console'],
  mqtt: ['MQTT', 'mqttConfig', 'footman.mqtt'],
  metrics: ['InfluxDB and Prometheus', 'influxDb', 'footman.influxDb', 'footman.metrics', 'uptimeMonitor'],
  monitors: [
    'Monitors of services, licences, versions',
    'serviceMonitor',
    'footman.serviceMonitor',
    'qlikSenseVersion',
    'footman.versionMonitor',
    'qlikSenseLicense',
    'footman.licenseRelease',
  ],
}

/** Markdown by path below `docs/`: the index, and one page per area with a table for each section. Throws for a section without a page. */
export function configReference(): Readonly<Record<string, string>> {
  const { properties = {} } = annotatedSchema()
  const { footman, ...butler } = properties
  const own = Object.entries(footman?.properties ?? {}).map(([key, schema]): Entry => [`footman.${key}`, schema])
  const entries: Entry[] = [...Object.entries(butler), ...own]
  const sections = new Map(entries.filter(([, schema]) => isSection(schema)))
  const single = entries.filter(([, schema]) => !isSection(schema))
  const tables = createTables()
  const pages = Object.entries(PAGES).map(([name, [title, ...keys]]): [string, string] => {
    const parts = keys.filter((key) => sections.has(key)).map((key) => tables.part([key, sections.get(key)!]))
    for (const key of keys) sections.delete(key)
    const first = name === 'process' ? ['## Keys without a section\n', tables.table(single)] : []
    return [`configuration/${name}.md`, [`# ${title}\n\n${GENERATED}\n`, ...first, ...parts].join('\n')]
  })
  if (sections.size > 0) throw new Error(`no page of the reference lists ${[...sections.keys()].join(', ')}`)
  return { 'configuration.md': `${INTRODUCTION}\n${index()}`, ...Object.fromEntries(pages) }
}

function index(): string {
  const rows = Object.entries(PAGES).map(
    ([name, [title, ...keys]]) =>
      `| [${title}](configuration/${name}.md) | ${keys.map((key) => `\`${key}\``).join(', ')} |`,
  )
  return ['| Page | Sections |', '| --- | --- |', ...rows, ''].join('\n')
}

type Entry = readonly [path: string, schema: JsonSchema]

/** Sections with at least so many keys are written once and then referred to. */
const WORTH_A_REFERENCE = 6

function createTables() {
  /** Keys of a section as JSON to the path where they are listed. */
  const listed = new Map<string, string>()

  function part([key, schema]: Entry): string {
    return `## ${key}\n\n${schema.description ?? ''}\n\n${table([[key, schema]])}`
  }

  function table(entries: readonly Entry[]): string {
    const rows = entries.flatMap(([path, schema]) => rowsOf(path, schema, true))
    if (rows.length === 0) return ''
    return ['| Key | Type | Default | Meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n')
  }

  /** The rows of a key and everything below it. `top`: the description stands above the table already. */
  function rowsOf(path: string, schema: JsonSchema, top = false): string[] {
    const values = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
    const plain = schema.properties !== undefined && schema.type === 'object'
    const first = plain && top ? [] : [row(path, schema, plain ? 'section' : typeOf(schema))]
    return [
      ...first,
      ...members(path, schema),
      ...members(`${path}[]`, schema.items),
      ...members(`${path}.<name>`, values),
    ]
  }

  /** Keys of an object, or of all objects that a value may be. */
  function members(path: string, schema: JsonSchema | undefined): string[] {
    if (!schema) return []
    const variants = (schema.anyOf ?? []).filter(({ type }) => type !== 'array')
    return [
      ...keys(path, schema),
      ...variants.flatMap((variant) => members(path, variant)),
      ...kinds(path, schema.oneOf ?? []),
    ]
  }

  function keys(path: string, schema: JsonSchema): string[] {
    const entries = Object.entries(schema.properties ?? {})
    const known = JSON.stringify(schema.properties)
    const place = listed.get(known)
    if (place && entries.length >= WORTH_A_REFERENCE) return [`| \`${path}.*\` | | | as below \`${place}\` |`]
    if (entries.length > 0 && !place) listed.set(known, path)
    return entries.flatMap(([key, value]) => rowsOf(`${path}.${key}`, value))
  }

  /** Alternatives with a fixed word, like `type: email`: first the keys that all of them have, then the rest of each. */
  function kinds(path: string, alternatives: readonly JsonSchema[]): string[] {
    const [first] = alternatives
    if (!first?.properties) return []
    const shared = Object.keys(first.properties).filter((key) =>
      alternatives.every((kind) => sameKey(kind, first, key)),
    )
    const own = alternatives.flatMap((kind) => {
      const [word = '', fixed] =
        Object.entries(kind.properties ?? {}).find(([, value]) => value.const !== undefined) ?? []
      const entries = Object.entries(kind.properties ?? {}).filter(([key]) => key !== word && !shared.includes(key))
      return entries.flatMap(([key, value]) => rowsOf(`${path} (${word}: ${String(fixed?.const)}).${key}`, value))
    })
    return [...shared.flatMap((key) => rowsOf(`${path}.${key}`, first.properties![key]!)), ...own]
  }

  return { part, table }
}

function sameKey(a: JsonSchema, b: JsonSchema, key: string): boolean {
  return JSON.stringify(a.properties?.[key]) === JSON.stringify(b.properties?.[key])
}

function row(path: string, schema: JsonSchema, type: string): string {
  return `| \`${path}\` | ${cell(type)} | ${cell(defaultOf(schema))} | ${cell(`${schema.description ?? ''}${rangeOf(schema)}`)} |`
}

function isSection(schema: JsonSchema): boolean {
  return schema.properties !== undefined || schema.type === 'array' || schema.additionalProperties !== undefined
}

function typeOf(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (schema.const !== undefined) return `\`${String(schema.const)}\``
  if (schema.anyOf) return typeOfAlternatives(schema.anyOf.map(typeOf))
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {})}`
  if (schema.type === 'object') return schema.properties ? 'section' : 'section by name'
  if (schema.type === 'string') return schema.format ?? 'text'
  return TYPES[String(schema.type)] ?? 'any'
}

function typeOfAlternatives(types: readonly string[]): string {
  const unique = [...new Set(types)]
  const [one, many] = unique
  if (unique.length === 2 && many === `list of ${one}`) return `${one}; or a list`
  return unique.join(' or ')
}

const TYPES: Readonly<Record<string, string>> = { boolean: 'true, false', integer: 'whole number', number: 'number' }

function defaultOf(schema: JsonSchema): string {
  if (typeof schema.defaultText === 'string') return schema.defaultText
  const { default: value } = schema
  if (value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) return ''
  if (typeof value === 'object') return Object.keys(value ?? {}).length === 0 ? '' : `\`${JSON.stringify(value)}\``
  return `\`${String(value)}\``
}

function rangeOf(schema: JsonSchema): string {
  const range = schema.range as { min?: number | string; max?: number | string } | undefined
  if (range?.max === undefined) return ''
  return ` (${range.min ?? 0} to ${range.max})`
}

/** Bars end a cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
