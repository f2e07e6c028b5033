/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Actions about an event: its messages again, and tests with its data. */
import type { Child } from 'hono/jsx'
import { type DryRun, EVENT, FIRE, type Made, REPLAY } from '../../../alerts/history/contract.ts'
import { ALERT_RULES, DESTINATIONS } from '../../../alerts/rules/contract.ts'
import type { Asked } from '../../ask.ts'
import { callOf, type Fields, NoPreview, type Operation } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { part } from '../../ui/panel.tsx'
import { counted, Name } from '../../ui/text.tsx'
import { Message } from '../delivery/message.tsx'
import { reasonWord } from '../delivery/words.tsx'

export function madeText({ deliveries }: Made): string {
  if (deliveries.length === 0) return 'Nothing is sent: no rule is about it.'
  const held = deliveries.filter(({ state }) => state === 'suppressed')
  const reasons = [...new Set(held.map(({ reason }) => reasonWord(reason ?? '')))].join(', ')
  const sent = counted(deliveries.length - held.length, 'message is', 'messages are')
  return `${sent} under way${held.length > 0 ? `, ${held.length} suppressed (${reasons})` : ''}.`
}

/** Routes and destinations that may be chosen, as boxes. */
export async function choices({ ask }: PageContext, fields: Fields): Promise<Child> {
  const [routes, destinations] = await Promise.all([ask(ALERT_RULES), ask(DESTINATIONS)])
  const boxes = (name: string, entries: readonly (readonly [value: string, note: string])[]) => (
    <div class="boxes">
      {entries.map(([value, note]) => (
        <label>
          <input type="checkbox" name={name} value={value} checked={fields.all(name).includes(value)} />{' '}
          <span>
            <Name text={value} /> {note && <span class="muted small">{note}</span>}
          </span>
        </label>
      ))}
    </div>
  )
  return (
    <>
      <details data-key="routes" open={fields.all('routes').length > 0 || undefined}>
        <summary>Only some rules</summary>
        {part(routes, ({ alertRoutes }) =>
          boxes(
            'routes',
            alertRoutes.filter(({ enable }) => enable).map(({ name, to }) => [name, `to ${to.join(', ')}`]),
          ),
        )}
      </details>
      <details data-key="to" open={fields.all('to').length > 0 || undefined}>
        <summary>Only some destinations</summary>
        {part(destinations, (data) =>
          boxes(
            'to',
            data.destinations.map(({ name }) => [name, '']),
          ),
        )}
      </details>
    </>
  )
}

const chosen = (fields: Fields, name: string) => (fields.all(name).length > 0 ? { [name]: fields.all(name) } : {})

export const replay: Operation = {
  scope: 'event:run',
  verb: 'Send the messages again',
  call: (fields) =>
    callOf(REPLAY, {
      params: { id: fields.get('id') },
      body: {
        ...chosen(fields, 'routes'),
        ...chosen(fields, 'to'),
        ...(fields.get('ignoreGates') === 'true' && { ignoreGates: true }),
      },
    }),
  async dialog(fields, context) {
    const id = fields.get('id')
    const event = await context.ask(EVENT, { params: { id } })
    return (
      <>
        <input type="hidden" name="id" value={id} />
        {part(event, ({ title }) => (
          <p>
            All rules look at{' '}
            <b>
              <Name text={title} />
            </b>{' '}
            again, with the configuration of now. No task is started.
          </p>
        ))}
        {await choices(context, fields)}
        <label class="tick">
          <input type="checkbox" name="ignoreGates" value="true" checked={fields.get('ignoreGates') === 'true'} /> Also
          what a rate limit, snooze, maintenance or group would hold back
        </label>
      </>
    )
  },
  done: (answer) => madeText(answer as Made),
  next: (_, fields) => `/events/${fields.get('id')}`,
}

/** The messages that a test would send. */
export function previewOf(answer: Asked<DryRun | Made>): Child {
  if (!answer.ok) return <NoPreview failure={answer} />
  const messages = 'messages' in answer.data ? answer.data.messages : []
  return (
    <section aria-label="Preview" class="stack" data-preview>
      <p>
        <b>{counted(messages.length, 'message')}</b> would be sent{messages.length === 0 && ': no rule is about it'}.
      </p>
      {messages.map(({ route, destination, target, message }) => (
        <details open={messages.length === 1 || undefined}>
          <summary>
            <Name text={destination} />, <Name text={target} />{' '}
            {route && (
              <span class="muted small">
                by <Name text={route} />
              </span>
            )}
          </summary>
          <Message message={{ ...message, bytes: new TextEncoder().encode(message.body).length }} />
        </details>
      ))}
    </section>
  )
}

const fireBody = (fields: Fields) => ({
  eventId: fields.get('id'),
  ...chosen(fields, 'routes'),
  ...chosen(fields, 'to'),
})

export const fire: Operation = {
  scope: 'event:run',
  verb: 'Send as a test',
  call: (fields) => callOf(FIRE, { body: fireBody(fields) }),
  async dialog(fields, context) {
    return (
      <>
        <input type="hidden" name="id" value={fields.get('id')} />
        <p>
          The messages of this event, with <code>[TEST]</code> before their titles. No limit or snooze applies, and it
          does not count in the history.
        </p>
        {await choices(context, fields)}
        <button type="submit" name="preview" value="1" class="btn" formnovalidate>
          Show the messages
        </button>
        {previewOf(await context.ask(FIRE, { body: { ...fireBody(fields), dryRun: true } }))}
      </>
    )
  },
  done: (answer) => `Test: ${madeText(answer as Made)}`,
  next: (answer) => `/events/${(answer as Made).eventId}`,
}
