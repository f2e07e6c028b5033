/** The thread of a run: its name, which every start of a thread reads, and its messages. */
import type { EngineSettings } from '../../qlik/engine/client.ts'
import type { ReportError } from '../codes.ts'
import type { ConditionFacts } from '../conditions.ts'
import type { NewEvent } from '../types.ts'
import type { Prepared } from './prepare.ts'
import type { PrepareRequest } from './request.ts'

export const REPORT_ROLE = 'report'

/** Data of the thread. The certificates are those of the moment, as texts. */
export interface ReportJob {
  readonly engine: EngineSettings
  readonly dataDirectory: string
  readonly request: PrepareRequest
}

/** Questions that only the main thread can answer; the names are those of `ConditionFacts`, and the turn to render. */
export type FactName = keyof ConditionFacts | 'turn' | 'turnOver'

export type FromReport =
  | { readonly type: 'note'; readonly event: NewEvent }
  | { readonly type: 'line'; readonly text: string }
  | { readonly type: 'sessions'; readonly open: number }
  | { readonly type: 'ask'; readonly id: number; readonly fact: FactName; readonly args: readonly unknown[] }
  | { readonly type: 'done'; readonly prepared: Prepared }
  | {
      readonly type: 'failed'
      readonly code: ReportError['code']
      readonly details: string
      readonly report: string | undefined
    }

export type ToReport =
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'refusal'; readonly id: number; readonly message: string }
  | { readonly type: 'cancel' }
