/** Rules inside `Butler.footman.cluster`, and what a cluster asks of other sections. */
import { hostAndPort } from '../../../cluster/config.ts'
import { isLoopback } from '../../../platform/addresses.ts'
import { formatDuration } from '../../../platform/duration.ts'
import type { Check, CheckContext } from './check.ts'

/** Minutes; the key of a message is what makes nodes one. */
const DEDUPLICATION = 10

export const clusterRules: Check = (context) => {
  if (!context.config.footman.cluster.enable) return
  others(context)
  connection(context)
  times(context)
}

function connection({ config, report }: CheckContext): void {
  const { hosts, tls } = config.footman.cluster
  if (hosts.length === 0) {
    report('error', 'footman.cluster.hosts', 'is empty', { hint: 'name the host of the PostgreSQL database' })
  }
  const remote = hosts.find((written) => !isLoopback(hostAndPort(written)?.host ?? ''))
  if (tls.mode === 'off' && remote !== undefined) {
    report('error', 'footman.cluster.tls.mode', `is off, but ${remote} is another machine`, {
      hint: 'use verify-full, and give tls.ca the certificate authority of the server',
    })
  }
  for (const [given, missing] of [
    ['certificate', 'key'],
    ['key', 'certificate'],
  ] as const) {
    if (tls[given] === '' || tls[missing] !== '') continue
    report('error', `footman.cluster.tls.${missing}`, `is missing; tls.${given} is of no use without it`)
  }
}

function times({ config, report }: CheckContext): void {
  const { aloneAfter, leaseDuration, keepInbox } = config.footman.cluster
  if (aloneAfter < leaseDuration) {
    const message = `must be at least leaseDuration (${formatDuration(leaseDuration)}), found ${formatDuration(aloneAfter)}`
    report('error', 'footman.cluster.aloneAfter', message)
  }
  const remembered = config.udpServerConfig.deduplication.ttlMinutes * 60_000
  if (keepInbox < remembered) {
    const message = `must be at least udpServerConfig.deduplication.ttlMinutes (${formatDuration(remembered)}), found ${formatDuration(keepInbox)}`
    report('error', 'footman.cluster.keepInbox', message)
  }
}

function others({ config, report }: CheckContext): void {
  const { footman, udpServerConfig } = config
  const { deduplication } = udpServerConfig
  if (!footman.keyValue.persist) {
    report('error', 'footman.keyValue.persist', 'is false, but the nodes of a cluster share their key-value pairs', {
      hint: 'remove the line, or set footman.cluster.enable: false',
    })
  }
  if (footman.shadow) {
    report(
      'error',
      'footman.shadow',
      'cannot be used in a cluster: a node in shadow mode could lead and send nothing',
      {
        hint: 'start it with footman.cluster.enable: false',
      },
    )
  }
  if (deduplication.enable && deduplication.ttlMinutes > 0) return
  const key = deduplication.enable ? 'ttlMinutes' : 'enable'
  const message = `is ${deduplication[key]}; it counts as ${DEDUPLICATION} minutes, because nodes know one message from another by it`
  report('warning', `udpServerConfig.deduplication.${key}`, message, { hint: 'set enable: true and ttlMinutes: 10' })
  Object.assign(deduplication, { enable: true, ttlMinutes: DEDUPLICATION })
}
