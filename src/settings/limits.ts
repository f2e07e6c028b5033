/**
 * Limits of stored settings: a caller who may change settings must not reach more through them than the machine allows
 * anyway. Files and values from outside are for administrators; addresses of this machine and of its network's services are closed.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { PLACEHOLDER } from '../config/external.ts'
import { addressMatcher, plainAddress } from '../platform/addresses.ts'
import { mayReach } from '../platform/mqtt-topics.ts'
import { pointerOf, type SettingKind } from './kinds.ts'
import type { SettingIssue } from './merge.ts'
import { mapTexts, type SettingValue } from './store.ts'

export interface LimitsContext {
  readonly isAdmin: boolean
  /** Placeholders that the configuration file uses already. */
  readonly placeholders: ReadonlySet<string>
  /** `Butler.footman.settings.allowHosts`. */
  readonly allowHosts: readonly string[]
  /** Topics to which a message starts something. */
  readonly startTopics: readonly string[]
  /** Answers of the name service during one change. */
  readonly known?: Map<string, Promise<readonly string[]>>
}

/** Members that name a file of this machine. */
export const FILES = /^(?:template|bodyTemplate|file|path|directory)$|(?:File|Directory|Path|Template)$/
/** Files that an administrator may name: they are read as certificates or as days, and never shown. */
const ADMIN_FILES = /^(?:caFile|file)$/
export const ADDRESSES = /url$|^(?:host|server|endpoint|address)$/i
/** This machine, the network's own services (metadata of a cloud), and nothing that a router would pass on. */
const CLOSED = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '::1/128',
  '::/128',
  'fe80::/10',
  'fd00:ec2::254/128',
  '::ffff:127.0.0.0/104',
  '::ffff:169.254.0.0/112',
]
const isClosed = addressMatcher(CLOSED)
const LOOKUP_MS = 3000

/** Everything about the value that is refused. */
export async function limitIssues(
  kind: SettingKind,
  value: SettingValue,
  context: LimitsContext,
): Promise<readonly SettingIssue[]> {
  const issues: SettingIssue[] = []
  const hosts: { readonly host: string; readonly path: string }[] = []
  mapTexts(value, [], (text, steps) => {
    const path = pointerOf(steps)
    const member = String(steps.findLast((step) => typeof step === 'string') ?? '')
    for (const one of text.match(PLACEHOLDER) ?? []) {
      if (context.isAdmin || context.placeholders.has(one)) continue
      issues.push({ path, message: `${one} is not used in the configuration file, so only the scope admin may use it` })
    }
    if (text !== '' && FILES.test(member) && !(context.isAdmin && ADMIN_FILES.test(member))) {
      issues.push({ path, message: 'names a file of the machine: give the text itself, or set this in the file' })
    }
    // Such a text would be run as a program, with the rights of the account of Footman.
    if (text.includes('<%')) {
      issues.push({
        path,
        message: 'must not hold <% (a template with JavaScript): use {{...}}, or set this in the file',
      })
    }
    if (kind === 'destination' || kind === 'rule') {
      if (ADDRESSES.test(member)) for (const host of hostsOf(text)) hosts.push({ host, path })
      if (member === 'topic' && context.startTopics.some((topic) => mayReach(topic, text)))
        issues.push({ path, message: 'is a topic that starts tasks' })
    }
    return text
  })
  for (const { host, path } of hosts) {
    const why = await closedHost(host, context.allowHosts, context.known)
    if (why !== null) issues.push({ path, message: why })
  }
  return issues
}

/** The host of an address, or of a bare `host:port`. */
function hostsOf(text: string): string[] {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url && url.hostname !== '') return [url.hostname.replace(/^\[|\]$/g, '')]
  return text === '' || /[\s{<]/.test(text) ? [] : [text.replace(/:\d+$/, '')]
}

/** Why nothing may be sent to a host; null = it may. A name is looked up: it may stand for an address of this machine. */
export async function closedHost(
  host: string,
  allowHosts: readonly string[],
  known: Map<string, Promise<readonly string[]>> = new Map(),
): Promise<string | null> {
  if (isAllowed(host, allowHosts)) return null
  const name = host.toLowerCase().replace(/\.$/, '')
  if (name === 'localhost' || name.endsWith('.localhost')) return `${host} is this machine; ${HINT}`
  const found = known.get(name) ?? addressesOf(name)
  known.set(name, found)
  return closedAddress(host, await found)
}

const HINT = 'Butler.footman.settings.allowHosts of the file would open it'

export const isAllowed = (host: string, allowHosts: readonly string[]): boolean =>
  allowHosts.some((allowed) => allowed.toLowerCase() === host.toLowerCase())

/** Why nothing may be sent to a host that has these addresses; null = it may. */
export function closedAddress(host: string, addresses: readonly string[]): string | null {
  const isShut = addresses.map(plainAddress).some((address) => isClosed(address) || isOwn(address))
  return isShut ? `${host} is an address of this machine, or link-local; ${HINT}` : null
}

/** [] for a name that cannot be looked up now: nothing can be sent to it either. */
async function addressesOf(name: string): Promise<readonly string[]> {
  if (isIP(name) !== 0) return [name]
  const answer = lookup(name, { all: true }).then(
    (found) => found.map(({ address }) => address),
    () => [],
  )
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<string[]>((resolve) => {
    timer = setTimeout(() => resolve([]), LOOKUP_MS)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

const isOwn = (address: string): boolean =>
  Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === address))
