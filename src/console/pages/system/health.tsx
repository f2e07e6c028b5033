/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Health: what does not work, the parts of Footman, the UDP input, destinations and monitors. */

import { DESTINATIONS } from '../../../alerts/rules/contract.ts'
import { SELF_TEST, type SelfTestState, UDP_INPUT, type UdpInput } from '../../../events/contract.ts'
import { HEALTH } from '../../../http/contract.ts'
import type { AnswerOf } from '../../../http/endpoint/contract.ts'
import { MONITORS, type MonitorsAnswer, SELF_ALERTS, type SelfAlerts } from '../../../monitors/contract.ts'
import { endSeverity } from '../../../platform/certificate-ends.ts'
import { visible } from '../../../platform/visible.ts'
import { ABOUT, type About, CLUSTER } from '../../contract.ts'
import type { Operations } from '../../forms.tsx'
import type { Page, PageContext } from '../../page.ts'
import { ActionButton } from '../../ui/forms.tsx'
import { Icon, Mark } from '../../ui/marks.tsx'
import { CopyText, Empty, Facts, Panel, part, Table } from '../../ui/panel.tsx'
import { Ago, bytesText, counted, Name, numberText, OutsideLink, Time } from '../../ui/text.tsx'
import { badness, DestinationMark, problemsFirst, typeText } from '../delivery/words.tsx'
import { ClusterPanels } from './cluster.tsx'
import { Parts } from './parts.tsx'
import { SystemHead } from './places.tsx'

export const healthPage: Page = {
  path: '/system',
  place: 'system',
  async render(context) {
    const { ask } = context
    const token = context.query.get('test') ?? ''
    const seesEvents = context.may('event:read')
    const [health, about, alerts, input, test, destinations, monitors, cluster] = await Promise.all([
      ask(HEALTH),
      context.may('admin') ? ask(ABOUT) : null,
      seesEvents ? ask(SELF_ALERTS) : null,
      seesEvents ? ask(UDP_INPUT) : null,
      seesEvents && token !== '' ? ask(SELF_TEST, { params: { token } }) : null,
      seesEvents ? ask(DESTINATIONS) : null,
      context.may('metrics:read') ? ask(MONITORS) : null,
      context.settings.cluster && context.may('admin') ? ask(CLUSTER) : null,
    ])
    return {
      title: 'Health',
      live: ['attention', 'delivery'],
      body: (
        <>
          <SystemHead context={context} title="Health">
            <ActionButton
              context={context}
              operation="udp.selftest"
              values={{}}
              scope="event:read"
              class=""
              harmless
              off={input?.ok && !input.data.listening ? 'Footman does not listen to UDP' : null}
            >
              Self-test of the UDP input
            </ActionButton>
          </SystemHead>
          <div class="stack" data-part="health">
            {test && part(test, (state) => <TestState context={context} test={state} />, 'Self-test')}
            {alerts && part(alerts, (data) => <Alerts context={context} alerts={data} />, 'Self-alerts')}
            <Parts context={context} health={health} />
            {cluster &&
              part(
                cluster,
                (data) => data.mode !== 'single' && <ClusterPanels context={context} cluster={data} />,
                'Cluster',
              )}
            {input && part(input, (data) => <InputPanel context={context} input={data} />, 'UDP input')}
            {destinations &&
              part(destinations, (data) => <DestinationsPanel context={context} answer={data} />, 'Destinations')}
            {(monitors?.ok || about?.ok) && (
              <ResourcesPanel
                context={context}
                certificates={monitors?.ok ? monitors.data.certificates : []}
                data={about?.ok ? about.data.dataDirectory : undefined}
              />
            )}
            {monitors && part(monitors, (data) => <MonitorsPanel context={context} monitors={data} />, 'Monitors')}
          </div>
        </>
      ),
    }
  },
}

const TestState = ({ context, test }: { readonly context: PageContext; readonly test: SelfTestState }) => (
  <Panel id="selftest" title="Self-test of the UDP input">
    <div class="body stack">
      {test.arrived ? (
        <p>
          <Mark state="success" word="arrived" /> from {test.from} at <Time at={test.arrivedAt} zone={context} />
        </p>
      ) : (
        <>
          <p>
            <Mark state="queued" word="not arrived yet" /> Send this text to the UDP port from a Qlik Sense node, until{' '}
            <Time at={test.expiresAt} zone={context} short seconds />. Then reload this page.
          </p>
          <CopyText text={`/footman-self-test/;${test.token}`} />
          <p class="sub">
            On the node, <code>footman doctor udp --help</code> explains how to send it.
          </p>
        </>
      )}
    </div>
  </Panel>
)

const Alerts = ({ context, alerts }: { readonly context: PageContext; readonly alerts: SelfAlerts }) => {
  const { selfAlerts } = alerts
  if (selfAlerts.length === 0) return <Empty title="Footman has no fault to report" />
  return (
    <Panel id="selfalerts" title="Self-alerts" count={selfAlerts.length}>
      <Table
        context={context}
        part="selfalerts"
        caption="Self-alerts, the newest first"
        rows={selfAlerts}
        keyOf={({ code }) => code}
        columns={[
          {
            head: 'Alert',
            sort: (row) => row.code,
            cell: ({ code, eventId }) => (
              <span class="l">
                <Icon name="self" class="warn" />
                {eventId ? <a href={context.link(`/events/${eventId}`)}>{code}</a> : code}
              </span>
            ),
          },
          {
            head: 'Text',
            cell: ({ subjects }) =>
              subjects.map(({ text }) => (
                <p>
                  <bdi>{visible(text)}</bdi>
                </p>
              )),
          },
          { head: 'Remedy', cell: ({ help }) => help },
          { head: 'Since', sort: (row) => row.since, cell: ({ since }) => <Ago at={since} zone={context} /> },
        ]}
      />
    </Panel>
  )
}

const InputPanel = ({ context, input }: { readonly context: PageContext; readonly input: UdpInput }) => {
  const dropped = Object.entries(input.dropped).filter(([, count]) => count > 0)
  return (
    <Panel id="udp" title="UDP input" count={input.sources.length}>
      <div class="body">
        <Facts
          facts={[
            [
              'State',
              input.listening ? (
                <Mark state="success" word={`listens on ${input.address}:${input.port}`} />
              ) : (
                <Mark
                  state={input.enabled ? 'failed' : 'skipped'}
                  word={input.enabled ? 'does not listen' : 'switched off'}
                />
              ),
            ],
            [
              'Received',
              `${counted(input.received, 'datagram')} since the start, ${numberText(input.rejected)} unreadable`,
            ],
            [
              'Waiting',
              input.waiting.oldestAt === null ? (
                'no event'
              ) : (
                <>
                  {counted(input.waiting.events, 'event')}, the oldest since{' '}
                  <Ago at={input.waiting.oldestAt} zone={context} />
                </>
              ),
            ],
            dropped.length > 0 && [
              'Dropped',
              <a href={context.link('/events/dropped')}>
                {dropped.map(([reason, count]) => `${reason} ${numberText(count)}`).join(', ')}
              </a>,
            ],
          ]}
        />
      </div>
      {input.sources.length > 0 && (
        <Table
          context={context}
          part="udp"
          caption="Senders of messages, the one heard last first"
          rows={input.sources}
          keyOf={({ from, host }) => `${from} ${host}`}
          columns={[
            {
              head: 'Node',
              sort: (row) => row.host,
              cell: ({ host }) => <Name text={host ?? 'unreadable datagrams'} />,
            },
            { head: 'Address', sort: (row) => row.from, cell: ({ from }) => from },
            {
              head: 'Last message',
              sort: (row) => row.lastSeen,
              cell: ({ lastSeen }) => <Ago at={lastSeen} zone={context} />,
            },
            { head: 'Messages', num: true, sort: (row) => row.messages, cell: ({ messages }) => numberText(messages) },
            {
              head: 'Unreadable',
              num: true,
              sort: (row) => row.rejected,
              cell: ({ rejected }) => numberText(rejected),
            },
          ]}
        />
      )}
    </Panel>
  )
}

const DestinationsPanel = ({
  context,
  answer,
}: {
  readonly context: PageContext
  readonly answer: AnswerOf<typeof DESTINATIONS>
}) => {
  const rows = problemsFirst(answer.destinations)
  if (rows.length === 0) return null
  return (
    <Panel id="destinations" title="Destinations" count={rows.length}>
      <Table
        context={context}
        part="destinations"
        caption="Destinations, faults first"
        rows={rows}
        keyOf={({ name }) => name}
        columns={[
          {
            head: 'Destination',
            sort: (row) => row.name,
            cell: ({ name }) => (
              <a href={context.link(`/destinations/${encodeURIComponent(name)}`)}>
                <Name text={name} />
              </a>
            ),
          },
          { head: 'Type', sort: (row) => typeText(row.type), cell: ({ type }) => typeText(type) },
          {
            head: 'State',
            sort: badness,
            cell: (one) => <DestinationMark destination={one} />,
          },
          { head: 'Waiting', num: true, sort: (row) => row.pending, cell: ({ pending }) => numberText(pending) },
          { head: 'Failed', num: true, sort: (row) => row.dead, cell: ({ dead }) => numberText(dead) },
          {
            head: 'Last delivered',
            sort: (row) => row.lastDeliveredAt,
            cell: ({ lastDeliveredAt }) => <Time at={lastDeliveredAt} zone={context} short />,
          },
          { head: 'Last error', cell: ({ lastError }) => lastError && <Name text={lastError} /> },
        ]}
      />
    </Panel>
  )
}

const CERTIFICATES: Readonly<Record<string, string>> = {
  qlik: 'of the connection to Qlik Sense',
  rest: 'of the REST API and this page',
  'rest-clients': 'authority of client certificates',
}

const END_STATES = { warning: 'warning', error: 'failed' } as const

const ResourcesPanel = ({
  context,
  certificates,
  data,
}: {
  readonly context: PageContext
  readonly certificates: MonitorsAnswer['certificates']
  readonly data: About['dataDirectory']
}) => {
  const databases = data?.databases ?? []
  if (certificates.length === 0 && !data) return null
  return (
    <Panel id="resources" title="Certificates and storage">
      {data && (
        <div class="body">
          <Facts
            facts={[
              ['Free disk', bytesText(data.freeBytes)],
              ...databases.map(({ name, bytes }) => [`Database ${name}`, bytesText(bytes)] as const),
            ]}
          />
        </div>
      )}
      {certificates.length > 0 && (
        <Table
          context={context}
          part="resources"
          caption="Certificates, the first to end first"
          rows={certificates}
          keyOf={({ name, expiresAt }) => `${name} ${expiresAt}`}
          columns={[
            {
              head: 'Certificate',
              sort: (row) => row.name,
              cell: ({ name }) => (
                <>
                  <Name text={name} /> {CERTIFICATES[name] && <span class="sub">{CERTIFICATES[name]}</span>}
                </>
              ),
            },
            {
              head: 'Days left',
              sort: (row) => row.daysLeft,
              cell: ({ daysLeft, expiresAt }) => {
                const severity = endSeverity(Date.parse(expiresAt) - context.now)
                return (
                  <Mark
                    state={severity === null ? 'success' : END_STATES[severity]}
                    word={daysLeft < 0 ? 'has ended' : counted(daysLeft, 'day')}
                  />
                )
              },
            },
            {
              head: 'Ends',
              sort: (row) => row.expiresAt,
              cell: ({ expiresAt }) => <Time at={expiresAt} zone={context} seconds={false} />,
            },
          ]}
        />
      )}
    </Panel>
  )
}

const MonitorsPanel = ({ context, monitors }: { readonly context: PageContext; readonly monitors: MonitorsAnswer }) => {
  const { services, license, qlikSense, lookedAt } = monitors
  const { qmc, hub } = context.settings.links
  const rows = [...services].sort((a, b) => Number(a.state === 'RUNNING') - Number(b.state === 'RUNNING'))
  return (
    <Panel id="monitors" title="Qlik Sense" count={services.length || undefined}>
      <div class="body">
        <Facts
          facts={[
            qmc !== '' && ['Management console', <OutsideLink url={qmc} text={qmc} />],
            hub !== '' && ['Hub', <OutsideLink url={hub} text={hub} />],
            lookedAt !== null && ['Looked at', <Ago at={lookedAt} zone={context} />],
            ['Release', qlikSense ? `${qlikSense.release} (${qlikSense.version})` : 'not monitored'],
            [
              'Server licence',
              license.expiresAt ? (
                <>
                  {license.endsSoon && <Icon name="self" class="warn" label="ends soon" />} ends {license.expiresAt}, in{' '}
                  {counted(license.daysLeft ?? 0, 'day')}
                </>
              ) : (
                'no end known'
              ),
            ],
            ...license.access.map(
              ({ type, allocated, available }) =>
                [
                  `Licences ${type.replaceAll('_', ' ')}`,
                  [
                    allocated === null ? 'allocated unknown' : `${numberText(allocated)} allocated`,
                    ...(available === null ? [] : [`${numberText(available)} available`]),
                  ].join(', '),
                ] as const,
            ),
          ]}
        />
      </div>
      {rows.length > 0 && (
        <Table
          context={context}
          part="monitors"
          caption="Services, those that do not run first"
          rows={rows}
          keyOf={({ host, name }) => `${host} ${name}`}
          columns={[
            {
              head: 'Service',
              sort: (row) => row.friendlyName,
              cell: ({ friendlyName, eventId }) =>
                eventId ? (
                  <a href={context.link(`/events/${eventId}`)}>
                    <Name text={friendlyName} />
                  </a>
                ) : (
                  <Name text={friendlyName} />
                ),
            },
            { head: 'Host', sort: (row) => row.host, cell: ({ host }) => <Name text={host} /> },
            {
              head: 'State',
              sort: (row) => row.state,
              cell: ({ state }) => (
                <Mark
                  state={state === 'RUNNING' ? 'success' : 'failed'}
                  word={state.toLowerCase().replaceAll('_', ' ')}
                />
              ),
            },
            { head: 'Since', sort: (row) => row.since, cell: ({ since }) => <Time at={since} zone={context} short /> },
          ]}
        />
      )}
    </Panel>
  )
}

export const healthOperations: Operations = {
  'udp.selftest': {
    scope: 'event:run',
    verb: 'Self-test of the UDP input',
    call: () => ({ method: 'POST', path: '/v4/udp/self-test' }),
    done: () => 'The self-test has begun.',
    next: (answer) => `/system?test=${encodeURIComponent((answer as SelfTestState).token)}`,
  },
}
