/**
 * Makes the documents of a run: conditions, people, variants, values of cycles, rendering. Runs in a worker thread and knows
 * neither the database nor a channel. With `render` off it makes the plan alone.
 */
import { ReportError, type RunCode } from '../codes.ts'
import { type Apps, createApps } from './apps.ts'
import { absentees, beginRun, unreached } from './beginning.ts'
import type { CheckedCondition } from './contract.ts'
import { createGate, type KeptStates } from './gate.ts'
import type { RunApp } from './ledger.ts'
import type { MissingDocument, PreparedDocument } from './plan.ts'
import type { Person } from './recipients.ts'
import { makeReports } from './reports.ts'
import type { PrepareDeps, PrepareRequest } from './request.ts'
import { audienceOf } from './variants.ts'

export interface Prepared {
  /** Set when conditions left nothing to do. */
  readonly skipped: RunCode | null
  readonly app: RunApp
  readonly people: readonly Person[]
  /** Id of the variant of each person, by address. */
  readonly variants: Readonly<Record<string, string>>
  readonly documents: readonly PreparedDocument[]
  readonly missing: readonly MissingDocument[]
  readonly conditions: readonly CheckedCondition[]
  readonly states: KeptStates
}

/** Rejects with a `ReportError` when the run as a whole cannot go on. */
export async function prepareRun(deps: PrepareDeps, request: PrepareRequest): Promise<Prepared> {
  const all = { ...deps, note: once(deps.note) }
  const apps = createApps(all, request)
  try {
    return await prepare(all, request, apps)
  } finally {
    await apps.close()
  }
}

/** Work that is repeated after a lost engine finds the same again: each event is noted once. */
function once(note: PrepareDeps['note']): PrepareDeps['note'] {
  const noted = new Set<string>()
  return (event) => {
    const key = JSON.stringify(event)
    if (!noted.has(key)) note(event)
    noted.add(key)
  }
}

async function prepare(deps: PrepareDeps, request: PrepareRequest, apps: Apps): Promise<Prepared> {
  const { note, line, facts } = deps
  const { definition, options, settings, states, startedAt } = request
  const { task } = definition
  const uses = task.reports.filter(({ key }) => options.reports === null || options.reports.includes(key))
  const gate = createGate({
    definition,
    facts,
    states,
    startedAt,
    timezone: settings.timezone,
    ignore: options.ignoreConditions,
    warn: (code, details) => note({ code, details }),
    line,
    elsewhere: (appId) => apps.apply({ appId, filterIds: task.filterIds }),
  })

  const { app, closed, people, unasked } = await beginRun({ ...deps, apps, gate }, request, uses)
  const result = { app, people: [], variants: {}, documents: [], missing: [], states: gate.states }
  if (!people) {
    note({ code: 'CONDITION_NOT_MET', details: 'the conditions of the task do not hold' })
    return { ...result, skipped: 'CONDITION_NOT_MET', conditions: gate.results }
  }
  const audience = audienceOf(definition, people, ({ address }) =>
    note({ code: 'RECIPIENT_NO_QLIK_USER', recipient: address, details: `${address} has no Qlik user` }),
  )
  const fault = unreached(request, uses, people, unasked)
  if (fault?.endsRun) throw new ReportError('NO_RECIPIENTS', fault.details)
  if (fault) note({ code: 'NO_RECIPIENTS', details: fault.details })
  const { documents, missing, skipped } = await makeReports({ ...deps, apps, gate, audience }, request, uses, closed)
  const named = [...documents, ...missing].flatMap(({ mailTo, hubTo }) => [...(mailTo ?? []), ...(hubTo ?? [])])
  const reached = [...people.map(({ address }) => address), ...named]
  if (!fault && (task.email.enabled || task.hub.enabled))
    for (const one of absentees(options, reached))
      note({
        code: 'RECIPIENTS_EMPTY',
        details: `${one}, to whom the start is limited, gets nothing: no document that was made is for this address`,
      })
  const served = audience.variants.flatMap(({ id, people: all }) => all.map((person) => ({ id, person })))
  return {
    ...result,
    skipped: uses.length > 0 && skipped === uses.length ? 'ALL_REPORTS_SKIPPED' : null,
    people: served.map(({ person }) => person),
    variants: Object.fromEntries(served.map(({ id, person }) => [person.address, id])),
    documents,
    missing,
    conditions: gate.results,
  }
}
