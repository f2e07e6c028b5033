/** Look of HTML reports: one table of styles for the style sheet of a page and for the `style` attributes of a mail. */
import { FONT_STACK } from './fonts.ts'

/** Colours of paper, and of a dark screen. */
const COLOURS = {
  ink: ['#1f2933', '#e6eaee'],
  muted: ['#52606d', '#a9b4bf'],
  accent: ['#1f5a96', '#8fc1ea'],
  line: ['#d9dfe5', '#3a4550'],
  soft: ['#f4f7fa', '#232b34'],
  paper: ['#ffffff', '#181e25'],
  up: ['#1f6b5a', '#6fcbb4'],
  down: ['#a8432e', '#f0a08c'],
  warn: ['#fdf3e1', '#3b3020'],
} as const

/** Colours are written `$ink`. A name is the class on a page. */
const STYLES = {
  report: `margin:0 auto;padding:28px 32px;max-width:1100px;background:$paper;color:$ink;font:14px/1.5 ${FONT_STACK}`,
  head: 'border-bottom:3px solid $accent;padding-bottom:12px;margin-bottom:24px',
  title: 'margin:0;font-size:26px;line-height:1.25;color:$ink',
  about: 'margin:6px 0 0;color:$muted;font-size:13px',
  block: 'margin:0 0 28px',
  h2: 'margin:0 0 10px;font-size:18px;line-height:1.3;color:$ink',
  h3: 'margin:14px 0 8px;font-size:16px;color:$ink',
  h4: 'margin:12px 0 6px;font-size:14px;color:$ink',
  h5: 'margin:12px 0 6px;font-size:14px;color:$ink',
  h6: 'margin:12px 0 6px;font-size:14px;color:$muted',
  p: 'margin:0 0 10px',
  a: 'color:$accent',
  pre: 'margin:0 0 10px;padding:10px;background:$soft;overflow:auto;font-size:13px',
  table: 'border-collapse:collapse;width:100%;font-size:13px',
  small: 'border-collapse:collapse;margin:0 0 10px;font-size:13px',
  th: 'text-align:left;padding:6px 10px;border-bottom:2px solid $accent;background:$soft;color:$ink;font-weight:bold;vertical-align:bottom',
  thn: 'text-align:right;padding:6px 10px;border-bottom:2px solid $accent;background:$soft;color:$ink;font-weight:bold;vertical-align:bottom',
  td: 'text-align:left;padding:5px 10px;border-bottom:1px solid $line;vertical-align:top',
  tdn: 'text-align:right;padding:5px 10px;border-bottom:1px solid $line;vertical-align:top;white-space:nowrap',
  total: 'text-align:left;padding:6px 10px;border-top:2px solid $ink;font-weight:bold',
  totaln: 'text-align:right;padding:6px 10px;border-top:2px solid $ink;font-weight:bold;white-space:nowrap',
  cut: 'margin:6px 0 0;color:$muted;font-size:12px',
  note: 'margin:0;padding:10px 14px;background:$warn;border-left:4px solid $down;color:$ink',
  figure: 'margin:0;background:#ffffff',
  picture: 'display:block;max-width:100%;height:auto;border:0',
  kpis: 'border-collapse:separate;border-spacing:10px 10px;width:100%;margin:0 -10px',
  kpi: 'padding:12px 16px;background:$soft;border:1px solid $line;vertical-align:top',
  label: 'color:$muted;font-size:13px',
  value: 'font-size:24px;line-height:1.3;font-weight:bold;color:$ink',
  up: 'color:$up;font-size:13px',
  down: 'color:$down;font-size:13px',
  same: 'color:$muted;font-size:13px',
} as const

export type StyleName = keyof typeof STYLES

const coloured = (style: string, colour: (name: keyof typeof COLOURS) => string): string =>
  style.replace(/\$(\w+)/g, (_, name) => colour(name as keyof typeof COLOURS))

/** ` style="..."` of an element in a mail; '' for an unknown name. */
export function styleAttribute(name: string): string {
  if (!Object.hasOwn(STYLES, name)) return ''
  return ` style="${coloured(STYLES[name as StyleName], (colour) => COLOURS[colour][0])}"`
}

/** ` class="..."` of an element of a page; '' for an unknown name. */
export const classAttribute = (name: string): string => (Object.hasOwn(STYLES, name) ? ` class="${name}"` : '')

const variables = (index: 0 | 1): string =>
  Object.entries(COLOURS)
    .map(([name, colours]) => `--${name}:${colours[index]}`)
    .join(';')

/** Style sheet of a page: light or dark on a screen, light on paper, table heads on every sheet. */
export function styleSheet({
  size,
  orientation,
  marginMm,
}: {
  size: string
  orientation: string
  marginMm: number
}): string {
  const rules = Object.entries(STYLES).map(
    ([name, style]) => `.${name}{${coloured(style, (colour) => `var(--${colour})`)}}`,
  )
  return [
    `:root{color-scheme:light dark;${variables(0)}}`,
    `@media screen and (prefers-color-scheme:dark){:root{${variables(1)}}}`,
    'body{margin:0;background:var(--paper)}',
    ...rules,
    '.kpis{width:calc(100% + 20px)}',
    '.scroll{overflow-x:auto}',
    '.figure{padding:8px}',
    '.figure svg{display:block;width:100%;height:auto}',
    'tbody tr:nth-child(even) .td,tbody tr:nth-child(even) .tdn{background:var(--soft)}',
    '@media print{.report{max-width:none;padding:0}.scroll{overflow:visible}thead{display:table-header-group}tr,.figure,.kpi,.note{break-inside:avoid}h2,h3{break-after:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}',
    `@page{size:${size} ${orientation};margin:${marginMm}mm}`,
  ].join('\n')
}

/** A text, or the number of the page or of all pages. */
export type FooterPart = string | { readonly counter: 'page' | 'pages' }

/** Margin box at the bottom of each printed page. */
export function pageFooter(parts: readonly FooterPart[]): string {
  const content = parts.map((part) => (typeof part === 'string' ? `"${cssText(part)}"` : `counter(${part.counter})`))
  return `@page{@bottom-center{content:${content.join(' ')};font:11px ${FONT_STACK};color:${COLOURS.muted[0]}}}`
}

/** Inside a CSS string: all but letters, digits and spaces as escapes. */
const cssText = (text: string): string =>
  text.replace(/[^\p{L}\p{N} ]/gu, (char) => `\\${char.codePointAt(0)!.toString(16)} `)
