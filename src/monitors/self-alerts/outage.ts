/** Whether something has only failed for a while; fed with what every attempt came to. */
import type { Condition, Finding, SelfCode } from './types.ts'

export interface Outages {
  readonly condition: Condition
  /** Null = it worked; a text = it failed, and why. */
  attempt(subject: string, failure: string | null): void
}

export interface OutageRule {
  readonly code: SelfCode
  /** One or two sentences: what is wrong and what to do. */
  readonly text: (subject: string, failure: string) => string
  /** False = no longer in the configuration. */
  readonly exists?: (subject: string) => boolean
}

/** Only failures for so long, */
const DOWN_MS = 5 * 60_000
/** and at least so many. */
const DOWN_ATTEMPTS = 3

interface Peer {
  /** Of the first failure in a row; null = the last attempt succeeded. */
  readonly failingSince: number | null
  readonly failures: number
  readonly last: string
}

export function createOutages(deps: { readonly now: () => number }, rule: OutageRule): Outages {
  const peers = new Map<string, Peer>()
  const exists = rule.exists ?? (() => true)

  function findingOf(subject: string, peer: Peer, now: number): Finding | null {
    const { failingSince, failures, last } = peer
    if (failingSince === null) return { subject, state: 'good' }
    if (now - failingSince < DOWN_MS || failures < DOWN_ATTEMPTS) return null
    return { subject, state: 'bad', text: rule.text(subject, last) }
  }

  return {
    attempt(subject, failure) {
      const before = peers.get(subject)
      if (failure === null) peers.set(subject, { failingSince: null, failures: 0, last: '' })
      else {
        const failingSince = before?.failingSince ?? deps.now()
        peers.set(subject, { failingSince, failures: (before?.failures ?? 0) + 1, last: failure })
      }
    },
    condition: {
      code: rule.code,
      look(now, raised) {
        const known = [...peers].flatMap(([subject, peer]) => findingOf(subject, peer, now) ?? [])
        const gone = [...raised, ...peers.keys()].filter((subject) => !exists(subject))
        return [
          ...known.filter(({ subject }) => exists(subject)),
          ...gone.map((subject) => ({ subject, state: 'gone' }) as const),
        ]
      },
    },
  }
}
