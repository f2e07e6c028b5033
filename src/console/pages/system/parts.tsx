/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The parts of Footman and their states. */
import type { Child } from 'hono/jsx'
import type { CheckState, Health } from '../../../http/contract.ts'
import type { Asked } from '../../ask.ts'
import type { PageContext } from '../../page.ts'
import { Mark, type State } from '../../ui/marks.tsx'
import { ErrorBox, Panel, Table } from '../../ui/panel.tsx'
import { Name } from '../../ui/text.tsx'

const PART_STATES: Readonly<Record<CheckState, readonly [State, string]>> = {
  up: ['success', 'up'],
  down: ['failed', 'down'],
  degraded: ['warning', 'degraded'],
  waiting: ['queued', 'waiting'],
  off: ['skipped', 'off'],
}
const WORST_FIRST: readonly CheckState[] = ['down', 'degraded', 'waiting', 'up', 'off']

const NAMES: Readonly<Record<string, string>> = {
  udp: 'UDP input',
  rest: 'REST API',
  qrs: 'Qlik Sense (QRS)',
  mqtt: 'MQTT broker',
  influxdb: 'InfluxDB',
  database: 'Database',
  cluster: 'Cluster',
  descriptors: 'File descriptors',
}

export const Parts = ({
  context,
  health,
}: {
  readonly context: PageContext
  readonly health: Asked<Health>
}): Child => {
  const data = health.ok ? health.data : (health.body as Health | undefined)
  if (!data?.status) return <ErrorBox failure={health as never} what="Health" />
  const { checks, reasons = {} } = data
  const rows = Object.entries(checks ?? {}).sort(([, a], [, b]) => WORST_FIRST.indexOf(a) - WORST_FIRST.indexOf(b))
  return (
    <Panel id="parts" title="Parts">
      {checks ? (
        <Table
          context={context}
          part="parts"
          caption="Parts of Footman, faults first"
          rows={rows}
          keyOf={([name]) => name}
          columns={[
            { head: 'Part', sort: ([name]) => NAMES[name] ?? name, cell: ([name]) => NAMES[name] ?? name },
            {
              head: 'State',
              sort: ([, state]) => WORST_FIRST.indexOf(state),
              cell: ([, state]) => {
                const [mark, word] = PART_STATES[state]
                return <Mark state={mark} word={word} />
              },
            },
            { head: 'Why', cell: ([name]) => reasons[name] && <Name text={reasons[name]} /> },
          ]}
        />
      ) : (
        <p class="body">
          <Mark
            state={data.status === 'ok' ? 'success' : 'failed'}
            word={data.status === 'ok' ? 'healthy' : 'unhealthy'}
          />{' '}
          The scope <code>metrics:read</code> shows the parts.
        </p>
      )}
    </Panel>
  )
}
