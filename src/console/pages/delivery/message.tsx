/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** A message as it was sent: text as it stands, JSON laid out, mails in a frame of their own that runs nothing. */
import type { FC } from 'hono/jsx'
import { DELIVERY, type DeliveryDetail } from '../../../alerts/history/contract.ts'
import { htmlToText } from '../../../alerts/templates/html-to-text.ts'
import { parseOutsideJson } from '../../../platform/json.ts'
import { visibleLines } from '../../../platform/visible.ts'
import type { Page } from '../../page.ts'
import { ErrorBox } from '../../ui/panel.tsx'
import { bytesText, Name } from '../../ui/text.tsx'

const isHtml = (body: string): boolean => /^\s*<(?:!doctype html|html|head|body|table|div|p)\b/i.test(body)

/** Text of a message that can be read: JSON laid out, acting characters as escapes. */
export function readable(body: string): string {
  const text = body.toWellFormed()
  if (!/^\s*[{[]/.test(text)) return visibleLines(text)
  try {
    return visibleLines(JSON.stringify(parseOutsideJson(text), null, 2))
  } catch {
    return visibleLines(text)
  }
}

interface Props {
  readonly message: DeliveryDetail['message']
  /** Address of the frame for mails; absent for messages that are not stored: they are shown as text. */
  readonly frame?: string
}

export const Message: FC<Props> = ({ message, frame }) => {
  if (message === null) return <p class="sub">Not rendered yet: it is made at the first attempt.</p>
  const { subject, body, bytes } = message
  const text = (shown: string) => (
    <pre class="code" tabindex={0}>
      {readable(shown)}
    </pre>
  )
  return (
    <>
      {subject && (
        <p>
          <b>
            <Name text={subject} />
          </b>
        </p>
      )}
      {isHtml(body) ? (
        <>
          {frame ? (
            <iframe class="mail" src={frame} title="The mail as it looks" sandbox="" loading="lazy" />
          ) : (
            text(htmlToText(body))
          )}
          <details>
            <summary class="small">Source, {bytesText(bytes)}</summary>
            {text(body)}
          </details>
        </>
      ) : (
        text(body)
      )}
    </>
  )
}

/** The HTML of a mail, for the frame: without scripts, without requests. */
export const mailFrame: Page = {
  path: '/deliveries/:id/mail',
  place: 'delivery',
  scope: 'event:read',
  async render({ ask, params }) {
    const answer = await ask(DELIVERY, { params: { id: params.id ?? '' } })
    if (!answer.ok)
      return { title: 'Message', status: answer.status, body: <ErrorBox failure={answer} what="The message" /> }
    return { title: 'Message', body: '', file: { type: 'text/html', body: answer.data.message?.body ?? '' } }
  },
}
