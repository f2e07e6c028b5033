/** `Butler.incidentTool.signl4.*`, one row per event. */
import type { Outcome } from '../../../events/types.ts'
import type { IncidentToolConfig } from '../../config-incident.ts'

export interface Signl4Config {
  readonly incidentTool: IncidentToolConfig
}

interface Row {
  readonly section: 'reloadTaskFailure' | 'reloadTaskAborted'
  readonly outcome: Outcome
  readonly title: string
  /** In log lines: `SIGNL4 <label> ALERT: ...`. */
  readonly label: string
}

const ROWS: readonly Row[] = [
  {
    section: 'reloadTaskFailure',
    outcome: 'failed',
    title: 'Qlik Sense reload task failed',
    label: 'RELOAD TASK FAILED',
  },
  { section: 'reloadTaskAborted', outcome: 'aborted', title: 'Qlik Sense task aborted', label: 'RELOAD TASK ABORTED' },
]

export interface Signl4Section extends Row {
  readonly routeName: string
  readonly settings: IncidentToolConfig['signl4'][Row['section']]
}

/** The sections that are switched on. */
export function signl4Sections({ incidentTool: { signl4 } }: Signl4Config): readonly Signl4Section[] {
  if (!signl4.enable) return []
  return ROWS.filter(({ section }) => signl4[section].enable).map((row) => ({
    ...row,
    routeName: `butler.incidentTool.signl4.${row.section}`,
    settings: signl4[row.section],
  }))
}
