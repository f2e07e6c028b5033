/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/**
 * The inbox page of the demo: received mails as a mail program shows them, webhooks as JSON, newest first. Everything on
 * it comes from this server. Mails are outside text: their HTML is shown in a sandboxed frame without scripts.
 */

import { Hono } from 'hono'
import type { FC } from 'hono/jsx'
import icon from '../../console/config-page/assets/icon.svg' with { type: 'text' }
import { disposition } from '../../http/endpoint/disposition.ts'
import { createBrowserRules } from '../../http/middleware/browser-rules.ts'
import { HtmlPage, pageText } from '../../platform/html-page.tsx'
import { type LocalServer, serveLocal } from '../../platform/local-server.ts'
import type { Logger, Service } from '../../platform/types.ts'
import { visible, visibleLines } from '../../platform/visible.ts'
import styles from './assets/inbox.css' with { type: 'text' }
import script from './assets/inbox.js' with { type: 'text' }
import type { Inbox, Received } from './receivers.ts'

const HOST = '127.0.0.1'

const HEADERS = {
  'x-frame-options': 'SAMEORIGIN',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
}
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
/** Links of a mail open pages with all rights in a tab of their own. */
const MAIL_SANDBOX = 'allow-popups allow-popups-to-escape-sandbox'
/** A mail brings its own styles and embedded pictures; nothing of it runs or loads from elsewhere. */
const MAIL_POLICY = `sandbox ${MAIL_SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'`

export interface InboxPage extends Service {
  /** Known once it is started. */
  readonly port: number
}

export function createInboxPage({ inbox, log }: { readonly inbox: Inbox; readonly log: Logger }): InboxPage {
  const app = inboxApp(inbox)
  let server: LocalServer | null = null
  return {
    name: 'inbox page',
    get port() {
      return server?.port ?? 0
    },
    async start() {
      server = await serveLocal({
        hostname: HOST,
        port: 0,
        idleTimeout: 60,
        handler: (request) => app.fetch(request),
        onError: (error) => log.error(`DEMO: ${String(error)}`, { fault: error }),
      })
    },
    async stop(graceMs) {
      await server?.stop(graceMs)
      server = null
    },
  }
}

/** `/` shows the newest message, `/messages/ID` a certain one, `/messages/ID/mail` the HTML of a mail,
 * `/messages/ID/files/N` an attachment. */
export function inboxApp(inbox: Inbox): Hono {
  const browser = createBrowserRules({ allowedHosts: [], origins: [], serverHost: HOST })
  const app = new Hono()
  app.use(async (c, next) => {
    const refusal = browser.refusal(c.req.raw.headers)
    if (refusal) return c.text(refusal.message, 403)
    await next()
    for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value)
  })
  const find = (id: string) => inbox.messages().find((message) => String(message.id) === id)
  const page = (shown: Received | undefined) => textAnswer('text/html', inboxPage(inbox.messages(), shown), PAGE_POLICY)

  app.get('/', () => page(inbox.messages()[0]))
  app.get('/messages/:id', (c) => {
    const message = find(c.req.param('id'))
    return message ? page(message) : c.notFound()
  })
  app.get('/messages/:id/mail', (c) => {
    const message = find(c.req.param('id'))
    return message?.kind === 'mail' ? textAnswer('text/html', withOwnTabs(message.html), MAIL_POLICY) : c.notFound()
  })
  app.get('/messages/:id/files/:index', (c) => {
    const message = find(c.req.param('id'))
    const file = message?.kind === 'mail' ? message.attachments[Number(c.req.param('index'))] : undefined
    if (!file) return c.notFound()
    return new Response(file.bytes, {
      headers: {
        'content-type': 'application/octet-stream',
        'content-disposition': disposition('attachment', file.name),
      },
    })
  })
  app.get('/inbox.css', () => textAnswer('text/css', styles))
  app.get('/inbox.js', () => textAnswer('text/javascript', script))
  app.get('/icon.svg', () => textAnswer('image/svg+xml', icon))
  app.notFound((c) => c.text('There is no such message, or it was dropped: the inbox keeps the newest ones.', 404))
  return app
}

/** Links of the mail open in tabs of their own. */
const withOwnTabs = (html: string): string =>
  /<head\b[^>]*>/i.test(html) ? html.replace(/<head\b[^>]*>/i, `$&${BASE}`) : `<!doctype html>${BASE}${html}`

const BASE = '<base target="_blank">'

function textAnswer(type: string, text: string, policy?: string): Response {
  const headers = { 'content-type': `${type}; charset=utf-8`, ...(policy && { 'content-security-policy': policy }) }
  return new Response(text, { headers })
}

function inboxPage(messages: readonly Received[], shown: Received | undefined): string {
  return pageText(<Page messages={messages} shown={shown} />)
}

const Page: FC<{ readonly messages: readonly Received[]; readonly shown: Received | undefined }> = ({
  messages,
  shown,
}) => (
  <HtmlPage
    title="Inbox of the Footman demo"
    icon="/icon.svg"
    stylesheet="/inbox.css"
    head={<script src="/inbox.js" defer />}
  >
    <header>
      <img src="/icon.svg" alt="" width="32" height="32" />
      <div>
        <h1>Inbox of the Footman demo</h1>
        <p>Mails and webhooks that Footman has sent, newest first</p>
      </div>
    </header>
    <div class="columns">
      <nav aria-label="Received messages" id="list">
        {messages.map((message) => (
          <Entry message={message} isShown={message.id === shown?.id} />
        ))}
      </nav>
      <main>
        {shown ? (
          <Message message={shown} />
        ) : (
          <p class="empty">Nothing received yet: the first alert is on its way.</p>
        )}
      </main>
    </div>
  </HtmlPage>
)

const Entry: FC<{ readonly message: Received; readonly isShown: boolean }> = ({ message, isShown }) => (
  <a href={`/messages/${message.id}`} aria-current={isShown ? 'page' : undefined}>
    <span class="about">
      <span class={`kind ${message.kind}`}>{message.kind === 'mail' ? 'Mail' : 'Webhook'}</span>
      <Time at={message.at} />
    </span>
    <span class="title">{visible(titleOf(message))}</span>
    <span class="to">{visible(subtitleOf(message))}</span>
  </a>
)

const Message: FC<{ readonly message: Received }> = ({ message }) => (
  <article aria-labelledby="subject">
    <h2 id="subject">{visible(titleOf(message))}</h2>
    <dl>
      {message.kind === 'mail' && (
        <>
          <dt>From</dt>
          <dd>{visible(message.from)}</dd>
          <dt>To</dt>
          <dd>{visible(message.to)}</dd>
        </>
      )}
      <dt>Received</dt>
      <dd>
        <Time at={message.at} />
      </dd>
      {message.kind === 'mail' && message.attachments.length > 0 && (
        <>
          <dt>Files</dt>
          <dd>
            {message.attachments.map(({ name, bytes }, index) => (
              <a class="file" href={`/messages/${message.id}/files/${index}`} download>
                {`${visible(name)} (${Math.ceil(bytes.length / 1024)} KB)`}
              </a>
            ))}
          </dd>
        </>
      )}
    </dl>
    <Content message={message} />
  </article>
)

const Content: FC<{ readonly message: Received }> = ({ message }) => {
  if (message.kind === 'mail' && message.html !== '') {
    return <iframe title="The mail as received" src={`/messages/${message.id}/mail`} sandbox={MAIL_SANDBOX} />
  }
  const text = message.kind === 'mail' ? message.text : readableJson(message.body)
  return <pre tabindex={0}>{visibleLines(text)}</pre>
}

const Time: FC<{ readonly at: number }> = ({ at }) => {
  const date = new Date(at)
  return <time datetime={date.toISOString()}>{date.toLocaleTimeString('en-GB')}</time>
}

const titleOf = (message: Received): string =>
  message.kind === 'mail' ? message.subject : `${message.method} ${message.path}`

function subtitleOf(message: Received): string {
  if (message.kind === 'mail') return `To ${message.to}`
  const { taskName } = (jsonOf(message.body) ?? {}) as { readonly taskName?: unknown }
  return typeof taskName === 'string' ? taskName : ''
}

/** JSON indented; other text unchanged. */
function readableJson(body: string): string {
  const value = jsonOf(body)
  return value === undefined ? body : JSON.stringify(value, null, 2)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
