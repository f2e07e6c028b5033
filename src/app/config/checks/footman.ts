/** References and rules inside `Butler.footman`. */
import { butlerRouteNames } from '../../../config/butler-route-names.ts'
import { nearest } from '../../../config/nearest.ts'
import { type Config, overriddenDestination } from '../../schema.ts'
import type { Check } from './check.ts'

export const accessRules: Check = ({ config: { footman, restServerConfig }, report }) => {
  const { access } = footman
  const ways = access.keys.length > 0 || access.jwt || access.clientCertificates || access.anonymous.scopes.length > 0
  if (access.enable && !ways) {
    report('error', 'footman.access.enable', 'is true, but there is no way to authenticate', {
      hint: 'add keys, jwt, clientCertificates or anonymous.scopes',
    })
  }
  duplicates(access.keys.map(({ id }) => id)).forEach((index) => {
    report('error', `footman.access.keys[${index}].id`, 'is used twice', { hint: 'give each key its own id' })
  })
  if (access.clientCertificates && !restServerConfig.tls.enable) {
    report('error', 'footman.access.clientCertificates', 'needs Butler.restServerConfig.tls.enable: true')
  }
  if (!access.enable && access.allowFrom.length > 0) {
    report('warning', 'footman.access.allowFrom', 'has no effect while footman.access.enable is false')
  }
  if (footman.api.cors.origins.includes('*')) {
    report('warning', 'footman.api.cors.origins', 'lets every web page call the API', {
      hint: 'list the origins that need it',
    })
  }
}

export const uniqueNames: Check = ({ config: { footman }, report }) => {
  for (const list of ['alertRoutes', 'maintenance', 'taskPolicies'] as const) {
    duplicates(footman[list].map(({ name }) => name)).forEach((index) => {
      report('error', `footman.${list}[${index}].name`, 'is used twice', { hint: 'give each its own name' })
    })
  }
}

function duplicates(names: readonly string[]): number[] {
  return names.flatMap((name, index) => (names.indexOf(name) < index ? [index] : []))
}

/** Settings that a route changes must exist for its destination. */
export const routeTargets: Check = ({ config: { footman }, report }) => {
  for (const [index, route] of footman.alertRoutes.entries()) {
    const path = `footman.alertRoutes[${index}].to`
    duplicates(route.to.map(({ destination }) => destination)).forEach((item) => {
      report('error', `${path}[${item}]`, 'is used twice', { hint: 'one message per destination is enough' })
    })
    for (const [item, { destination, ...changes }] of route.to.entries()) {
      const base = footman.destinations[destination]
      const problems = base ? overriddenDestination(base, changes).problems : []
      for (const { key, message } of problems) {
        const hint = `see the settings of the type ${base?.type} in docs/configuration.md`
        report('error', [`${path}[${item}]`, ...(key ? [key] : [])].join('.'), message, { hint })
      }
    }
  }
}

/** Routes to switch off must be there. */
export const disabledRoutes: Check = ({ config, report }) => {
  const known = butlerRouteNames(config).map(({ name }) => name)
  for (const [index, name] of config.footman.butlerRoutes.disable.entries()) {
    if (known.some((route) => route.toLowerCase() === name.toLowerCase())) continue
    const similar = nearest(name, known)
    const hint = similar ? `did you mean ${similar}?` : 'see footman routes list'
    report('error', `footman.butlerRoutes.disable[${index}]`, `no route is called "${name}"`, { hint })
  }
}

/** A key below `Butler` that names a destination, window or calendar. */
export interface Reference {
  readonly path: string
  readonly kind: 'destination' | 'window' | 'calendar'
  readonly name: string
}

/** Every place of the configuration that names an entry of another section. */
export function referencesIn({ footman }: Pick<Config, 'footman'>): Reference[] {
  const found: Reference[] = []
  const add = (kind: Reference['kind'], path: string, name: string) => found.push({ kind, path, name })

  for (const [index, route] of footman.alertRoutes.entries()) {
    const path = `footman.alertRoutes[${index}]`
    for (const [item, target] of route.to.entries()) add('destination', `${path}.to[${item}]`, target.destination)
    for (const [item, name] of route.fallback.entries()) add('destination', `${path}.fallback[${item}]`, name)
    for (const [key, matches] of [
      ['match', route.match],
      ['except', route.except],
    ] as const) {
      for (const match of matches ?? []) windowsOf(`${path}.${key}.during`, match.during ?? [])
    }
  }
  for (const [index, item] of footman.maintenance.entries()) {
    windowsOf(`footman.maintenance[${index}].during`, item.during)
    for (const [place, name] of item.summaryTo.entries())
      add('destination', `footman.maintenance[${index}].summaryTo[${place}]`, name)
  }
  for (const [item, name] of footman.butlerRoutes.fallback.entries())
    add('destination', `footman.butlerRoutes.fallback[${item}]`, name)
  for (const [item, name] of footman.selfAlerts.to.entries()) add('destination', `footman.selfAlerts.to[${item}]`, name)
  for (const [name, value] of Object.entries(footman.windows)) calendarsOf(`footman.windows.${name}`, value)
  for (const [name, { except }] of Object.entries(footman.calendars)) {
    for (const other of except ?? []) add('calendar', `footman.calendars.${name}.except`, other)
  }
  return found

  function windowsOf(path: string, windows: readonly (string | CalendarUse)[]): void {
    for (const item of windows) {
      if (typeof item === 'string') add('window', path, item)
      else calendarsOf(path, item)
    }
  }

  function calendarsOf(path: string, { on, notOn }: CalendarUse): void {
    for (const name of on ?? []) add('calendar', `${path}.on`, name)
    for (const name of notOn ?? []) add('calendar', `${path}.notOn`, name)
  }
}

/** The named entries must exist. One that is stored and cannot be used is only missed: that must not prevent a start. */
export const references: Check = ({ config, report, isUnusable }) => {
  const { destinations, windows, calendars } = config.footman
  const known = { destination: destinations, window: windows, calendar: calendars }
  for (const { path, kind, name } of referencesIn(config)) {
    if (Object.hasOwn(known[kind], name)) continue
    if (isUnusable?.(kind, name)) {
      report('warning', path, `the stored ${kind} "${name}" cannot be read or used now, so it counts as switched off`)
      continue
    }
    const similar = nearest(name, Object.keys(known[kind]))
    const hint = similar ? `did you mean ${similar}?` : `add it to Butler.footman.${kind}s`
    report('error', path, `no ${kind} is called "${name}"`, { hint })
  }
}

interface CalendarUse {
  readonly on?: readonly string[]
  readonly notOn?: readonly string[]
}
