/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The tester of alert rules: which fire for an event, and what a draft of rules would change. Nothing is sent or stored. */
import {
  type DraftProblem,
  EXPLAIN,
  type ExplainAnswer,
  type ExplainedRule,
  type Explanation,
  type Question,
} from '../../../alerts/rules/contract.ts'
import { EVENT_OUTCOMES, EVENT_TYPES } from '../../../events/kinds.ts'
import { visibleLines } from '../../../platform/visible.ts'
import type { Asked } from '../../ask.ts'
import { callOf, curlOf } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { ActionLink, FormFields } from '../../ui/forms.tsx'
import { Badge, Icon } from '../../ui/marks.tsx'
import { CopyText, Panel, part, Table } from '../../ui/panel.tsx'
import { counted, Name } from '../../ui/text.tsx'
import { Conditions, RouteDecision, verdictNow } from '../events/decisions.tsx'
import { outcomeWord, TYPE_WORDS } from '../events/words.ts'
import { routeLink } from './words.tsx'

const SAMPLED = ['type', 'outcome', 'taskName', 'host', 'message'] as const
const EXAMPLE = `- name: finance-night
  match:
    outcome: failed
    stream: Finance
  to: [ops-mail]`

/** The question that a form or an address asks; null while there is none. */
export function questionOf(form: URLSearchParams): Question | null {
  const given = (name: string) => form.get(name)?.trim() ?? ''
  const texts = SAMPLED.flatMap((name) => (given(name) === '' ? [] : [[name, given(name)] as const]))
  const row = given('consecutiveFailures')
  const draft = given('draft') !== '' ? { draft: form.get('draft') } : {}
  const at = given('at') !== '' ? { at: given('at') } : {}
  const named = [
    ...(given('event') === '' ? [] : [{ eventId: given('event') }]),
    ...(given('raw') === '' ? [] : [{ raw: given('raw') }]),
    ...(texts.length === 0 && row === ''
      ? []
      : [{ sample: { ...Object.fromEntries(texts), ...(row !== '' && { consecutiveFailures: Number(row) }) } }]),
  ]
  const isAsked = named.length > 0 || 'draft' in draft || 'at' in at
  if (!isAsked) return null
  const subject = named.length === 0 ? { sample: { outcome: 'failed' } } : Object.assign({}, ...named)
  return { ...subject, ...at, ...draft }
}

interface TesterProps {
  readonly context: PageContext
  /** The fields as they were filled in. */
  readonly form: URLSearchParams
  readonly tested: Asked<ExplainAnswer> | null
}

export const Tester = ({ context, form, tested }: TesterProps) => {
  const question = questionOf(form)
  return (
    <Panel id="tester" title="Tester">
      <div class="body stack">
        <p class="sub">
          Which rules fire for an event, and what would a draft of rules change? Nothing is sent, and the draft is not
          stored.
        </p>
        <form method="post" action={context.link('/form/routes.explain')} class="stack">
          <FormFields context={context} then={context.link('/system/routes')} />
          <div class="try">
            <Subject form={form} />
            <Draft context={context} form={form} />
          </div>
          <div class="acts">
            <button type="submit" class="btn primary">
              Which rules fire?
            </button>
          </div>
        </form>
        {tested && <Answer context={context} form={form} tested={tested} />}
        {question && (
          <details>
            <summary class="small">As a call of the API</summary>
            <CopyText text={curlOf(context, callOf(EXPLAIN, { body: question }))} />
          </details>
        )}
      </div>
    </Panel>
  )
}

type FormProps = Pick<TesterProps, 'form'>

/** A past event, a datagram, or fields: one of them. */
const Subject = ({ form }: FormProps) => {
  const text = (name: string, label: string, placeholder = '') => (
    <label class="field">
      <span>{label}</span>
      <input name={name} value={form.get(name) ?? ''} placeholder={placeholder} autocomplete="off" />
    </label>
  )
  const choice = (name: string, label: string, options: readonly (readonly [string, string])[]) => (
    <label class="field">
      <span>{label}</span>
      <select name={name}>
        <option value="">any</option>
        {options.map(([value, words]) => (
          <option value={value} selected={form.get(name) === value}>
            {words}
          </option>
        ))}
      </select>
    </label>
  )
  return (
    <div class="stack">
      <h3>Event</h3>
      {text('event', 'Event id', 'a past event')}
      <label class="stack">
        <span class="small muted">or a datagram, as Qlik Sense sends it</span>
        <textarea name="raw" rows={2} class="big short" spellcheck={false}>
          {form.get('raw') ?? ''}
        </textarea>
      </label>
      <p class="small muted">or fields</p>
      <div class="filters">
        {choice(
          'type',
          'Type',
          EVENT_TYPES.map((type) => [type, TYPE_WORDS[type]]),
        )}
        {choice(
          'outcome',
          'Outcome',
          EVENT_OUTCOMES.map((outcome) => [outcome, outcomeWord(outcome)]),
        )}
        {text('taskName', 'Task')}
        {text('host', 'Node')}
        {text('message', 'Message')}
        {text('consecutiveFailures', 'In a row', '1')}
        {text('at', 'At', '2026-11-23 02:00')}
      </div>
    </div>
  )
}

const Draft = ({ context, form }: Omit<TesterProps, 'tested'>) => (
  <div class="stack">
    <h3>Draft of rules</h3>
    <label class="stack">
      <span class="small muted">
        {context.may('admin')
          ? 'YAML as in the configuration; a rule takes the place of the one with its name'
          : 'A draft needs the scope admin'}
      </span>
      <textarea
        name="draft"
        rows={12}
        class="big"
        spellcheck={false}
        placeholder={EXAMPLE}
        disabled={!context.may('admin')}
      >
        {form.get('draft') ?? ''}
      </textarea>
    </label>
  </div>
)

const Answer = ({ context, form, tested }: TesterProps & { readonly tested: Asked<ExplainAnswer> }) =>
  part(
    tested,
    (answer) => (
      <section aria-label="Answer" class="answer">
        {answer.draftProblems && answer.draftProblems.length > 0 && (
          <Problems text={form.get('draft') ?? ''} problems={answer.draftProblems} />
        )}
        {answer.draft ? (
          <Compared context={context} configured={answer} draft={answer.draft} />
        ) : (
          <Configured context={context} form={form} explanation={answer} />
        )}
      </section>
    ),
    'Tester',
  )

/** The lines of the draft, each problem below its line. */
const Problems = ({ text, problems }: { readonly text: string; readonly problems: readonly DraftProblem[] }) => {
  const lines = visibleLines(text.toWellFormed()).split('\n')
  const errors = problems.filter(({ severity }) => severity === 'error').length
  return (
    <>
      <p>
        {errors > 0 ? (
          <b class="bad">The draft has {counted(errors, 'error')}; below is what the configured rules do without it.</b>
        ) : (
          <b>The draft can be used, with {counted(problems.length, 'note')}.</b>
        )}
      </p>
      <section class="log wrap draft" tabindex={0} aria-label="Draft with its problems">
        <ol>
          {lines.map((line, n) => {
            const here = problems.filter((one) => Math.max(1, Math.min(one.line, lines.length)) === n + 1)
            return (
              <>
                <li class={here.some(({ severity }) => severity === 'error') ? 'e' : undefined}>
                  <span />
                  <span />
                  <span>{n + 1}</span>
                  <span>{line}</span>
                </li>
                {here.map((one) => (
                  <ProblemLine problem={one} />
                ))}
              </>
            )
          })}
        </ol>
      </section>
    </>
  )
}

const ProblemLine = ({ problem: { severity, path, message, hint } }: { readonly problem: DraftProblem }) => (
  <li class={severity === 'error' ? 'e note' : 'note'}>
    <span>
      <Icon name={severity === 'error' ? 'failed' : 'self'} label={severity} />
    </span>
    <span />
    <span />
    <span>
      <Name text={[path, message].filter(Boolean).join(': ')} />
      {hint && (
        <>
          {' '}
          (<Name text={hint} />)
        </>
      )}
    </span>
  </li>
)

const Configured = ({
  context,
  form,
  explanation: { routes, stoppedBy },
}: Omit<TesterProps, 'tested'> & { readonly explanation: Explanation }) => {
  const event = form.get('event')?.trim()
  const [matched, others] = [routes.filter((one) => one.matched), routes.filter((one) => !one.matched)]
  const decision = (route: ExplainedRule) => (
    <RouteDecision
      context={context}
      name={route.name}
      verdict={verdictNow(route)}
      because={route.because}
      fields={route.fields ?? []}
    />
  )
  return (
    <>
      <p>
        <b>{matched.length}</b> of {routes.length} rules {matched.length === 1 ? 'fires' : 'fire'}
        <Stop name={stoppedBy} />.{' '}
        {event && (
          <ActionLink
            context={context}
            operation="event.fire"
            scope="event:run"
            values={{ id: event, routes: matched.map(({ name }) => name) }}
            then={context.link('/system/routes', { event })}
          >
            Messages…
          </ActionLink>
        )}
      </p>
      {matched.map(decision)}
      <details class="fold" data-key="others">
        <summary class="small">
          <Icon name="right" class="turn" />
          {counted(others.length, 'rule')} that {others.length === 1 ? 'does' : 'do'} not fire
        </summary>
        {others.map(decision)}
      </details>
    </>
  )
}

const Stop = ({ name }: { readonly name: string | null }) =>
  name && (
    <>
      ; nothing is looked at after <Name text={name} />
    </>
  )

interface Pair {
  readonly name: string
  readonly configured: ExplainedRule | null
  readonly draft: ExplainedRule | null
  readonly differs: boolean
}

/** The effect of a route, for comparison; a route that is not there has none. */
const effectOf = (route: ExplainedRule | null): string => (route?.matched ? verdictNow(route).key : 'no')

function pairsOf(configured: Explanation, draft: Explanation): readonly Pair[] {
  const before = new Map(configured.routes.map((one) => [one.name, one]))
  const after = new Map(draft.routes.map((one) => [one.name, one]))
  return [...new Set([...before.keys(), ...after.keys()])].map((name) => {
    const pair = { name, configured: before.get(name) ?? null, draft: after.get(name) ?? null }
    return { ...pair, differs: effectOf(pair.configured) !== effectOf(pair.draft) }
  })
}

interface ComparedProps {
  readonly context: PageContext
  readonly configured: Explanation
  readonly draft: Explanation
}

/** Side by side: those that differ, those that fire, and the others folded. */
const Compared = ({ context, configured, draft }: ComparedProps) => {
  const pairs = pairsOf(configured, draft)
  const isShown = ({ differs, configured, draft }: Pair) => differs || configured?.matched || draft?.matched
  const isNew = ({ configured, draft }: Pair) => configured === null && draft !== null
  const shown = pairs.filter((pair) => isShown(pair) || isNew(pair))
  const rest = pairs.filter((pair) => !shown.includes(pair))
  const different = pairs.filter(({ differs }) => differs)
  const table = (caption: string, rows: readonly Pair[]) => (
    <Table
      caption={caption}
      rows={rows}
      keyOf={({ name }) => name}
      columns={[
        {
          head: 'Rule',
          cell: (pair) => (
            <>
              <b>
                {pair.configured ? (
                  <a href={routeLink(context, pair.name)}>
                    <Name text={pair.name} />
                  </a>
                ) : (
                  <Name text={pair.name} />
                )}
              </b>{' '}
              {isNew(pair) && <Badge text="new" />} {pair.differs && <Badge tone="info" text="different" />}
            </>
          ),
        },
        { head: 'Configured', cell: (pair) => <Side context={context} route={pair.configured} /> },
        { head: 'With the draft', cell: (pair) => <Side context={context} route={pair.draft} /> },
      ]}
    />
  )
  return (
    <>
      <p>
        {different.length === 0 ? (
          <b>The draft changes nothing for this event.</b>
        ) : (
          <b>The draft changes {counted(different.length, 'rule')} for this event.</b>
        )}{' '}
        <span class="muted">
          {configured.routes.filter(({ matched }) => matched).length} of the configured rules fire
          <Stop name={configured.stoppedBy} />; {draft.routes.filter(({ matched }) => matched).length} with the draft
          <Stop name={draft.stoppedBy} />.
        </span>
      </p>
      {shown.length > 0 && table('Rules, configured and with the draft', [...shown].sort(byDifference))}
      {rest.length > 0 && (
        <details class="fold" data-key="others">
          <summary class="small">
            <Icon name="right" class="turn" />
            {counted(rest.length, 'rule')} that {rest.length === 1 ? 'does' : 'do'} not fire either way
          </summary>
          {table('Rules that do not fire', rest)}
        </details>
      )}
    </>
  )
}

const byDifference = (one: Pair, other: Pair): number => Number(other.differs) - Number(one.differs)

const Side = ({ context, route }: { readonly context: PageContext; readonly route: ExplainedRule | null }) => {
  if (route === null) return <span class="muted">is not there</span>
  const { icon, tone, text, to } = verdictNow(route)
  return (
    <div class="l start">
      <Icon name={icon} class={tone} />
      <div>
        <span class={tone}>{text}</span>
        {to.length > 0 && (
          <>
            {' '}
            to <Name text={to.join(', ')} />
          </>
        )}
        <Conditions context={context} fields={route.fields ?? []} because={route.because} />
      </div>
    </div>
  )
}
