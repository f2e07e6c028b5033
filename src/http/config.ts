/** The REST API: listener, endpoints, access. */
import { z } from 'zod'
import {
  cidr,
  count,
  duration,
  file,
  flag,
  globText,
  host,
  httpUrl,
  isoTime,
  list,
  map,
  name,
  nameValue,
  noted,
  nullableText,
  object,
  port,
  section,
  taskSelectors,
  text,
  uri,
} from '../config/fields.ts'

export const restServerConfig = section('The REST API.', () => ({
  enable: flag('Start the API.'),
  serverHost: host('Address to listen on; 0.0.0.0 = all.', 'localhost'),
  serverPort: port('Port to listen on.', 8080),
  backgroundServerPort: port('Accepted for compatibility; never opened.', 8081, { ignored: true }),
  tls: section('HTTPS.', () => ({
    enable: flag('Serve https instead of http.'),
    cert: file('Certificate with its chain (PEM).'),
    key: file('Key of the certificate (PEM).'),
    ca: nullableText('Further certificate authorities (PEM).'),
  })),
}))

export const restServerApiDocGenerate = flag('Accepted for compatibility; not needed.', false, { ignored: true })

const endpoint = (what: string) =>
  flag(`Offer: ${what}.`).meta({ label: `Endpoint: ${what}`, hint: 'Callers of the REST API may use it.' })

export const restServerEndpointsEnable = section('Which endpoints of the REST API exist.', () => ({
  apiListEnabledEndpoints: endpoint('list of the enabled endpoints'),
  base62ToBase16: endpoint('conversion from base62 to base16'),
  base16ToBase62: endpoint('conversion from base16 to base62'),
  butlerping: flag('Offer: ping.', true),
  createDir: endpoint('create a directory'),
  createDirQVD: endpoint('create a directory below configDirectories.qvdPath'),
  fileDelete: endpoint('delete a file'),
  fileMove: endpoint('move a file'),
  fileCopy: endpoint('copy a file'),
  keyValueStore: endpoint('key-value store; also allows key-value pairs in start requests').meta({
    label: 'Key-value pairs',
    hint: 'Load scripts and other programs keep values in Footman, and give them to tasks that they start.',
  }),
  mqttPublishMessage: endpoint('publish an MQTT message'),
  newRelic: section('New Relic.', () => ({
    postNewRelicMetric: endpoint('send a metric to New Relic'),
    postNewRelicEvent: endpoint('send an event to New Relic'),
  })),
  scheduler: section('Schedules.', () => ({
    createNewSchedule: endpoint('create a schedule'),
    getSchedule: endpoint('read schedules'),
    getScheduleStatusAll: endpoint('state of all schedules'),
    updateSchedule: endpoint('change a schedule'),
    deleteSchedule: endpoint('delete a schedule'),
    startSchedule: endpoint('start a schedule'),
    stopSchedule: endpoint('stop a schedule'),
  })),
  senseAppReload: endpoint('reload an app'),
  senseAppDump: endpoint('dump an app'),
  senseListApps: endpoint('list of apps'),
  senseStartTask: endpoint('start tasks'),
  slackPostMessage: endpoint('post a Slack message'),
}))

function newRelicEndpoint(what: string, url: string) {
  return section(`Defaults of the endpoint that sends ${what} to New Relic.`, () => ({
    destinationAccount: list('Accounts used when the request names none.', z.string()),
    url: uri('Address of the New Relic API.', url),
    header: list('Extra HTTP headers.', nameValue('header')),
    attribute: section('Extra attributes.', () => ({
      static: list('Fixed attributes.', nameValue('attribute')),
    })),
  }))
}

const COLLECTOR = 'https://insights-collector.eu01.nr-data.net/'

export const restServerEndpointsConfig = section('Settings of single endpoints.', () => ({
  newRelic: section('New Relic.', () => ({
    postNewRelicMetric: newRelicEndpoint('metrics', `${COLLECTOR}metric/v1`),
    postNewRelicEvent: newRelicEndpoint('events', COLLECTOR),
  })),
}))

export const api = section('More about the REST API.', () => ({
  rateLimitPerMinute: count('Requests per minute and client; 0 = no limit. --api-rate-limit wins.', 6000, {
    min: 0,
    max: 1_000_000,
  }),
  requestTimeout: duration(
    'How long a client may take for the headers of a request (a change needs a restart), and how long its body may stand still; connections without a request are closed after it.',
    '30s',
    { min: 1000, max: 240_000 },
  ),
  connectionsPerAddress: count(
    'Requests of one address under way at a time, and with HTTPS connections; more are refused. 0 = no limit.',
    200,
    { min: 0, max: 100_000 },
  ),
  maxStreams: count(
    'Streams of events (`/v4/stream`, `/v4/keyvalues/{namespace}/watch`) that may be open at a time; more are refused. A caller has at most 20 of both together, and the last tenth is kept for callers that have none.',
    400,
    {
      min: 10,
      max: 5000,
    },
  ),
  compress: flag('Compress answers of 1 KB and more for callers that accept gzip.', true),
  trustedProxies: list('Addresses of proxies whose X-Forwarded-For is believed.', cidr),
  cors: section('Calls from web pages of other origins.', () => ({
    origins: list(
      'Allowed origins, exact, or "*"; empty = no CORS headers.',
      z.string().refine((value) => value === '*' || isOrigin(value), {
        error: (issue) => `must be an origin like https://qs.acme.example, or "*", found "${issue.input}"`,
      }),
    ),
  })),
  securityTxt: section('The file /.well-known/security.txt (RFC 9116), which every caller may read.', () => ({
    contact: list(
      'Where to report a vulnerability of this installation: mail address, or URI with mailto:, tel: or https:. Empty = no file.',
      z.string().refine(isContact, {
        error: (issue) => `must be a mail address or begin with mailto:, tel: or https://, found "${issue.input}"`,
      }),
    ),
    languages: list(
      'Languages of such reports, as en or sv-SE; empty = not said.',
      z.string().regex(/^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3}$/, { error: 'must be a language tag like en' }),
    ),
    policy: noted(
      z
        .string()
        .refine((value) => value === '' || (isContact(value) && value.startsWith('https://')), {
          error: (issue) => `must be an address that starts with https://, found "${issue.input}"`,
        })
        .default(''),
      { description: 'Address of the rules for such reports; https.', format: 'uri' },
    ),
  })),
  allowedHosts: list(
    'Names by which browsers may call, besides those of this machine: name, or name:port behind a proxy.',
    z.string().refine((value) => /^[^\s/:@*]+(?::\d{1,5})?$/.test(value), {
      error: (issue) => `must be a name like footman.acme.example, without https:// and path, found "${issue.input}"`,
    }),
  ),
}))

/** One line without blanks, as everything else would be another field of the file. */
const isContact = (value: string): boolean =>
  /^[\x21-\x7e]{3,500}$/.test(value) && /^(?:mailto:.|tel:.|https:\/\/.|[^:@/]+@[^:@/]+$)/.test(value)

function isOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).origin === value
}

/** The example key of the documentation; refused, as everybody knows it. */
const PUBLISHED_HASH = 'sha256:6307a06331fc2ed1a4d42b32c248f14b889d9bcfe93f4248bea1a1600bf9c85f'

/** Groups of scopes. A new group also gets a tag in `openapi/document.ts` and a row in docs/security.md. */
export const SCOPE_GROUPS = [
  'task',
  'app',
  'kv',
  'schedule',
  'file',
  'message',
  'event',
  'report',
  'setting',
  'metrics',
  '*',
]
/** `<group>:<verb>`, `*` for any group or verb; `admin` is everything, `*:*` everything except that. */
export const SCOPE = new RegExp(
  `^(?:admin|(?:${SCOPE_GROUPS.map((group) => group.replace('*', '\\*')).join('|')}):(?:read|run|write|\\*))$`,
)

const scope = z.string().refine((value) => SCOPE.test(value), {
  error: (issue) => `must be a scope like task:run, kv:* or admin, found "${issue.input}"`,
})

const limits = {
  startFilter: taskSelectors('Tasks that may be started; absent = all.').optional(),
  keyValueNamespaces: z.array(globText).optional().meta({
    description: 'Globs of the key-value namespaces that may be used; absent = all, empty = none.',
    label: 'Namespaces of key-value pairs',
    hint: 'One a line, with * for any text; empty = all.',
    advanced: true,
  }),
  allowFrom: z.array(cidr).optional().meta({
    description: 'Addresses that may use this; absent = all, empty = none.',
    label: 'Only from these addresses',
    hint: 'One a line, like 10.1.0.0/16; empty = all.',
    advanced: true,
  }),
}

const grant = {
  scopes: z.array(scope).meta({
    description: 'Rights: <group>:<verb>, * for any, or admin.',
    label: 'Rights',
    hint: `One a line, like task:run, kv:* or admin. Groups: ${SCOPE_GROUPS.slice(0, -1).join(', ')}; verbs: read, run, write, *.`,
  }),
  ...limits,
}

/** An API key. */
export const accessKey = object(() => ({
  id: name('Shown in the log and the audit.').meta({ label: 'Name' }),
  hash: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, {
      error: 'must be sha256: and 64 lower-case hex digits',
    })
    .refine((value) => value !== PUBLISHED_HASH, {
      error: 'is the published example; everybody knows its key',
    })
    .meta({ description: 'Hash of the key.' }),
  expires: isoTime.optional().meta({
    description: 'Day or time after which the key is refused.',
    defaultText: 'never',
    label: 'Ends',
    hint: 'The last day, like 2027-03-31, or a time; empty = never.',
  }),
  ...grant,
}))

const jwt = object(() => ({
  secret: text('Shared secret (HS256, HS384, HS512), at least 32 bytes.'),
  publicKeyFile: file('Public key (PEM).'),
  jwksUrl: httpUrl('Address of the key set; https.'),
  issuer: z.string().min(1).meta({ description: 'Required issuer.' }),
  audience: z.string().min(1).meta({ description: 'Required audience.' }),
  claim: text('Dotted path of the claim that holds scopes or names of grants.', 'scope'),
  grants: map(
    'Claim value to what it allows.',
    object(() => grant),
  ),
})).superRefine((value, context) => {
  const sources = (['secret', 'publicKeyFile', 'jwksUrl'] as const).filter((source) => value[source] !== '')
  if (sources.length !== 1) {
    context.addIssue({
      code: 'custom',
      input: value,
      message: 'needs exactly one of secret, publicKeyFile and jwksUrl',
    })
  }
  if (value.secret !== '' && Buffer.byteLength(value.secret) < 32) {
    context.addIssue({ code: 'custom', input: '', path: ['secret'], message: 'must have at least 32 bytes' })
  }
  if (value.jwksUrl !== '' && !value.jwksUrl.startsWith('https:')) {
    context.addIssue({ code: 'custom', input: value.jwksUrl, path: ['jwksUrl'], message: 'must start with https://' })
  }
})

const clientCertificates = object(() => ({
  caFile: file('Certificate authority of the clients (PEM); needs restServerConfig.tls.'),
  required: flag('Refuse connections without a client certificate.'),
  grants: list(
    'Rights of callers by their certificate; the first match counts.',
    object(() => ({
      subject: z.string().min(1).meta({ description: 'CN=x, a whole DN, DNS:x or email:x.' }),
      ...grant,
    })),
  ),
}))

export const access = section(
  'Access control of the REST API.',
  () => ({
    enable: flag('Ask for credentials.'),
    keys: list('API keys.', accessKey),
    jwt: noted(jwt.optional(), { description: 'JSON Web Tokens.', nullable: 'absent' }),
    clientCertificates: noted(clientCertificates.optional(), {
      description: 'Client certificates.',
      nullable: 'absent',
    }),
    anonymous: section('Callers without credentials.', () => ({
      scopes: list('Their rights.', scope),
    })),
    allowFrom: list('Addresses that may call at all, except /health and security.txt; empty = all.', cidr),
    auditKeyValues: flag('Also audit single writes of key-value pairs.'),
  }),
  { closed: true },
)

export const audit = section('Copies of the audit outside Footman; each node sends what it records.', () => ({
  syslog: section('To a syslog server (RFC 5424 over TLS, RFC 5425).', () => ({
    host: host('Name or address of the server; empty = off.', ''),
    port: port('Port of the server.', 6514),
    tls: flag('Use TLS; false only for a relay on this machine.', true),
    caFile: file('Certificate authority of the server (PEM).'),
    certFile: file('Certificate by which Footman shows itself (PEM).'),
    keyFile: file('Key of that certificate (PEM).'),
  })),
  webhook: section('To a webhook: `{"audit": [...]}` as JSON.', () => ({
    url: httpUrl('Address; https, or http on this machine. Empty = off.'),
    bearerToken: text('Sent as Authorization: Bearer.'),
    caFile: file('Certificate authority of the receiver (PEM).'),
  })),
}))
