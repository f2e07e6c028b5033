/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Shared by all pages: head, light and dark, language, and names from outside. */
import type { Child, FC, PropsWithChildren } from 'hono/jsx'
import { visible } from './visible.ts'

interface HtmlPageProps {
  readonly title: string
  /** Address of the icon; `data:,` = none. */
  readonly icon: string
  readonly stylesheet: string
  /** More for the head. */
  readonly head?: Child
  /** `light` or `dark`; '' or absent = as the system has it. */
  readonly theme?: string
  /** Attributes of the body. */
  readonly body?: Readonly<Record<string, string | undefined>>
}

export const HtmlPage: FC<PropsWithChildren<HtmlPageProps>> = ({
  title,
  icon,
  stylesheet,
  head,
  theme,
  body = {},
  children,
}) => (
  <html lang="en" data-theme={theme || undefined}>
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>{title}</title>
      <link rel="icon" href={icon} type={icon.endsWith('.svg') ? 'image/svg+xml' : undefined} />
      <link rel="stylesheet" href={stylesheet} />
      {head}
    </head>
    <body {...body}>{children}</body>
  </html>
)

/** The document of an `HtmlPage`. */
export const pageText = (page: { toString(): string }): string => `<!doctype html>${page.toString()}\n`

const LONGEST_NAME = 200
/** Limit of a title, which shows the whole name where it is cut. */
const LONGEST_TITLE = 2000

/** Where a long name of configuration or a topic breaks: `butler.` `email` `Notification`. */
const BETWEEN_WORDS = /(?<=[._/@:-])|(?<=[a-z])(?=[A-Z])/

interface NameProps {
  readonly text: string | null | undefined
  /** In narrow columns it breaks between its words, such as a route's or a topic. */
  readonly breaks?: boolean
}

/** Text from outside: cut, with acting characters as escapes, and without effect on the direction of its surroundings. */
export const Name: FC<NameProps> = ({ text, breaks = false }) => {
  const shown = visible((text ?? '').toWellFormed())
  const letters = [...shown]
  if (letters.length <= LONGEST_NAME) {
    return <bdi>{breaks ? shown.split(BETWEEN_WORDS).map((word, n) => [n > 0 && <wbr />, word]) : shown}</bdi>
  }
  return <bdi title={shown.slice(0, LONGEST_TITLE)}>{letters.slice(0, LONGEST_NAME).join('')}…</bdi>
}

/** A name as plain text, for titles and labels. */
export const plainName = (text: string | null | undefined): string =>
  [...visible((text ?? '').toWellFormed())].slice(0, LONGEST_NAME).join('')
