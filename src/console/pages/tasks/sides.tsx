/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Panels beside a task: its triggers, the tasks that follow, and where an alert about it would go. */

import type { FC } from 'hono/jsx'
import type { Explanation } from '../../../alerts/rules/contract.ts'
import type { TaskDetail, Trigger } from '../../../tasks/overview/contract.ts'
import type { Asked } from '../../ask.ts'
import type { PageContext } from '../../page.ts'
import { Badge, Icon } from '../../ui/marks.tsx'
import { Panel } from '../../ui/panel.tsx'
import { durationText, Name, plainName, Time, withZone } from '../../ui/text.tsx'
import { reasonWord } from '../delivery/words.tsx'

export const Triggers: FC<{ readonly context: PageContext; readonly triggers: readonly Trigger[] }> = ({
  context,
  triggers,
}) => (
  <Panel id="triggers" title="Started by">
    <div class="body" data-part="triggers">
      <ul class="list">
        {triggers.map((trigger) => (
          <OneTrigger context={context} trigger={trigger} />
        ))}
        {triggers.length === 0 && <li class="muted">No trigger starts it</li>}
      </ul>
    </div>
  </Panel>
)

const OneTrigger: FC<{ readonly context: PageContext; readonly trigger: Trigger }> = ({ context, trigger }) => {
  const { kind, source, id, name, text, timezone, next, rules, withinMs, broken, enabled } = trigger
  const [soon] = next
  return (
    <li>
      <Icon name={kind === 'time' ? 'clock' : 'chain'} class="muted" />
      <div class="two-l">
        {source === 'footman' ? (
          <a href={context.link(`/schedules/${id}`)}>
            <Name text={name} />
          </a>
        ) : kind === 'gate' ? (
          rules.map(({ taskId, taskName, on }, n) => (
            <>
              {n > 0 && ' and '}
              <a href={context.link(`/tasks/${taskId}`)}>
                <Name text={taskName} />
              </a>{' '}
              <span class="muted small">on {on}</span>
            </>
          ))
        ) : (
          <Name text={name} />
        )}{' '}
        {!enabled && <Badge text="off" />}{' '}
        {broken && <Badge tone="warn" icon="self" text="never fires: a task is gone" />}
        <p class="sub">
          <Name text={kind === 'time' ? withZone(text, timezone) : name} />
          {withinMs !== null && rules.length > 1 && `, all within ${durationText(withinMs)}`}
          {source === 'footman' && ', schedule of Footman'}
        </p>
      </div>
      <span class="small muted">
        {soon !== undefined && (
          <>
            next <Time at={soon} zone={context} short />
          </>
        )}
      </span>
    </li>
  )
}

export const Followers: FC<{ readonly context: PageContext; readonly followers: TaskDetail['followedBy'] }> = ({
  context,
  followers,
}) => (
  <Panel id="followers" title="Followed by">
    <div class="body">
      <ul class="list">
        {followers.map(({ taskId, taskName, on, alsoNeeds }) => (
          <li>
            <Icon name="planned" class="muted" />
            <div class="two-l">
              <a href={context.link(`/tasks/${taskId}`)}>
                <Name text={taskName} />
              </a>
              <p class="sub">
                on {on}
                {alsoNeeds.length > 0 && `, also needs ${alsoNeeds.map((one) => plainName(one.taskName)).join(', ')}`}
              </p>
            </div>
          </li>
        ))}
        {followers.length === 0 && <li class="muted">No task</li>}
      </ul>
    </div>
  </Panel>
)

/** Members of `POST /v4/alertroutes/explain` that the page uses. */
/** `ops-mail`, `ops-mail (snoozed)`. */
const destinationText = ({
  destination,
  wouldBe,
  reason,
}: Explanation['routes'][number]['deliveries'][number]): string =>
  `${plainName(destination)}${wouldBe === 'suppressed' ? ` (held back: ${reasonWord(reason ?? '')})` : ''}`

/** Where an alert would go if the task failed now. */
export const Explained: FC<{ readonly asked: Asked<Explanation> }> = ({ asked }) => {
  if (!asked.ok) return <p class="muted">Who would be alerted is not known: {asked.error}.</p>
  const matched = asked.data.routes.filter((route) => route.matched)
  if (matched.length === 0) return <p class="muted">If it failed now, no rule would send an alert.</p>
  return (
    <>
      <p class="muted">If it failed now:</p>
      <ul class="list">
        {matched.map(({ name, deliveries }) => (
          <li>
            <Icon name="mail" class="muted" />
            <div class="two-l">
              {[...new Set(deliveries.map(destinationText))].join(', ') || 'no message'}
              <p class="sub">
                rule <Name text={name} />
              </p>
            </div>
          </li>
        ))}
      </ul>
    </>
  )
}
