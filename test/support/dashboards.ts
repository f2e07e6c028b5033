/** The dashboards for Grafana in `config/grafana`, and what their panels ask. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from './source.ts'

interface Target {
  readonly refId: string
  readonly datasource: { readonly type: string; readonly uid: string }
  /** PromQL. */
  readonly expr?: string
  /** InfluxQL. */
  readonly query?: string
}

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number }
  readonly targets?: readonly Target[]
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
}

export interface Variable {
  readonly name: string
  readonly type: string
  readonly query: string | { readonly query: string }
}

export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
}

export interface PanelQuery {
  /** `panel, refId`, for messages. */
  readonly where: string
  readonly text: string
}

export const DASHBOARDS = ['prometheus', 'influxdb'] as const

/** The text as it is imported into Grafana. */
export const dashboardText = (kind: (typeof DASHBOARDS)[number]): string =>
  readFileSync(join(repositoryRoot, 'config/grafana', `footman-${kind}.json`), 'utf8')

export const dashboard = (kind: (typeof DASHBOARDS)[number]): Dashboard => JSON.parse(dashboardText(kind))

/** All queries, as they are sent when every variable stands at "All". */
export function queriesOf(board: Dashboard, values: Readonly<Record<string, string>>): PanelQuery[] {
  const fill = (text: string) =>
    Object.entries(values).reduce((filled, [name, to]) => filled.replaceAll(name, to), text)
  return board.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr, query }) => ({ where: `${title}, ${refId}`, text: fill(expr ?? query ?? '') })),
  )
}

/** Variables that Grafana replaces in PromQL. */
export const PROMETHEUS_VALUES = {
  $__rate_interval: '1m',
  $__range: '1h',
  $instance: '.*',
  $type: '.*',
  $task: '.*',
}
