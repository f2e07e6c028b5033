/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The nodes of a cluster and who led it. */

import { NODE_LOST_MS } from '../../../cluster/types.ts'
import type { ClusterNode, SharedCluster } from '../../contract.ts'
import type { PageContext } from '../../page.ts'
import { Badge, Mark, type State } from '../../ui/marks.tsx'
import { Facts, Panel, Table } from '../../ui/panel.tsx'
import { Ago, durationText, Name, numberText, OutsideLink, Time } from '../../ui/text.tsx'

interface PanelProps {
  readonly context: PageContext
  readonly cluster: SharedCluster
}

const CLOCK_OFF_MS = 2000

export const ClusterPanels = ({ context, cluster }: PanelProps) => {
  const { nodes, leaderships } = cluster
  return (
    <>
      <Panel id="cluster" title="Nodes of the cluster" count={nodes.length}>
        <div class="body">
          <ClusterFacts cluster={cluster} />
        </div>
        <Nodes context={context} cluster={cluster} />
      </Panel>
      {leaderships.length > 0 && (
        <Panel id="leaderships" title="Leaderships" count={leaderships.length}>
          <Table
            context={context}
            part="leaderships"
            caption="Nodes that led, the last one first"
            rows={leaderships}
            keyOf={({ epoch }) => String(epoch)}
            columns={[
              { head: 'Node', sort: (row) => row.node, cell: ({ node }) => <Name text={node} /> },
              {
                head: 'Since',
                sort: (row) => row.from,
                cell: ({ from }) => <Time at={from} zone={context} short seconds />,
              },
              {
                head: 'Reason',
                sort: (row) => REASONS[row.reason] ?? row.reason,
                cell: ({ reason }) => <Name text={REASONS[reason] ?? reason} />,
              },
              { head: 'Number', num: true, sort: (row) => row.epoch, cell: ({ epoch }) => numberText(epoch) },
            ]}
          />
        </Panel>
      )}
    </>
  )
}

const REASONS: Readonly<Record<string, string>> = {
  first: 'the first of the cluster',
  handedOver: 'handed over by the one before',
  expired: 'the one before was silent',
  restart: 'the leader was restarted',
  // A reason of older versions.
  free: 'the one before had ended',
}

const ClusterFacts = ({ cluster }: { readonly cluster: SharedCluster }) => {
  const { database, inboxOpen, configDiffers } = cluster
  const differences = Object.entries(configDiffers)
  return (
    <Facts
      facts={[
        [
          'Database',
          database.up ? (
            <Mark state="success" word={database.host ?? 'up'} />
          ) : (
            <>
              <Mark state="failed" word={database.refused ? 'refuses this node' : 'not reached'} />{' '}
              <Name text={database.reason} />
            </>
          ),
        ],
        inboxOpen > 0 && ['Waiting for the leader', `${numberText(inboxOpen)} messages`],
        differences.length > 0 && [
          'Configurations differ',
          <Name text={differences.map(([section, names]) => `${section} (${names.join(', ')})`).join(', ')} />,
        ],
      ]}
    />
  )
}

const stateOf = ({ mode, seenAgoMs }: ClusterNode): readonly [State, string] => {
  if (mode === 'leaving') return ['skipped', 'stopped']
  if (seenAgoMs > NODE_LOST_MS) return ['failed', 'lost']
  return mode === 'alone' ? ['warning', 'alone'] : ['success', mode]
}

const faultsOf = ({ health }: ClusterNode): readonly string[] =>
  Object.entries(health).flatMap(([name, state]) =>
    state === 'down' || state === 'degraded' ? [`${name} ${state}`] : [],
  )

const Nodes = ({ context, cluster }: PanelProps) => {
  const { nodes, headRev } = cluster
  return (
    <Table
      context={context}
      part="cluster"
      caption="Nodes of the cluster by name"
      rows={nodes}
      keyOf={({ name }) => name}
      columns={[
        {
          head: 'Node',
          sort: (node) => node.name,
          cell: ({ name, url, candidate }) => (
            <>
              {url ? <OutsideLink url={url} text={name} /> : <Name text={name} />}{' '}
              {name === cluster.node && <Badge text="this node" tone="info" />}{' '}
              {!candidate && <Badge text="never leads" />}
            </>
          ),
        },
        {
          head: 'Part',
          sort: (node) => stateOf(node)[1],
          cell(node) {
            const [mark, word] = stateOf(node)
            return <Mark state={mark} word={word} />
          },
        },
        { head: 'Version', sort: (node) => node.version, cell: ({ version }) => version },
        { head: 'Seen', sort: (node) => node.seenAt, cell: ({ seenAt }) => <Ago at={seenAt} zone={context} /> },
        {
          head: 'Behind',
          num: true,
          sort: (node) => (node.mode === 'leader' ? null : headRev - node.appliedRev),
          cell: ({ appliedRev, mode }) => (mode === 'leader' ? '–' : numberText(Math.max(headRev - appliedRev, 0))),
        },
        { head: 'Waiting', num: true, sort: (node) => node.waiting, cell: ({ waiting }) => numberText(waiting) },
        {
          head: 'Clock',
          sort: (node) => Math.abs(node.clockOffsetMs),
          cell: ({ clockOffsetMs }) =>
            Math.abs(clockOffsetMs) > CLOCK_OFF_MS ? (
              <Mark state="warning" word={`${durationText(Math.abs(clockOffsetMs))} off`} />
            ) : (
              `${numberText(clockOffsetMs)} ms`
            ),
        },
        {
          head: 'Health',
          sort: (node) => faultsOf(node).join(', ') || null,
          cell(node) {
            const faults = faultsOf(node)
            return faults.length === 0 ? (
              <Mark state="success" word="well" />
            ) : (
              <Mark state="warning" word={faults.join(', ')} />
            )
          },
        },
      ]}
    />
  )
}
