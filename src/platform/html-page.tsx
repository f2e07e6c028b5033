/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The frame of every page: head, light and dark as the system has it, language. */
import type { Child, FC, PropsWithChildren } from 'hono/jsx'

interface HtmlPageProps {
  readonly title: string
  /** Address of the icon; `data:,` = none. */
  readonly icon: string
  readonly stylesheet: string
  /** More for the head. */
  readonly head?: Child
}

export const HtmlPage: FC<PropsWithChildren<HtmlPageProps>> = ({ title, icon, stylesheet, head, children }) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>{title}</title>
      <link rel="icon" href={icon} type={icon.endsWith('.svg') ? 'image/svg+xml' : undefined} />
      <link rel="stylesheet" href={stylesheet} />
      {head}
    </head>
    <body>{children}</body>
  </html>
)

/** The document of an `HtmlPage`. */
export const pageText = (page: { toString(): string }): string => `<!doctype html>${page.toString()}\n`
