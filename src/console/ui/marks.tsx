/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Icons, and the marks of states: each a shape of its own, with a word beside it. */
import { createContext, type FC, useContext } from 'hono/jsx'

/** Address of the icons for the browser, set by the frame. */
export const SpriteContext = createContext('')

export type IconName =
  | 'aborted'
  | 'bell'
  | 'braces'
  | 'broker'
  | 'bubble'
  | 'chain'
  | 'clock'
  | 'copy'
  | 'down'
  | 'failed'
  | 'filter'
  | 'get'
  | 'late'
  | 'left'
  | 'logo'
  | 'mail'
  | 'menu'
  | 'missing'
  | 'more'
  | 'no'
  | 'ok'
  | 'phone'
  | 'planned'
  | 'pulse'
  | 'record'
  | 'right'
  | 'running'
  | 'search'
  | 'self'
  | 'skip'

export const Icon: FC<{ readonly name: IconName; readonly class?: string; readonly label?: string }> = ({
  name,
  label,
  class: extra = '',
}) => (
  // biome-ignore lint/a11y/noSvgWithoutTitle: it has a label, or is hidden.
  <svg class={`i ${extra}`.trim()} {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': 'true' })}>
    <use href={`${useContext(SpriteContext)}#${name}`} />
  </svg>
)

export type Tone = 'ok' | 'bad' | 'warn' | 'info' | 'miss' | 'muted'

/** States with their icon, colour and word. */
export const STATES = {
  success: { icon: 'ok', tone: 'ok', word: 'succeeded' },
  failed: { icon: 'failed', tone: 'bad', word: 'failed' },
  aborted: { icon: 'aborted', tone: 'warn', word: 'aborted' },
  running: { icon: 'running', tone: 'info', word: 'running' },
  queued: { icon: 'clock', tone: 'muted', word: 'queued' },
  late: { icon: 'late', tone: 'warn', word: 'late' },
  missing: { icon: 'missing', tone: 'miss', word: 'never started' },
  planned: { icon: 'planned', tone: 'muted', word: 'planned' },
  skipped: { icon: 'skip', tone: 'muted', word: 'skipped' },
  warning: { icon: 'self', tone: 'warn', word: 'warning' },
  unknown: { icon: 'skip', tone: 'muted', word: 'not known' },
} as const satisfies Record<string, { icon: IconName; tone: Tone; word: string }>

export type State = keyof typeof STATES

/** The mark of a state, with its word for those who cannot see it. `word` shows it, or another one. */
export const Mark: FC<{ readonly state: State; readonly word?: boolean | string }> = ({ state, word = false }) => {
  // Outcomes of other events, like `raised`, have no mark of their own.
  const { icon, tone, word: usual } = Object.hasOwn(STATES, state) ? STATES[state] : { ...STATES.unknown, word: state }
  const text = typeof word === 'string' ? word : usual
  if (word === false) return <Icon name={icon} class={tone} label={text} />
  return (
    <span class={`mark ${tone}`}>
      <Icon name={icon} />
      {text}
    </span>
  )
}

/** A word on a tinted ground. */
export const Badge: FC<{
  readonly tone?: Tone
  readonly text: string
  readonly icon?: IconName
  readonly title?: string
}> = ({ tone = 'muted', text, icon, title }) => (
  <span class={`badge ${tone}`} title={title}>
    {icon && <Icon name={icon} />}
    {text}
  </span>
)
