/** Older layouts of the configuration file, translated to the present one before anything is checked. */
import type { Problem, ProblemList } from '../problems.ts'
import type { MapNode } from '../tree.ts'
import { restMessage, slackConfig, teamsConfig } from './chat.ts'
import { createLegacyContext, expand, type LegacyContext } from './context.ts'
import { flatSettings, instanceTag, uptimeConnection } from './influxdb.ts'
import { eventSwitches, missingAccountLists, namelessDestinations, singleAccount, singleUrl } from './new-relic.ts'
import { neverReleaseUsers, presenceMeansOn, webhookRateLimit } from './other.ts'
import { headerMappings, headerPair, quotedValues, rejectUnauthorized } from './qlik.ts'
import { MOVES, REMOVED } from './tables.ts'

type Step = (legacy: LegacyContext) => void

const STEPS: readonly Step[] = [
  presenceMeansOn,
  removedFeatures,
  slackConfig,
  teamsConfig,
  moves,
  restMessage,
  webhookRateLimit,
  uptimeConnection,
  instanceTag,
  flatSettings,
  headerMappings,
  headerPair,
  rejectUnauthorized,
  quotedValues,
  neverReleaseUsers,
  singleAccount,
  namelessDestinations,
  singleUrl,
  eventSwitches,
  missingAccountLists,
]

/**
 * `root` is the whole file with its key `Butler`. `withoutSwitchIsOn`: sections of a layout that had no `enable` count as
 * switched on. Notes are added in the order of the file.
 */
export function translateLegacy(
  root: MapNode,
  { withoutSwitchIsOn }: { readonly withoutSwitchIsOn: boolean },
  problems: ProblemList,
): void {
  const notes: Problem[] = []
  const legacy = createLegacyContext(root, notes, withoutSwitchIsOn)
  for (const step of STEPS) step(legacy)
  for (const note of notes.sort((a, b) => a.line - b.line || a.column - b.column)) problems.add(note)
}

/** One line instead of one for each key of an older layout; `file` as the user gave it. */
export function summarised(notes: readonly Problem[], file: string): readonly Problem[] {
  const older = notes.filter((note) => note.older)
  const [first] = older
  if (!first) return notes
  const told =
    older.length === 1
      ? '1 setting stands where older Butlers had it; it is read as before'
      : `${older.length} settings stand where older Butlers had them; they are read as before`
  const message = `CONFIG DEPRECATED: ${told}`
  const hint = `"footman migrate-config ${file}" shows and writes the present layout`
  const { line, column } = first
  const path = 'Butler'
  const line1: Problem = { severity: 'warning', path, message, hint, standalone: true, older: true, file, line, column }
  return notes.flatMap((note) => (note === first ? [line1] : note.older ? [] : [note]))
}

function moves(legacy: LegacyContext): void {
  for (const { from, to, versions } of MOVES) {
    const targets = expand(to)
    for (const [index, source] of expand(from).entries()) legacy.move(source, targets[index]!, versions)
  }
}

function removedFeatures(legacy: LegacyContext): void {
  for (const path of REMOVED.flatMap(expand)) {
    if (!legacy.has(path)) continue
    legacy.note('warning', path, `CONFIG: 'Butler.${path}' belongs to a feature that no longer exists; ignored.`)
    legacy.drop(path)
  }
}
