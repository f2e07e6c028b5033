/** The order for the documents of a run, and the parts that carry it out. */
import { ReportError } from '../codes.ts'
import type { ConditionFacts } from '../conditions.ts'
import type { OpenData } from '../data/index.ts'
import type { Stored } from '../entities/fields.ts'
import type { QlikUser } from '../entities/recipient.ts'
import type { Report } from '../entities/report.ts'
import type { Definition, ReportUse } from '../entities/task.ts'
import type { NewEvent, RenderedDocument, RenderRequest, RenderSettings, Warn } from '../types.ts'
import type { RunOptions } from './contract.ts'
import type { GroupMember } from './recipients.ts'

/** Plain data: it is copied to the worker. */
export interface PrepareRequest {
  readonly runId: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly definition: Definition
  readonly options: RunOptions
  readonly members: Readonly<Record<string, readonly GroupMember[]>>
  /** Kept state of conditions, by key. */
  readonly states: Readonly<Record<string, unknown>>
  readonly render: boolean
  /** Makes the first document of each report alone: for the first recipient, else without one. */
  readonly preview: boolean
  readonly settings: PrepareSettings
}

export interface PrepareSettings extends RenderSettings {
  readonly maxDocumentsPerRun: number
  readonly maxRenderSeconds: number
  readonly allowedRecipientDomains: readonly string[]
  readonly timezone: string
  readonly locale: string
  /** Values of `reportTask.secrets`. */
  readonly secrets: Readonly<Record<string, string>>
  /** Milliseconds before the second and the third attempt of what the engine failed. */
  readonly engineRetryMs: readonly number[]
}

export interface PrepareDeps {
  readonly openApp: (request: {
    readonly appId: string
    readonly user: QlikUser | null
    readonly warn: Warn
  }) => Promise<OpenData>
  readonly facts: ConditionFacts
  readonly render: (request: RenderRequest) => Promise<RenderedDocument>
  /** Moves a finished file into the store of documents. */
  readonly keep: (file: string) => Promise<{ readonly sha256: string; readonly bytes: number }>
  readonly keepBytes: (bytes: Uint8Array) => Promise<string>
  /** Runs the work while no other document is being rendered. */
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>
  readonly note: (event: NewEvent) => void
  readonly line: (text: string) => void
  readonly signal: AbortSignal
}

/** Throws `INTERNAL` when the definition lacks the report. */
export function reportOf({ reports }: Pick<Definition, 'reports'>, { reportId }: ReportUse): Stored<Report> {
  const found = reports.find(({ id }) => id === reportId)
  if (!found) throw new ReportError('INTERNAL', `the report ${reportId} is not part of the run`)
  return found
}
