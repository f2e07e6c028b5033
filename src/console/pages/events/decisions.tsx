/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Why: what each route decided about an event, condition by condition; and what would be decided now. */
import type { Decisions, Delivery } from '../../../alerts/history/contract.ts'
import type { ComparedField, ExplainedRule, Explanation } from '../../../alerts/rules/contract.ts'
import type { Asked } from '../../ask.ts'
import type { PageContext } from '../../page.ts'
import { Badge, Icon, type IconName, STATES, type Tone } from '../../ui/marks.tsx'
import { CopyText, ErrorBox, Panel } from '../../ui/panel.tsx'
import { counted, Name, Prose, Time } from '../../ui/text.tsx'
import { reasonWord, routeLink } from '../delivery/words.tsx'

interface Verdict {
  readonly icon: IconName
  readonly tone: Tone
  readonly text: string
  /** Compared between then and now. */
  readonly key: string
  readonly to: readonly string[]
}

const verdict = (
  state: keyof typeof STATES,
  text: string,
  { key, to = [] }: { readonly key: string; readonly to?: readonly string[] },
): Verdict => ({ icon: STATES[state].icon, tone: STATES[state].tone, text, key, to })

const NO_MATCH = verdict('skipped', 'Did not match', { key: 'no' })
const NO_MATCH_NOW = { ...NO_MATCH, text: 'Does not match' }
const unique = (texts: readonly string[]) => [...new Set(texts)]
/** Sorted, so that the order of deliveries makes no difference. */
const keyOf = (parts: readonly string[]) => unique(parts).sort().join(', ')

function verdictThen(
  { matched, deliveries: ids }: Decisions['routes'][number],
  deliveries: ReadonlyMap<string, Delivery>,
): Verdict {
  if (!matched) return NO_MATCH
  const made = ids.flatMap((id) => deliveries.get(id) ?? [])
  const to = unique(made.map(({ destination }) => destination))
  const suppressed = made.filter(({ state }) => state === 'suppressed')
  const key = keyOf(
    made.map(({ destination, state, reason }) => `${destination} ${state === 'suppressed' ? reason : 'sends'}`),
  )
  if (made.length === 0) return verdict('skipped', 'Matched, nothing to send', { key })
  if (made.some(({ state }) => state === 'dead')) return verdict('failed', 'Sent, delivery failed', { key, to })
  if (suppressed.length === made.length) {
    const reasons = unique(suppressed.map(({ reason }) => reasonWord(reason ?? ''))).join(', ')
    return verdict('skipped', `Suppressed: ${reasons}`, { key, to })
  }
  if (made.some(({ state }) => state === 'pending' || state === 'sending'))
    return verdict('queued', 'Being sent', { key, to })
  return verdict('success', 'Sent', { key, to })
}

/** The verdict of the present configuration. */
export function verdictNow({ matched, deliveries }: ExplainedRule): Verdict {
  if (!matched) return NO_MATCH_NOW
  const to = unique(deliveries.map(({ destination }) => destination))
  const suppressed = deliveries.filter(({ wouldBe }) => wouldBe === 'suppressed')
  const key = keyOf(
    deliveries.map(
      ({ destination, wouldBe, reason }) => `${destination} ${wouldBe === 'suppressed' ? reason : 'sends'}`,
    ),
  )
  if (deliveries.length === 0) return verdict('skipped', 'Matches, nothing to send', { key })
  if (suppressed.length === deliveries.length) {
    const reasons = unique(suppressed.map(({ reason }) => reasonWord(reason ?? ''))).join(', ')
    return verdict('skipped', `Would be suppressed: ${reasons}`, { key, to })
  }
  return verdict('success', 'Would be sent', { key, to })
}

interface RouteProps {
  readonly context: PageContext
  readonly name: string
  readonly verdict: Verdict
  readonly because: string | null
  readonly fields: readonly ComparedField[]
  readonly now?: { readonly verdict: Verdict; readonly because: string | null; readonly differs: boolean } | null
}

export const RouteDecision = ({ context, name, verdict: then, because, fields, now = null }: RouteProps) => (
  <div class="why" data-route={name}>
    <Icon name={then.icon} class={then.tone} />
    <div>
      <h3>
        <a href={routeLink(context, name)}>
          <Name text={name} />
        </a>
        {then.to.length > 0 && (
          <span class="muted">
            to <Name text={then.to.join(', ')} />
          </span>
        )}
        <span class={then.tone}>{then.text}</span>
      </h3>
      {(fields.length > 0 || because) && <Conditions context={context} fields={fields} because={because} />}
      {now && (
        <p class="sub now-line">
          <b>Now:</b> {now.verdict.text}
          {now.verdict.to.length > 0 && (
            <>
              , to <Name text={now.verdict.to.join(', ')} />
            </>
          )}
          {now.because && (
            <>
              : <Prose text={now.because} zone={context} />
            </>
          )}{' '}
          {now.differs ? <Badge tone="info" text="different" /> : <span class="muted">· as then</span>}
        </p>
      )}
    </div>
  </div>
)

export const Conditions = ({
  context,
  fields,
  because,
}: {
  readonly context: PageContext
  readonly fields: readonly ComparedField[]
  readonly because: string | null
}) => (
  <ul class="conds">
    {fields.map(({ field, wanted, found, holds }) => (
      <li>
        {holds === true && <Icon name="ok" class="ok" label="holds" />}
        {holds === false && <Icon name="no" label="does not hold" />}
        {holds === 'unknown' && <Icon name="missing" class="miss" label="not known" />}
        <span>
          {field} <Name text={wanted} />
          {holds === false && (
            <>
              : found <Prose text={found ?? 'nothing'} zone={context} />
            </>
          )}
          {holds === 'unknown' && ': not known'}
        </span>
      </li>
    ))}
    {because && fields.every(({ holds }) => holds !== false) && (
      <li>
        <Prose text={because} zone={context} />
      </li>
    )}
  </ul>
)

interface WhyProps {
  readonly context: PageContext
  readonly decisions: Asked<Decisions>
  readonly deliveries: readonly Delivery[]
  /** Asked for with `?now=1`. */
  readonly explanation: Asked<Explanation> | null
  /** Lines of the configuration for an event that no rule is about; absent = an example. */
  readonly offered?: string | undefined
  /** Address of a new rule for such events; null for a visitor who may not make one. */
  readonly like: string | null
}

/** The decisions of then, and beside each what would be decided now. */
export const Why = ({ context, decisions, deliveries, explanation, offered, like }: WhyProps) => (
  <Panel
    id="why"
    title="Why?"
    tools={
      explanation ? (
        <a class="btn s" href={`${context.here({ now: null })}#why`}>
          Only then
        </a>
      ) : (
        <a class="btn s" href={`${context.here({ now: '1' })}#why`}>
          What would happen now?
        </a>
      )
    }
  >
    {decisions.ok ? (
      <Then
        context={context}
        decisions={decisions.data}
        deliveries={deliveries}
        explanation={explanation}
        offered={offered}
        like={like}
      />
    ) : (
      <ErrorBox failure={decisions} what="Decisions" retry={context.here({})} />
    )}
  </Panel>
)

/** An example to copy: a rule with its destination. */
export const RULE = `Butler:
  footman:
    destinations:
      ops-mail:
        type: email
        recipients: [ops@example.com]
    alertRoutes:
      - name: failures
        match: { outcome: failed }
        to: [ops-mail]`

/** Reloads without a task are reported only where a rule asks for them. Without a destination it brings an example of one. */
export function appReloadRule(destinations: readonly string[]): string {
  if (destinations.length === 0) {
    return RULE.replace('failures', 'app-reloads').replace('{ outcome: failed }', '{ type: appReload }')
  }
  return `Butler:
  footman:
    alertRoutes:
      - name: app-reloads
        match: { type: appReload }
        to: ${JSON.stringify(destinations)}`
}

/** The next step for an event that no rule is about. */
interface NextStepProps {
  readonly context: PageContext
  readonly rule: string
  readonly like: string | null
}

const NextStep = ({ context, rule, like }: NextStepProps) => (
  <div class="body">
    <p class="lead">No rule is about this event, so nothing is sent.</p>
    <p class="sub">
      <a href={context.link('/system/routes', { event: context.params.id })}>Try this event against the rules</a>
      {like !== null && (
        <>
          , <a href={like}>make a rule for events like this</a>
        </>
      )}
      , or add a rule like this one to the configuration file and <a href={context.link('/system/config')}>reload it</a>
      :
    </p>
    <CopyText text={rule} />
  </div>
)

const Then = ({
  context,
  decisions,
  deliveries,
  explanation,
  offered = RULE,
  like,
}: Omit<WhyProps, 'decisions'> & { readonly decisions: Decisions }) => {
  const byId = new Map(deliveries.map((one) => [one.id, one]))
  const now = new Map(explanation?.ok ? explanation.data.routes.map((one) => [one.name, one]) : [])
  const names = new Set(decisions.routes.map(({ name }) => name))
  const onlyNow = [...now.values()].filter(({ name, matched }) => matched && !names.has(name))
  const nowOf = (name: string, then: Verdict) => {
    if (!explanation?.ok) return null
    const found = now.get(name)
    if (!found)
      return { verdict: { ...NO_MATCH, text: 'Is switched off or not there any more' }, because: null, differs: true }
    const verdict = verdictNow(found)
    return { verdict, because: found.because, differs: verdict.key !== then.key }
  }
  return (
    <>
      <p class="body small muted why-head">
        {decisions.recorded ? (
          <>
            Decided <Time at={decisions.decidedAt} zone={context} />, configuration of{' '}
            <Time at={decisions.configurationFrom} zone={context} seconds={false} />
            {decisions.stoppedBy && (
              <>
                ; nothing was looked at after <Name text={decisions.stoppedBy} />
              </>
            )}
          </>
        ) : (
          'The decisions of then are not recorded: the event waits for data, is a test, or is of an older Footman.'
        )}
      </p>
      {explanation && !explanation.ok && <ErrorBox failure={explanation} what="Explanation for now" />}
      {decisions.routes.map((route) => {
        const then = verdictThen(route, byId)
        return (
          <RouteDecision
            context={context}
            name={route.name}
            verdict={then}
            because={route.because}
            fields={route.fields}
            now={nowOf(route.name, then)}
          />
        )
      })}
      {onlyNow.map((route) => (
        <RouteDecision
          context={context}
          name={route.name}
          verdict={{ ...NO_MATCH, text: decisions.recorded ? 'Was not there or about something else' : 'Not recorded' }}
          because={null}
          fields={route.fields ?? []}
          now={{ verdict: verdictNow(route), because: route.because, differs: decisions.recorded }}
        />
      ))}
      {decisions.recorded && decisions.routes.length === 0 && onlyNow.length === 0 && (
        <NextStep context={context} rule={offered} like={like} />
      )}
      {decisions.notConcerned > 0 && (
        <details class="fold" data-key="not-concerned">
          <summary class="small">
            <Icon name="right" class="turn" />
            {counted(decisions.notConcerned, 'rule')} that {decisions.notConcerned === 1 ? 'is' : 'are'} switched off or
            about other events
          </summary>
          <div class="body small">
            {decisions.off.map(({ name, because }) => (
              <p>
                <a href={routeLink(context, name)}>
                  <Name text={name} />
                </a>
                : <Prose text={because} zone={context} />
              </p>
            ))}
            {decisions.notConcerned > decisions.off.length && (
              <p class="muted">
                {counted(decisions.notConcerned - decisions.off.length, 'rule')} about other types or outcomes.
              </p>
            )}
          </div>
        </details>
      )}
    </>
  )
}
