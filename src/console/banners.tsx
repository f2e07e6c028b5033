/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The lines above the content of every page: what limits Footman, or this connection, at the moment. */
import type { Child } from 'hono/jsx'
import { MAINTENANCE } from '../alerts/contract.ts'
import { isLoopback } from '../platform/addresses.ts'
import { CONFIG_PROBLEMS } from './contract.ts'
import type { NodeState, PageContext } from './page.ts'
import { durationText, Name, Time } from './ui/text.tsx'

export async function bannersOf(context: PageContext): Promise<Child[]> {
  const { settings, request, visitor, ask, link } = context
  const [maintenance, problems] = await Promise.all([
    context.may('event:read') ? ask(MAINTENANCE, { query: { on: true } }) : null,
    context.may('admin') ? ask(CONFIG_PROBLEMS) : null,
  ])
  const isPlain = visitor.session !== null && !request.secure && !isLoopback(request.client)
  const pending = problems?.ok ? problems.data.pending : null
  return [
    ...(settings.shadow ? ['Shadow mode: Footman records what happens, and sends and starts nothing.'] : []),
    ...(settings.role === 'satellite'
      ? ['This node is a satellite: starts over MQTT, schedules, licence jobs and retries run on the primary node.']
      : []),
    ...clusterBanner(settings.cluster),
    ...(maintenance?.ok ? maintenance.data.maintenance : []).map(({ name, stopSchedules, next }) => (
      <>
        Maintenance{' '}
        <a href={link('/system/maintenance')}>
          <Name text={name} />
        </a>{' '}
        is under way{' '}
        {next[0] && (
          <>
            until <Time at={next[0].to} zone={context} seconds={false} />
          </>
        )}
        : alerts are held back{stopSchedules && ', and schedules do not fire'}.
      </>
    )),
    ...(isPlain
      ? ['This connection is not encrypted: others on the network can read what you see and your session.']
      : []),
    ...(pending
      ? [
          <>
            The configuration file has changed and is not in use:{' '}
            <a href={link('/system/config')}>
              {pending.needsRestart.length > 0 ? 'a restart takes it into use' : 'see the difference, and reload it'}
            </a>
            .
          </>,
        ]
      : []),
  ]
}

const LATE_MS = 5000

/** While this node may show something else than the others. */
export function clusterBanner(cluster: NodeState | null): Child[] {
  if (!cluster) return []
  const { mode, behindMs, runsDuties, database } = cluster
  const behind = durationText(behindMs)
  if (mode === 'alone') {
    const rest = `${runsDuties ? '' : 'schedules and retries rest, '}pairs, snoozes and schedules cannot be changed, and it shows nothing of the other nodes since then.`
    if (database === 'keeps') {
      return [
        `The database of the cluster has not let this node in for ${behind}. It keeps what it receives and sends nothing: ${rest}`,
      ]
    }
    const why = database === 'refuses' ? 'let it in' : 'answered'
    return [`This node works alone, as the database of the cluster has not ${why} for ${behind}: ${rest}`]
  }
  if (behindMs <= LATE_MS) return []
  return [`This node is ${behind} behind the other nodes of the cluster: what it shows may have changed.`]
}
