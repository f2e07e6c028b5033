/** The parts that follow a changed configuration while everything runs. */

import type { Api } from '../http/server.ts'
import type { Alerts } from './alerts.ts'
import type { LivePart } from './reload.ts'
import type { Config } from './schema.ts'
import type { BuiltWindows } from './windows.ts'

export interface LivePartsDeps {
  readonly windows: BuiltWindows
  readonly alerts: Alerts
  readonly api: Api
}

const API = /^footman\.(access|api|logging\.accessLog)\b/

export function liveParts({ windows, alerts, api }: LivePartsDeps): readonly LivePart[] {
  return [
    {
      // Whatever else takes effect at once concerns destinations, routes or their times.
      concerns: (path) => path !== 'logLevel' && !API.test(path),
      async prepare(next, changed) {
        const times = await windows.prepare(next)
        try {
          const plan = alerts.plan(times.windows, next)
          return {
            use() {
              times.use()
              alerts.replace(plan, changedDestinations(alerts, next, changed))
            },
            drop: times.drop,
          }
        } catch (error) {
          times.drop()
          throw error
        }
      },
    },
    {
      concerns: (path) => API.test(path),
      async prepare({ footman }) {
        const { api: settings, access, logging } = footman
        const prepared = await api.prepare({ api: settings, access, accessLog: logging.accessLog })
        return { use: prepared.use, drop: () => {} }
      },
    },
  ]
}

const NAMED = /^footman\.destinations\.([^.]+)/

/** Those that are gone or other ones; a changed section of Butler may concern each of its destinations. */
function changedDestinations({ destinations }: Alerts, { footman }: Config, changed: readonly string[]): string[] {
  const named = changed.flatMap((path) => NAMED.exec(path)?.[1] ?? [])
  const ofButler = changed.some((path) => !path.startsWith('footman.'))
    ? [...destinations.keys()].filter((name) => !(name in footman.destinations))
    : []
  return [...new Set([...named, ...ofButler])]
}
