/** The task sections of `Butler.influxDb`: which executions become points, in which measurement, with which tags. */
import type { Need, Outcome, TaskEvent, TaskType } from '../../../events/types.ts'
import type { InfluxDbConfig } from '../../../metrics/influxdb/types.ts'

export interface InfluxRulesConfig {
  readonly influxDb: InfluxDbConfig
  readonly footman: { readonly influxDb: { readonly storeAborted: boolean } }
}

export interface InfluxSection {
  readonly routeName: string
  readonly measurement: string
  readonly kind: TaskKind
  readonly outcome: Outcome
  readonly staticTags: readonly { readonly name: string; readonly value: string }[]
  readonly useTaskTags: boolean
  readonly useAppTags: boolean
  /** Lines of the script log; null = these points have none. */
  readonly scriptLog: { readonly headLines: number; readonly tailLines: number } | null
  readonly needs: readonly Need[]
  /** Null = stored; else why not. */
  readonly excluded: (event: Pick<TaskEvent, 'task'>) => string | null
}

export interface TaskKind {
  readonly type: TaskType
  /** Of the sections: `reloadTaskFailure`. */
  readonly section: string
  /** Of the measurements: `reload_task_failed`. */
  readonly prefix: string
  /** Where the app of the tags comes from; null = these tasks have none. */
  readonly app: 'message' | 'task' | null
  /** The shape of start and stop times, as dashboards know it: texts in several forms, or the parts of the UTC time. */
  readonly times: 'texts' | 'parts'
}

const KINDS: readonly TaskKind[] = [
  { type: 'reload', section: 'reloadTask', prefix: 'reload_task', app: 'message', times: 'texts' },
  {
    type: 'externalProgram',
    section: 'externalProgramTask',
    prefix: 'external_program_task',
    app: null,
    times: 'parts',
  },
  { type: 'userSync', section: 'userSyncTask', prefix: 'user_sync_task', app: null, times: 'texts' },
  { type: 'distribute', section: 'distributeTask', prefix: 'distribute_task', app: 'task', times: 'parts' },
  { type: 'preload', section: 'preloadTask', prefix: 'preload_task', app: 'task', times: 'texts' },
]

/** Aborted tasks have no sections; where they are stored at all, they are stored like failed ones. */
const OUTCOMES = [
  { outcome: 'failed', name: 'Failure', settings: 'Failure', suffix: 'failed' },
  { outcome: 'success', name: 'Success', settings: 'Success', suffix: 'success' },
  { outcome: 'aborted', name: 'Aborted', settings: 'Failure', suffix: 'aborted' },
] as const

/** What all sections have, and what only those about reloads have. */
interface Settings {
  readonly enable: boolean
  readonly headScriptLogLines?: number
  readonly tailScriptLogLines?: number
  readonly tag: {
    readonly static: InfluxSection['staticTags']
    readonly dynamic: { readonly useTaskTags: boolean; readonly useAppTags?: boolean }
  }
}

/** The sections that are switched on. */
export function influxSections({ influxDb, footman }: InfluxRulesConfig): readonly InfluxSection[] {
  if (!influxDb.enable) return []
  const sections = influxDb as unknown as Readonly<Record<string, Settings>>
  return KINDS.flatMap((kind) =>
    OUTCOMES.flatMap(({ outcome, name, settings: key, suffix }) => {
      const settings = sections[`${kind.section}${key}`]!
      const isOn = outcome === 'aborted' ? footman.influxDb.storeAborted : settings.enable
      const isMarked = kind.type === 'reload' && outcome === 'success'
      if (!isOn || (isMarked && !selects(influxDb.reloadTaskSuccess))) return []
      const scriptLog = scriptLogOf(kind, outcome, settings)
      const { useTaskTags, useAppTags = false } = settings.tag.dynamic
      const section: InfluxSection = {
        ...{ kind, outcome, scriptLog, useTaskTags, useAppTags, staticTags: settings.tag.static },
        routeName: `butler.influxDb.${kind.section}${name}`,
        measurement: `${kind.prefix}_${suffix}`,
        needs: ['execution', ...(useAppTags ? (['app'] as const) : []), ...(scriptLog ? (['scriptLog'] as const) : [])],
        excluded: isMarked ? markedOnly(influxDb.reloadTaskSuccess) : () => null,
      }
      return [section]
    }),
  )
}

/** Points about successful reloads hold lines of the script log only when some are asked for. */
function scriptLogOf({ type }: TaskKind, outcome: Outcome, settings: Settings): InfluxSection['scriptLog'] {
  if (type !== 'reload') return null
  const { headScriptLogLines: headLines = 0, tailScriptLogLines: tailLines = 0 } = settings
  if (outcome === 'success' && headLines === 0 && tailLines === 0) return null
  return { headLines, tailLines }
}

type Selection = InfluxDbConfig['reloadTaskSuccess']

const selects = ({ allReloadTasks, byCustomProperty }: Selection) => allReloadTasks.enable || byCustomProperty.enable

function markedOnly({ allReloadTasks, byCustomProperty }: Selection) {
  const { customPropertyName: name, enabledValue } = byCustomProperty
  return ({ task }: Pick<TaskEvent, 'task'>): string | null => {
    if (allReloadTasks.enable) return null
    const values = (task?.customProperties ?? []).filter(({ definition }) => definition.name === name)
    if (values.some(({ value }) => value === enabledValue)) return null
    return task ? `custom property ${name} is not ${enabledValue}` : `custom property ${name} is not known`
  }
}
