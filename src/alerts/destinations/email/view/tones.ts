/** The colours of a mail: one set per degree of trouble, chosen for white text on `solid` and dark text on `soft`. */
import type { EventOutcome } from '../../../../events/types.ts'
import type { DeliveryKind } from '../../../types.ts'

export interface Tone {
  readonly sign: string
  /** Background of the head, under white text. */
  readonly solid: string
  readonly soft: string
  readonly ink: string
  /** The same two in dark mode. */
  readonly softDark: string
  readonly inkDark: string
}

export const TONES = {
  bad: { sign: '✕', solid: '#b3261e', soft: '#fdecea', ink: '#8c1d18', softDark: '#3b1a18', inkDark: '#ffb4ab' },
  warn: { sign: '!', solid: '#8f5600', soft: '#fff4e0', ink: '#6f4300', softDark: '#38290f', inkDark: '#ffcc80' },
  good: { sign: '✓', solid: '#1b6e3f', soft: '#e5f5ec', ink: '#12532e', softDark: '#132d1e', inkDark: '#8ce0ad' },
  info: { sign: 'i', solid: '#1f5a96', soft: '#e8f1fb', ink: '#164674', softDark: '#142a40', inkDark: '#9ecbff' },
} as const satisfies Record<string, Tone>

type ToneName = keyof typeof TONES

const BY_OUTCOME: Readonly<Record<EventOutcome, ToneName>> = {
  failed: 'bad',
  stopped: 'bad',
  unreachable: 'bad',
  expired: 'bad',
  aborted: 'warn',
  late: 'warn',
  stuck: 'warn',
  neverStarted: 'warn',
  expiring: 'warn',
  raised: 'warn',
  success: 'good',
  started: 'good',
  cleared: 'good',
  status: 'info',
}

export function toneOf(outcome: EventOutcome, kind: DeliveryKind): Tone {
  if (kind === 'recovery') return TONES.good
  if (kind === 'summary') return TONES.info
  return TONES[BY_OUTCOME[outcome] ?? 'info']
}
