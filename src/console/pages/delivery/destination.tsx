/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** A destination with its last day, its rules and its settings. */
import type { Child } from 'hono/jsx'
import { DELIVERIES, type Delivery } from '../../../alerts/history/contract.ts'
import { ALERT_RULES, DESTINATION, type DestinationDetail, type Hour } from '../../../alerts/rules/contract.ts'
import { SETTING, SETTINGS } from '../../../settings/contract.ts'
import type { Page, PageContext } from '../../page.ts'
import { Mark } from '../../ui/marks.tsx'
import { ErrorBox, Facts, Head, Panel, part, Table } from '../../ui/panel.tsx'
import { Name, plainName, Time } from '../../ui/text.tsx'
import { Result } from '../events/alerted.tsx'
import { Actions, EditLink } from './destinations.tsx'
import { DELIVERY_STATES, DestinationMark, routeLink, typeText } from './words.tsx'

export const destinationPage: Page = {
  path: '/destinations/:name',
  place: 'delivery',
  scope: 'event:read',
  async render(context) {
    const name = context.params.name ?? ''
    const crumbs = [{ href: context.link('/destinations'), text: 'Destinations' }]
    const seesSettings = context.may('setting:read')
    const [answer, last, kinds, stored] = await Promise.all([
      context.ask(DESTINATION, { params: { name } }),
      context.ask(DELIVERIES, { query: { destination: name, limit: 20 } }),
      seesSettings ? context.ask(SETTINGS) : null,
      seesSettings ? context.ask(SETTING, { params: { kind: 'destination', name } }) : null,
    ])
    const mayEdit = context.may('setting:write') && kinds?.ok === true && kinds.data.editable
    if (!answer.ok && answer.status === 404) {
      const deliveries = last.ok ? last.data.deliveries : []
      if (deliveries.length > 0 || (await isNamedByRule(context, name))) return former(context, name, deliveries)
    }
    if (!answer.ok) {
      return {
        title: 'Destination',
        status: answer.status,
        body: (
          <>
            <Head title="Destination" crumbs={crumbs} />
            <ErrorBox failure={answer} />
          </>
        ),
      }
    }
    const one = answer.data
    return {
      title: plainName(name),
      live: ['delivery'],
      body: (
        <>
          <Head title={<Name text={name} />} crumbs={crumbs} beside={<DestinationMark destination={one} />}>
            <Actions context={context} name={name} dead={one.dead} />
            {/* Destinations of the notification sections are no settings of their own. */}
            {stored?.ok && <EditLink context={context} setting={stored.data} mayEdit={mayEdit} />}
          </Head>
          <div class="two">
            <div class="stack">
              <Panel id="hours" title="Last 24 hours">
                <div class="body" data-part="hours">
                  <Hours context={context} hours={one.hours} />
                </div>
              </Panel>
              <LastDeliveries context={context} name={name}>
                {part(last, ({ deliveries }) => (
                  <Last context={context} deliveries={deliveries} />
                ))}
              </LastDeliveries>
            </div>
            <aside class="stack" aria-label="About the destination">
              <About context={context} destination={one} />
            </aside>
          </div>
        </>
      ),
    }
  },
}

/** Whether a rule sends there, as those of switched-off notification sections do. */
async function isNamedByRule({ ask }: PageContext, name: string): Promise<boolean> {
  const answer = await ask(ALERT_RULES)
  return answer.ok && answer.data.alertRoutes.some(({ to }) => to.includes(name))
}

/** A destination that the configuration does not have now, with what was sent to it before. */
const former = (context: PageContext, name: string, deliveries: readonly Delivery[]) => ({
  title: plainName(name),
  body: (
    <>
      <Head
        title={<Name text={name} />}
        crumbs={[{ href: context.link('/destinations'), text: 'Destinations' }]}
        beside={<Mark state="skipped" word="switched off" />}
      />
      <p class="lead">
        This destination is switched off or is not in the configuration any more. Nothing is sent to it.
      </p>
      <p class="sub">
        Destinations are below <code>Butler.footman.destinations</code> and in the notification sections of the
        configuration file. To send to it again, switch it on there and start Footman again.
      </p>
      <LastDeliveries context={context} name={name}>
        <Last context={context} deliveries={deliveries} />
      </LastDeliveries>
    </>
  ),
})

interface LastDeliveriesProps {
  readonly context: PageContext
  /** The destination. */
  readonly name: string
  readonly children: Child
}

const LastDeliveries = ({ context, name, children }: LastDeliveriesProps) => (
  <Panel
    id="last"
    title="Last deliveries"
    tools={
      <a class="small" href={context.link('/deliveries', { destination: name })}>
        All
      </a>
    }
  >
    {children}
  </Panel>
)

const Last = ({ context, deliveries }: { readonly context: PageContext; readonly deliveries: readonly Delivery[] }) =>
  deliveries.length === 0 ? (
    <p class="body muted">Nothing has been sent here yet.</p>
  ) : (
    <Table
      caption="Last deliveries"
      context={context}
      part="last"
      rows={deliveries}
      keyOf={({ id }) => id}
      columns={[
        {
          head: 'Created',
          sort: ({ createdAt }) => createdAt,
          cell: ({ state, createdAt, eventId }) => (
            <div class="l">
              <Mark state={DELIVERY_STATES[state].state} />
              <a href={context.link(`/events/${eventId}`)}>
                <Time at={createdAt} zone={context} />
              </a>
            </div>
          ),
        },
        { head: 'Target', cell: ({ target }) => <Name text={target} />, sort: ({ target }) => target },
        {
          head: 'Result',
          cell: (delivery) => <Result context={context} delivery={delivery} />,
          sort: ({ state }) => DELIVERY_STATES[state].word,
        },
      ]}
    />
  )

const About = ({
  context,
  destination,
}: {
  readonly context: PageContext
  readonly destination: DestinationDetail
}) => {
  const { type, state, downSince, nextProbeAt, pending, dead, lastDeliveredAt, lastError, routes, settings } =
    destination
  return (
    <>
      <Panel id="state" title="State">
        <div class="body" data-part="state">
          <Facts
            facts={[
              ['State', <DestinationMark destination={destination} />],
              ['Type', typeText(type)],
              state === 'down' && downSince !== null && ['Down since', <Time at={downSince} zone={context} />],
              nextProbeAt !== null && ['Tried again', <Time at={nextProbeAt} zone={context} />],
              ['Waiting', pending],
              ['Failed', dead],
              ['Last delivered', <Time at={lastDeliveredAt} zone={context} />],
              lastError !== null && ['Last error', <Name text={lastError} />],
            ]}
          />
        </div>
      </Panel>
      <Panel id="routes" title="Rules" count={routes.length}>
        <div class="body">
          {routes.length === 0 ? (
            <p class="muted">No rule that is switched on sends here.</p>
          ) : (
            <ul>
              {routes.map((name) => (
                <li>
                  <a href={routeLink(context, name)}>
                    <Name text={name} />
                  </a>
                </li>
              ))}
            </ul>
          )}
        </div>
      </Panel>
      <Panel id="settings" title="Settings">
        <div class="body">
          {settings === null ? (
            <p class="muted">Set up in a notification section of the configuration.</p>
          ) : (
            <pre class="code" tabindex={0}>
              {JSON.stringify(settings, null, 2)}
            </pre>
          )}
        </div>
      </Panel>
    </>
  )
}

const HOUR_MS = 3_600_000
const HOURS = 24
const HEIGHT = 72
const PARTS = ['delivered', 'suppressed', 'dead'] as const
const PART_CLASSES = { delivered: 'bar-ok', suppressed: 'bar-muted', dead: 'bar-bad' } as const

/** A bar for each hour, with a table of the same. */
const Hours = ({ context, hours }: { readonly context: PageContext; readonly hours: readonly Hour[] }) => {
  if (hours.length === 0) return <p class="muted">Nothing was sent in the last 24 hours.</p>
  const first = Math.floor(context.now / HOUR_MS) - HOURS + 1
  const byHour = new Map(hours.map((hour) => [Math.floor(Date.parse(hour.at) / HOUR_MS), hour]))
  const most = Math.max(...hours.map(({ delivered, suppressed, dead }) => delivered + suppressed + dead), 1)
  const sum = (name: (typeof PARTS)[number]) => hours.reduce((total, hour) => total + hour[name], 0)
  return (
    <>
      <p class="small">
        {sum('delivered')} delivered · {sum('suppressed')} suppressed · {sum('dead')} failed
      </p>
      <svg
        class="chart hours"
        height={HEIGHT}
        role="img"
        aria-label="Deliveries of each hour; the table below has the numbers"
      >
        {Array.from({ length: HOURS }, (_, n) => {
          const hour = byHour.get(first + n)
          let y = HEIGHT
          return PARTS.map((name) => {
            const value = hour?.[name] ?? 0
            if (value === 0) return null
            const height = Math.max(2, Math.round((value / most) * (HEIGHT - 4)))
            y -= height
            return (
              <rect
                class={PART_CLASSES[name]}
                x={`${(n / HOURS) * 100}%`}
                y={y}
                width={`${(0.8 / HOURS) * 100}%`}
                height={height}
              />
            )
          })
        })}
      </svg>
      <details data-key="hours-table">
        <summary class="small">As a table</summary>
        <Table
          caption="Deliveries of each hour"
          context={context}
          part="hours"
          rows={hours.toReversed()}
          keyOf={({ at }) => at}
          columns={[
            {
              head: 'Hour',
              cell: ({ at }) => <Time at={at} zone={context} clock seconds={false} />,
              sort: ({ at }) => at,
            },
            { head: 'Delivered', num: true, cell: ({ delivered }) => delivered, sort: ({ delivered }) => delivered },
            {
              head: 'Suppressed',
              num: true,
              cell: ({ suppressed }) => suppressed,
              sort: ({ suppressed }) => suppressed,
            },
            { head: 'Failed', num: true, cell: ({ dead }) => dead, sort: ({ dead }) => dead },
          ]}
        />
      </details>
    </>
  )
}
