/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The first screen: what happened in the last hours, what needs attention, and the timeline. */

import type { FC } from 'hono/jsx'
import { EVENTS, type Events } from '../../../alerts/history/contract.ts'
import { UDP_INPUT, type UdpInput } from '../../../events/contract.ts'
import { ATTENTION, type Attention, TIMELINE, type Timeline } from '../../../tasks/overview/contract.ts'
import type { Asked } from '../../ask.ts'
import type { Page, PageContext } from '../../page.ts'
import { Icon } from '../../ui/marks.tsx'
import { Choice, Empty, ErrorBox, Head, Table } from '../../ui/panel.tsx'
import { Ago, counted, Name, numberText, Time } from '../../ui/text.tsx'
import { findingCounts, knownOf } from '../tasks/state.ts'
import { AttentionPanel } from './attention.tsx'
import { HOUR_MS, LENGTHS, type Range, rangeOf } from './range.ts'
import { nextRuns } from './rows.ts'
import { TimelinePanel } from './timeline.tsx'

export const nowPage: Page = {
  path: '/',
  place: 'now',
  async render(context) {
    const { ask, query, now } = context
    const range = rangeOf(context)
    const { length, from, end, isOpen } = range
    const iso = (at: number) => new Date(at).toISOString()
    const [timeline, attention, recovered, newest, senders] = await Promise.all([
      ask(TIMELINE, {
        query: {
          from: iso(from),
          to: isOpen ? null : iso(end),
          name: query.get('q') && `*${query.get('q')}*`,
          group: query.get('group'),
          only: query.get('only'),
        },
      }),
      ask(ATTENTION),
      ask(ATTENTION, { query: { state: 'recovered', from: iso(from) } }),
      ask(EVENTS, { query: { limit: 1, source: 'udp' } }),
      ask(UDP_INPUT),
    ])
    const isQuiet =
      newest.ok && newest.data.events.every(({ receivedAt }) => now - Date.parse(receivedAt) > 24 * HOUR_MS)
    const empty = isQuiet ? (
      <Silent context={context} senders={senders} />
    ) : (
      <Calm context={context} timeline={timeline} newest={newest} />
    )
    const none = { items: [], hidden: [], count: 0 }
    return {
      title: length === '12h' && isOpen ? 'Now' : `Now, ${LENGTH_TEXTS[length]}`,
      live: ['execution', 'event', 'delivery', 'attention', 'schedule'],
      scripts: ['pictures.js'],
      body: (
        <>
          <Heading context={context} range={range} />
          <div data-part="sentence" aria-live="off">
            <Sentence context={context} isPast={!isOpen} timeline={timeline} attention={attention} newest={newest} />
          </div>
          <div class="now">
            {attention.ok ? (
              <AttentionPanel
                context={context}
                attention={attention.data}
                isPast={!isOpen}
                recovered={recovered.ok ? recovered.data.items : none.items}
                next={timeline.ok ? nextRuns(timeline.data) : new Map()}
                empty={empty}
              />
            ) : (
              <ErrorBox failure={attention} what="Needs attention" retry={context.here({})} />
            )}
            {timeline.ok ? (
              <TimelinePanel
                context={context}
                timeline={timeline.data}
                attention={attention.ok ? attention.data : null}
              />
            ) : (
              <ErrorBox failure={timeline} what="Timeline" retry={context.here({})} />
            )}
          </div>
        </>
      ),
    }
  },
}

const LENGTH_TEXTS: Readonly<Record<Range['length'], string>> = {
  night: 'last night',
  '12h': '12 h',
  '24h': '24 h',
  '48h': '48 h',
}

const Heading: FC<{ readonly context: PageContext; readonly range: Range }> = ({ context, range }) => {
  const { here } = context
  const { length, from, end, earlier, later } = range
  const iso = (at: number | null) => at && new Date(at).toISOString()
  return (
    <Head
      title={titleOf(range)}
      beside={
        <span class="muted nowrap" data-part="range">
          <Time at={from} zone={context} weekday seconds={false} /> –{' '}
          <Time at={end} zone={context} weekday seconds={false} />
        </span>
      }
    >
      <Choice
        label="Range"
        options={LENGTHS.map((one) => ({
          text: one === 'night' ? 'Last night' : LENGTH_TEXTS[one],
          href: here({ w: one === '12h' ? null : one }),
          chosen: one === length,
        }))}
      />
      <a class="btn" href={here({ to: iso(earlier) })} rel="next">
        <Icon name="left" />
        Earlier
      </a>
      {context.query.has('to') && (
        <a class="btn" href={here({ to: iso(later) })}>
          Later
          <Icon name="right" />
        </a>
      )}
      <a class="btn" href={here({ to: null })} data-now>
        Now
      </a>
    </Head>
  )
}

/** The chosen range: "last" only while nothing later can be shown. */
function titleOf({ length, isOpen, later }: Range): string {
  if (length === 'night') return later === null ? 'Last night' : 'Night'
  return `${isOpen ? 'Last ' : ''}${length.slice(0, -1)} hours`
}

interface SentenceProps {
  readonly context: PageContext
  readonly isPast: boolean
  readonly timeline: Asked<Timeline>
  readonly attention: Asked<Attention>
  readonly newest: Asked<Events>
}

/** The problems in one line, and the counts of the range. */
const Sentence: FC<SentenceProps> = ({ context, isPast, timeline, attention, newest }) => {
  if (!timeline.ok) return null
  const { runs, success, failed, aborted, recovered, ...summary } = timeline.data.summary
  // Up to now the list below says what is wrong, however long ago it began; of an earlier range the summary knows it.
  const found = !isPast && attention.ok ? findingCounts(knownOf(attention.data.items)) : null
  const stillFailing = found?.failing ?? summary.stillFailing
  const neverStarted = found?.missing ?? summary.neverStarted
  const late = found?.late ?? 0
  const [then, still] = isPast ? [' that failed in this time', ' still'] : ['', '']
  const parts = (
    [
      [stillFailing, `${then} ${are(stillFailing)} still failing`],
      [neverStarted, ' never started'],
      [late, ` ${are(late)} late`],
    ] as const
  )
    .filter(([count]) => count > 0)
    .map(([count, text], n) => (n === 0 ? counted(count, 'task') : count) + text)
  // Without Qlik Sense and without runs there is nothing that the calm sentence could rest on.
  const isUnknown = timeline.data.stale && runs === 0
  const [last] = newest.ok ? newest.data.events : []
  const ended = [
    `${numberText(success)} succeeded`,
    failed > 0 && `${numberText(failed)} failed`,
    aborted > 0 && `${numberText(aborted)} aborted`,
  ]
  return (
    <>
      <p class="lead">
        <b>{parts.length > 0 ? `${sentence(parts)}.` : isUnknown ? UNKNOWN : `No task${then} is${still} failing.`}</b>
      </p>
      <p class="sub">
        {counted(runs, 'run')} ended{runs > 0 && `: ${ended.filter(Boolean).join(', ')}`}.
        {recovered > 0 && ` ${counted(recovered, 'failure')} of tasks that have recovered.`}
        {last && (
          <>
            {' '}
            Last event from <Name text={last.host ?? 'Qlik Sense'} /> <Ago at={last.receivedAt} zone={context} />.
          </>
        )}
      </p>
    </>
  )
}

const UNKNOWN = 'Qlik Sense does not answer: the state of its tasks is not known.'
const are = (count: number) => (count === 1 ? 'is' : 'are')

function sentence(parts: readonly string[]): string {
  const text = parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`
  return text[0]!.toUpperCase() + text.slice(1)
}

const Calm: FC<{
  readonly context: PageContext
  readonly timeline: Asked<Timeline>
  readonly newest: Asked<Events>
}> = ({ context, timeline, newest }) => {
  const [last] = newest.ok ? newest.data.events : []
  const runs = timeline.ok ? timeline.data.summary : null
  return (
    <Empty title="Nothing needs attention">
      {runs && `${counted(runs.runs, 'run')}${runs.runs === runs.success ? ', all succeeded' : ''}. `}
      {last && (
        <>
          Last message from <Name text={last.host ?? 'Qlik Sense'} /> <Ago at={last.receivedAt} zone={context} />.
        </>
      )}
    </Empty>
  )
}

/** Nothing has come from Qlik Sense for a day: probably its schedulers do not know of Footman. */
const Silent: FC<{ readonly context: PageContext; readonly senders: Asked<UdpInput> }> = ({ context, senders }) => (
  <Empty title="No messages from Qlik Sense" icon="self" yaml="footman log-appender">
    <p>
      No message has come for 24 hours. The schedulers of Qlik Sense send one when a task ends, once the log appender is
      set up on each node; the command below writes its file.
    </p>
    {senders.ok && senders.data.sources.length > 0 && (
      <Table
        caption="UdpInput"
        rows={senders.data.sources}
        keyOf={({ from }) => from}
        columns={[
          { head: 'Node', cell: ({ host, from }) => <Name text={host ?? from} /> },
          { head: 'Messages', num: true, cell: ({ messages }) => numberText(messages) },
          { head: 'Last', cell: ({ lastSeen }) => <Time at={lastSeen} zone={context} /> },
        ]}
      />
    )}
  </Empty>
)
