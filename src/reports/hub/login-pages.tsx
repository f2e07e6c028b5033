/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The pages of the login by mail. */
import { Name } from '../../platform/html-page.tsx'
import { Card, type PageContext, pageOf } from './frame.tsx'
import { LINK_MINUTES } from './login.ts'

interface LoginContent {
  readonly address: string
  /** Path to show after the login. */
  readonly next: string
  readonly problem: 'expired' | 'address' | null
}

const PROBLEMS = {
  expired: 'This link has expired or was used already. Ask for a new one.',
  address: 'This is no e-mail address. Check it and try again.',
} as const

export function loginPage(context: PageContext, { address, next, problem }: LoginContent): string {
  const content = (
    <Card title="Sign in to your reports">
      {problem && (
        <p class="note" role="alert" id="problem">
          {PROBLEMS[problem]}
        </p>
      )}
      <p>Enter your e-mail address. You get a mail with a link that signs you in.</p>
      <form method="post" action={`${context.root}/login`} class="stack">
        <label for="address">E-mail address</label>
        <input
          class="text"
          id="address"
          type="email"
          name="address"
          value={address}
          required
          maxlength={320}
          autocomplete="email"
          aria-describedby={problem ? 'problem' : undefined}
        />
        {next && <input type="hidden" name="next" value={next} />}
        <button class="btn filled" type="submit">
          Send the link
        </button>
      </form>
    </Card>
  )
  return pageOf(context, 'Sign in', content)
}

export const LINK_SENT = 'If the address is known, a link has been sent'

export function sentPage(context: PageContext): string {
  const content = (
    <Card title="Look into your mailbox">
      <p>{LINK_SENT}.</p>
      <p>It works once, for {LINK_MINUTES} minutes, in the browser in which you open it.</p>
      <p>
        <a class="link" href={`${context.root}/login`}>
          Use another address
        </a>
      </p>
    </Card>
  )
  return pageOf(context, 'Link sent', content)
}

/** Programs that look at the links of a mail open this page; only its button uses the link up. */
export function confirmPage(context: PageContext, { address, action }: { address: string; action: string }): string {
  const content = (
    <Card title="Sign in to your reports">
      <p>
        You sign in as{' '}
        <b>
          <Name text={address} />
        </b>
        .
      </p>
      <form method="post" action={action} class="stack">
        <button class="btn filled" type="submit">
          Sign in
        </button>
      </form>
    </Card>
  )
  return pageOf(context, 'Sign in', content)
}
