/** `Butler.footman.access`: who may call the REST API. */
import { z } from 'zod'
import {
  cidr,
  file,
  flag,
  globText,
  httpUrl,
  isoTime,
  list,
  map,
  name,
  noted,
  object,
  section,
  taskSelectors,
  text,
} from '../config/fields.ts'

/** The example key of the documentation; refused, as everybody knows it. */
const PUBLISHED_HASH = 'sha256:6307a06331fc2ed1a4d42b32c248f14b889d9bcfe93f4248bea1a1600bf9c85f'

const SCOPE_GROUPS = ['task', 'app', 'kv', 'schedule', 'file', 'message', 'event', 'report', 'metrics', '*']
const SCOPE = new RegExp(
  `^(?:admin|(?:${SCOPE_GROUPS.map((group) => group.replace('*', '\\*')).join('|')}):(?:read|run|write|\\*))$`,
)

const scope = z.string().refine((value) => SCOPE.test(value), {
  error: (issue) => `must be a scope like task:run, kv:* or admin, found "${issue.input}"`,
})

const limits = {
  startFilter: taskSelectors('Tasks that may be started; absent = all.').optional(),
  keyValueNamespaces: z
    .array(globText)
    .optional()
    .meta({ description: 'Globs of the key-value namespaces that may be used; absent = all, empty = none.' }),
  allowFrom: z.array(cidr).optional().meta({ description: 'Addresses that may use this; absent = all, empty = none.' }),
}

const grant = {
  scopes: z.array(scope).meta({ description: 'What may be done: <group>:<verb>, * for any, or admin.' }),
  ...limits,
}

const key = object(() => ({
  id: name('Shown in the log and the audit.'),
  hash: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, {
      error: 'must be sha256: and 64 lower-case hex digits',
    })
    .refine((value) => value !== PUBLISHED_HASH, {
      error: 'is the published example; everybody knows its key',
    })
    .meta({ description: 'Hash of the key.' }),
  expires: isoTime
    .optional()
    .meta({ description: 'Day or time after which the key is refused.', defaultText: 'never' }),
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
    'Who may do what; the first match counts.',
    object(() => ({
      subject: z.string().min(1).meta({ description: 'CN=x, a whole DN, DNS:x or email:x.' }),
      ...grant,
    })),
  ),
}))

export const access = section(
  'Who may call the REST API.',
  () => ({
    enable: flag('Ask for credentials.'),
    keys: list('API keys.', key),
    jwt: noted(jwt.optional(), { description: 'JSON Web Tokens.', nullable: 'absent' }),
    clientCertificates: noted(clientCertificates.optional(), {
      description: 'Client certificates.',
      nullable: 'absent',
    }),
    anonymous: section('Callers without credentials.', () => ({
      scopes: list('What they may do.', scope),
    })),
    allowFrom: list('Addresses that may call at all, except /health; empty = all.', cidr),
    auditKeyValues: flag('Also audit single writes of key-value pairs.'),
  }),
  { closed: true },
)

export type AccessConfig = z.output<typeof access>
export type AccessKey = z.output<typeof key>
