/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The test of a setting that is not saved yet: where it is offered, and what came out. */
import type { Child, FC } from 'hono/jsx'
import type { SettingTest, SettingTestOf } from '../../../settings/contract.ts'
import type { SettingKind } from '../../../settings/kinds.ts'
import type { Asked } from '../../ask.ts'
import type { PageContext } from '../../page.ts'
import { Mark } from '../../ui/marks.tsx'
import { part } from '../../ui/panel.tsx'
import { counted, Name, numberText, Time } from '../../ui/text.tsx'
import { Message } from '../delivery/message.tsx'
import { outcomeState, outcomeWord } from '../events/words.ts'

interface TestWords {
  readonly title: string
  readonly verb: string
  readonly hint: string
}

const WORDS: Partial<Record<SettingKind, TestWords>> = {
  destination: {
    title: 'Test',
    verb: 'Send a test message',
    hint: 'Goes out at once, as the form says, and is marked as a test. Nothing is saved by it.',
  },
  rule: {
    title: 'The last 7 days',
    verb: 'Which events would it have matched?',
    hint: 'Asks the events that have happened. Nothing is sent.',
  },
  calendar: { title: 'Next days', verb: 'Show its next days', hint: 'The next 12 days of the calendar.' },
  window: { title: 'Next times', verb: 'Show its next times', hint: 'When the window opens and closes.' },
  policy: { title: 'Tasks', verb: 'Which tasks does it cover?', hint: 'The first policy that matches a task counts.' },
}

/** Null for a kind that has no test. */
export const testWords = (kind: SettingKind): TestWords | null => WORDS[kind] ?? null

export const TestResult: FC<{ readonly context: PageContext; readonly tested: Asked<SettingTest> }> = ({
  context,
  tested,
}) => <div data-part="tested">{part(tested, (result) => resultOf(context, result), 'The test did not work')}</div>

function resultOf(context: PageContext, result: SettingTest): Child {
  switch (result.kind) {
    case 'destination':
      return result.attempts.map((attempt) => <Attempt {...attempt} />)
    case 'rule':
      return <Matched context={context} result={result} />
    case 'calendar':
      return <Dates texts={result.days} none="It has no day within the next ten years." troubles={result.troubles} />
    case 'window':
      return (
        <>
          {result.periods.length === 0 && <p>It does not open within the next two years.</p>}
          <ul class="plain">
            {result.periods.map(({ from, to }) => (
              <li>
                <Time at={from} zone={context} seconds={false} /> to <Time at={to} zone={context} seconds={false} />
              </li>
            ))}
          </ul>
          <Troubles texts={result.troubles} />
        </>
      )
    case 'policy':
      return (
        <>
          <p>
            <b>{counted(result.tasks, 'task')}</b> of {numberText(result.lookedAt)}
            {result.stale && ', as they were last known'}
          </p>
          <ul class="plain">
            {result.first.map(({ id, name, app }) => (
              <li>
                <a href={context.link(`/tasks/${encodeURIComponent(id)}`)}>
                  <Name text={name} />
                </a>{' '}
                {app !== null && (
                  <span class="muted">
                    <Name text={app} />
                  </span>
                )}
              </li>
            ))}
          </ul>
        </>
      )
  }
}

const ATTEMPTS = {
  delivered: { state: 'success', word: 'delivered' },
  retry: { state: 'warning', word: 'not delivered; an alert would be tried again' },
  rejected: { state: 'failed', word: 'refused' },
  suppressed: { state: 'skipped', word: 'would not be sent' },
} as const

const Attempt: FC<SettingTestOf<'destination'>['attempts'][number]> = ({
  target,
  outcome,
  status,
  detail,
  durationMs,
  subject,
  body,
}) => (
  <>
    <p>
      <Mark {...ATTEMPTS[outcome]} /> <Name text={target} />
      <span class="muted">
        {' '}
        {status !== null && `HTTP ${status}, `}
        {numberText(durationMs)} ms
      </span>
    </p>
    {detail !== '' && (
      <p class="small">
        <Name text={detail} />
      </p>
    )}
    {body !== null && (
      <details class="entry" open>
        <summary>{subject === null ? 'The message' : <Name text={subject} />}</summary>
        <Message message={{ subject: null, body, bytes: Buffer.byteLength(body) }} />
      </details>
    )}
  </>
)

const Matched: FC<{ readonly context: PageContext; readonly result: SettingTestOf<'rule'> }> = ({
  context,
  result: { matched, lookedAt, from, partial, newest },
}) => (
  <>
    <p>
      It would have matched <b>{numberText(matched)}</b> of {counted(lookedAt, 'event')} since{' '}
      <Time at={from} zone={context} seconds={false} />
      {partial && '; there were more'}.
    </p>
    <ul class="plain">
      {newest.map(({ id, at, task, outcome }) => (
        <li>
          <a href={context.link(`/events/${id}`)}>
            <Mark state={outcomeState(outcome)} word={outcomeWord(outcome)} /> <Name text={task} />
          </a>{' '}
          <span class="muted">
            <Time at={at} zone={context} seconds={false} />
          </span>
        </li>
      ))}
    </ul>
  </>
)

const Dates: FC<{ readonly texts: readonly string[]; readonly none: string; readonly troubles: readonly string[] }> = ({
  texts,
  none,
  troubles,
}) => (
  <>
    {texts.length === 0 && <p>{none}</p>}
    <ul class="plain">
      {texts.map((text) => (
        <li>{text}</li>
      ))}
    </ul>
    <Troubles texts={troubles} />
  </>
)

const Troubles: FC<{ readonly texts: readonly string[] }> = ({ texts }) =>
  texts.map((text) => (
    <p class="small">
      <Name text={text} />
    </p>
  ))
