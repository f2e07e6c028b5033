/** Which nodes of the site have sent messages, and when last. */

import type { MessageSource } from '../../../events/sources.ts'
import { ownAddress } from '../machine/ports.ts'
import type { DoctorContext, Finding } from '../types.ts'
import { type Json, plural, type Site } from './site.ts'
import { type KnownSources, knownSources } from './udp.ts'

const GROUP = 'nodes'
const APPENDER_FILE = 'C:\\ProgramData\\Qlik\\Sense\\Scheduler\\LocalLogConfig.xml'
const SLAVE = 1
const USER_SYNC = 2
const DISTRIBUTE = 3
const HOUR_MS = 3_600_000
/** A message may take a moment, and so may QRS with the end of an execution. */
const MARGIN_MS = 60_000
const SUCCESS = 7
const FAIL = 8

interface Node {
  readonly name: string
  readonly hostName: string
  readonly isCentral: boolean
  /** Runs tasks for another scheduler and reports distributions only. */
  readonly isWorker: boolean
}

export async function nodeFindings(site: Site, context: DoctorContext): Promise<readonly Finding[]> {
  const nodes = await schedulerNodes(site)
  const known = await knownSources(context)
  if (known === null) {
    const message = `Footman has not run with this data directory yet; the site has ${plural(nodes.length, 'scheduler node')}: ${nodes.map(({ hostName }) => hostName).join(', ')}`
    return [{ level: 'info', code: `${GROUP}.no-history`, target: site.target, message }]
  }
  const distributes = (await site.tasks()).some(({ taskType }) => taskType === DISTRIBUTE)
  const findings: Finding[] = []
  for (const node of nodes) findings.push(await judge(node, known, { site, context, distributes }))
  return [...findings, ...strangers(nodes, known.sources)]
}

async function schedulerNodes(site: Site): Promise<readonly Node[]> {
  const [nodes, services] = await Promise.all([site.list('servernodeconfiguration'), site.list('schedulerservice')])
  const typeOf = new Map(
    services.map(({ serverNodeConfiguration, settings }) => [
      (serverNodeConfiguration as Json | null)?.id,
      (settings as Json | null)?.schedulerServiceType,
    ]),
  )
  return nodes
    .filter(({ schedulerEnabled, isCentral }) => schedulerEnabled === true || isCentral === true)
    .map(({ id, name, hostName, isCentral }) => ({
      name: String(name ?? ''),
      hostName: String(hostName ?? name ?? ''),
      isCentral: isCentral === true,
      isWorker: isCentral !== true && Number(typeOf.get(id) ?? 0) === SLAVE,
    }))
}

interface Around {
  readonly site: Site
  readonly context: DoctorContext
  readonly distributes: boolean
}

async function judge(node: Node, { sources, since }: KnownSources, around: Around): Promise<Finding> {
  const { clock } = around.context
  const own = sources.filter(({ host, messages }) => messages > 0 && isOf(node, host))
  const last = own.length > 0 ? Math.max(...own.map(({ lastAt }) => lastAt)) : null
  const count = own.reduce((sum, { messages }) => sum + messages, 0)
  const target = node.hostName
  const seen =
    last === null
      ? 'no message has arrived yet'
      : `last message ${ago(clock.now() - last)}, ${plural(count, 'message')} in all, from ${[...new Set(own.map(({ sender }) => sender))].join(', ')}`
  if (node.isWorker && last === null) {
    const why = around.distributes
      ? 'sends messages about distributions only'
      : 'runs reloads, which another node reports'
    return { level: 'info', code: `${GROUP}.worker`, target, message: `${seen}; this node ${why}` }
  }
  // Only the active scheduler reports executions; the others are its standby.
  const from = Math.max(last ?? since ?? Number.POSITIVE_INFINITY, clock.now() - 24 * HOUR_MS)
  const missed = node.isCentral ? await endedSince(around, from) : NONE
  if (missed.failed + missed.succeeded === 0) {
    if (last !== null) return { level: 'ok', code: `${GROUP}.heard`, target, message: seen }
    const why = node.isCentral ? 'no execution has ended since Footman listens' : 'it is not the active scheduler'
    return { level: 'info', code: `${GROUP}.waiting`, target, message: `${seen}; ${why}` }
  }
  const ended = `${plural(missed.failed, 'failed execution')} and ${plural(missed.succeeded, 'successful one')}`
  if (last !== null && missed.failed === 0) {
    const message = `${seen}; since then ${ended} ended without a message: the appender for successes may be missing`
    return { level: 'info', code: `${GROUP}.no-success`, target, message }
  }
  const message = `${seen}, although ${ended} ended ${last === null ? 'while Footman listened' : 'since then'}`
  return { level: 'warning', code: `${GROUP}.silent`, target, message, fix: fixFor(node, around.context) }
}

function fixFor({ hostName }: Node, { config: { udpServerConfig: udp } }: DoctorContext): string {
  const port = udp.portTaskFailure
  return `put the log appender into ${APPENDER_FILE} on ${hostName} with remoteAddress ${ownAddress(udp.serverHost)} and remotePort ${port}, open UDP port ${port} in the firewall here, and restart the Qlik Sense Scheduler Service; "footman doctor --appender FILE" examines the file`
}

const NONE = { failed: 0, succeeded: 0 }

/** Executions that ended after that, as far as QRS knows them. */
async function endedSince({ site, context }: Around, from: number): Promise<typeof NONE> {
  const until = context.clock.now() - MARGIN_MS
  if (!Number.isFinite(from) || from + MARGIN_MS >= until) return NONE
  const { serverTime, at } = await site.about()
  // Ends of executions have the time of the server's clock.
  const ahead = serverTime === null ? 0 : serverTime - at
  const results = await (await site.client()).resultsEndedBetween(from + MARGIN_MS + ahead, until + ahead)
  const tasks = new Map((await site.tasks()).map((task) => [task.id.toLowerCase(), task]))
  const executions = Map.groupBy(results, ({ executionID, id }) => executionID ?? id)
  const counts = { failed: 0, succeeded: 0 }
  for (const attempts of executions.values()) {
    const task = tasks.get(attempts[0]?.taskID?.toLowerCase() ?? '')
    // No appender reports failed synchronizations, or failed attempts that are followed by another one.
    const isLast = task !== undefined && task.taskType !== USER_SYNC && attempts.length > (task.maxRetries ?? 0)
    if (attempts.some(({ status }) => status === SUCCESS)) counts.succeeded += 1
    else if (isLast && attempts.every(({ status }) => status === FAIL)) counts.failed += 1
  }
  return counts
}

/** Hosts that send messages and are no nodes of this site; datagrams that are no messages. */
function strangers(nodes: readonly Node[], sources: readonly MessageSource[]): Finding[] {
  return sources
    .filter(({ host, messages }) => messages === 0 || !nodes.some((node) => isOf(node, host)))
    .map(({ sender, host, messages, rejected, lastAt }) => {
      const when = new Date(lastAt).toISOString()
      const message =
        messages === 0
          ? `${plural(rejected, 'datagram')} that ${rejected === 1 ? 'is no message' : 'are no messages'} of Qlik Sense, last at ${when}`
          : `${plural(messages, 'message')} of the host "${host}", which is no scheduler node of this site, last at ${when}`
      return { level: 'info', code: `${GROUP}.stranger`, target: sender, message }
    })
}

/** Messages name the computer; QRS has its full name, or an alias. */
function isOf({ name, hostName }: Node, host: string): boolean {
  const wanted = host.toLowerCase()
  return (
    [name, hostName, hostName.split('.')[0] ?? ''].some((one) => one !== '' && one.toLowerCase() === wanted) ||
    hostName.toLowerCase().split('.')[0] === wanted.split('.')[0]
  )
}

function ago(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 120) return `${plural(minutes, 'minute')} ago`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} hours ago` : `${Math.round(hours / 24)} days ago`
}
