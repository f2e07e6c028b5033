/** Conditions that others report when they meet them. */
import type { Condition, Finding, SelfCode } from './types.ts'

export interface Reported {
  readonly condition: Condition
  /** Null = it is well again. */
  report(subject: string, text: string | null): void
}

/** It is wrong until the reporter says otherwise. After a restart what was raised stays until somebody reports again. */
export function createReported(code: SelfCode, exists: (subject: string) => boolean = () => true): Reported {
  const texts = new Map<string, string | null>()
  return {
    report: (subject, text) => void texts.set(subject, text),
    condition: {
      code,
      look(_now, raised) {
        const findings = [...texts].map(
          ([subject, text]): Finding => (text === null ? { subject, state: 'good' } : { subject, state: 'bad', text }),
        )
        const gone = raised.filter((subject) => !exists(subject))
        return [...findings, ...gone.map((subject) => ({ subject, state: 'gone' }) as const)]
      },
    },
  }
}

export interface Happened {
  readonly condition: Condition
  happened(subject: string, text: string): void
}

const HOUR_MS = 3_600_000

/** It happened, and counts as over after an hour in which it did not happen again. */
export function createHappened(code: SelfCode): Happened {
  /** Kept until an alert about it stands: telling may fail when the disk is full. */
  const news = new Map<string, { readonly text: string; isTold: boolean }>()
  return {
    happened: (subject, text) => void news.set(subject, { text, isTold: false }),
    condition: {
      code,
      lastsMs: HOUR_MS,
      look(_now, raised) {
        for (const [subject, { isTold }] of news) if (isTold && raised.includes(subject)) news.delete(subject)
        const quiet = raised.filter((subject) => !news.has(subject))
        const findings: Finding[] = [
          ...[...news].map(([subject, { text }]) => ({ subject, state: 'bad', text }) as const),
          ...quiet.map((subject) => ({ subject, state: 'good' }) as const),
        ]
        for (const one of news.values()) one.isTold = true
        return findings
      },
    },
  }
}
