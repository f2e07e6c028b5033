/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The links between the pages about Footman. */
import type { FC, PropsWithChildren } from 'hono/jsx'
import { type PageContext, SYSTEM_PAGES } from '../../page.ts'
import { Choice, Head } from '../../ui/panel.tsx'

/** Head of a page below `/system`; children are its buttons. */
export const SystemHead: FC<PropsWithChildren<{ readonly context: PageContext; readonly title: string }>> = ({
  context,
  title,
  children,
}) => (
  <Head
    title={title}
    beside={
      <Choice
        label="Pages about Footman"
        options={SYSTEM_PAGES.filter(([, , scope]) => context.may(scope)).map(([path, text]) => ({
          text,
          href: context.link(path),
          chosen: context.path === path,
        }))}
      />
    }
  >
    {children}
  </Head>
)
