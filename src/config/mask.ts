/** Masks secrets in the configuration, and in differences between two, before they are shown. */
import { isSecret, visibleAt } from './secrets.ts'

const STARS = '**********'
const EMAIL = /^[^\s@<>]+@[^\s@<>]+$|<[^\s@<>]+@[^\s@<>]+>/

/** Masked even when empty. */
const ALWAYS_STARS = new Set([
  'emailNotification.smtp.auth.password',
  'mqttConfig.qlikSenseCloud.event.mqttForward.broker.password',
  'restServerConfig.tls.ca',
])

type Path = readonly (string | number)[]

/**
 * A copy of the `Butler` section (as written or as parsed) for display: the visible characters of a masked value are followed
 * by ten stars. Accepts any shape and never throws.
 */
export function maskConfig(butler: unknown): unknown {
  return walk(butler, [])
}

function walk(value: unknown, path: Path): unknown {
  if (value instanceof RegExp) return value
  if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]))
  if (typeof value === 'object' && value !== null) return maskMembers(value, path)
  return maskValue(value, path)
}

function maskMembers(value: object, path: Path): Record<string, unknown> {
  const isHeader = 'name' in value && 'value' in value && isHeaderList(path)
  const masked = Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (key === 'value' && isHeader) return [key, isPublicHeader(value.name) ? item : STARS]
      if (key === 'topic' && isNtfy(value, path)) return [key, STARS]
      return [key, walk(item, [...path, key])]
    }),
  )
  return isOwner(value, path) ? { ...masked, directory: STARS, userId: STARS } : masked
}

/** Owners of Qlik Cloud apps. */
function isOwner(value: object, path: Path): boolean {
  return path[0] === 'qlikSenseCloud' && path.at(-2) === 'user' && ('directory' in value || 'email' in value)
}

/** The topic of ntfy is a secret, unlike that of MQTT. */
function isNtfy(value: object, path: Path): boolean {
  return path.length === 3 && path[1] === 'destinations' && 'type' in value && value.type === 'ntfy'
}

/** `header[]`, `headers.static[]`. */
function isHeaderList(path: Path): boolean {
  return path.at(-2) === 'header' || (path.at(-2) === 'static' && path.at(-3) === 'headers')
}

/** A file may have anything in the place of a name. */
function isPublicHeader(name: unknown): boolean {
  return typeof name === 'string' && name.toLowerCase() === 'x-qlik-user'
}

function maskValue(value: unknown, path: Path): unknown {
  const visible = visibleAt(path)
  if (visible !== undefined) {
    if (ALWAYS_STARS.has(path.join('.'))) return STARS
    if (value === null || value === undefined || value === '' || typeof value === 'boolean') return value
    return `${String(value).slice(0, visible)}${STARS}`
  }
  if (typeof value === 'string' && EMAIL.test(value)) return `${value.slice(0, 3)}${STARS}`
  return value
}

/** Masking shorter values would hide half of every log line. */
const SHORTEST_SECRET = 4
/** Shorter topics are common words, which protect nothing. */
const SHORTEST_TOPIC = 8

const isLongTopic = (topic: unknown): boolean => typeof topic === 'string' && topic.length >= SHORTEST_TOPIC

/** The secret values of a configuration, for the masking in the log. */
export function collectSecrets(butler: unknown): string[] {
  const found = new Set<string>()
  const add = (value: unknown) => {
    if (typeof value === 'string' && value.length >= SHORTEST_SECRET) found.add(value)
  }
  const visit = (value: unknown, path: Path): void => {
    if (Array.isArray(value)) for (const [index, item] of value.entries()) visit(item, [...path, index])
    else if (typeof value === 'object' && value !== null) visitMembers(value, path)
    else if (isSecret(path)) add(value)
  }
  const visitMembers = (value: object, path: Path): void => {
    if ('name' in value && 'value' in value && isHeaderList(path) && !isPublicHeader(value.name)) add(value.value)
    if ('topic' in value && isNtfy(value, path) && isLongTopic(value.topic)) add(value.topic)
    for (const [key, item] of Object.entries(value)) visit(item, [...path, key])
  }
  visit(butler, [])
  return [...found]
}

const HOST_KEY = /^(host|hosts|hostIP|brokerHost|serverHost)$/

/** The host names of a configuration, those in addresses included: they are no secrets. */
export function collectHosts(butler: unknown): string[] {
  const found = new Set<string>()
  const visit = (value: unknown, key: string): void => {
    if (typeof value === 'string') {
      const host = HOST_KEY.test(key) ? withoutPort(value) : URL.canParse(value) ? new URL(value).hostname : ''
      if (host !== '') found.add(host)
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, item] of Object.entries(value)) visit(item, Array.isArray(value) ? key : name)
    }
  }
  visit(butler, '')
  return [...found]
}

const withoutPort = (host: string): string => host.replace(/^([^:]+):\d+$/, '$1')
