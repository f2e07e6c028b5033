import type { SimClock } from '../types.ts'

const FINAL_STATUSES = ['SUCCEEDED', 'FAILED', 'CANCELED', 'EXCEEDED_LIMIT'] as const
export type FinalStatus = (typeof FINAL_STATUSES)[number]
export type ReloadStatus = FinalStatus | 'QUEUED' | 'RELOADING' | 'CANCELING'
export type ReloadTrigger = 'hub' | 'chronos' | 'external' | 'automations' | 'data-refresh' | 'choreographer'

export interface CloudUser {
  readonly id: string
  readonly subject: string
  readonly name: string
  readonly email: string
  readonly picture: string
}

export interface CloudApp {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly owner: CloudUser
  readonly createdAt: number
  /** Null while it was not published inside of the tenant. */
  readonly publishedAt: number | null
  readonly hasSectionAccess: boolean
  /** Bytes. */
  readonly fileSize: number
  readonly memorySize: number
  /** How its next reload ends. */
  outcome: FinalStatus
  readonly tables: readonly { readonly name: string; readonly rows: number; readonly fields: readonly string[] }[]
}

export interface CloudItem {
  readonly id: string
  readonly app: CloudApp
  readonly spaceId: string
  readonly tags: readonly { readonly id: string; readonly name: string }[]
}

/** Times in milliseconds since 1970, null while it has not come to that. */
export interface CloudReload {
  readonly id: string
  readonly app: CloudApp
  readonly user: CloudUser
  readonly trigger: ReloadTrigger
  readonly partial: boolean
  status: ReloadStatus
  readonly createdAt: number
  startedAt: number | null
  endedAt: number | null
}

/** The simulated Qlik Cloud tenant of Acme. */
export interface CloudTenant {
  readonly id: string
  readonly url: string
  readonly users: ReadonlyMap<string, CloudUser>
  readonly apps: ReadonlyMap<string, CloudApp>
  readonly reloads: ReadonlyMap<string, CloudReload>
  readonly items: readonly CloudItem[]
  /** Queues a reload that runs and ends by the clock. */
  startReload(app: CloudApp, partial: boolean): CloudReload
  /** False when the reload has ended already. */
  cancelReload(reload: CloudReload): boolean
}

export interface TenantSettings {
  readonly id: string
  readonly url: string
  /** Simulated milliseconds a reload runs. */
  readonly reloadMs: number
}

const MINUTE_MS = 60_000
const DAY_MS = 1_440 * MINUTE_MS
const QUEUE_MS = 500
const CANCEL_MS = 200

const ANNA: CloudUser = {
  id: '65aa00bb11cc22dd33ee44ff',
  subject: 'auth0|a08D000001',
  name: 'Anna Andersson',
  email: 'anna@acme.example',
  picture: 'https://acme.eu.qlikcloud.com/pictures/anna.png',
}
const GORAN: CloudUser = {
  id: '65aa00bb11cc22dd33ee4500',
  subject: 'auth0|a08D000002',
  name: 'Göran Öst',
  email: 'goran@acme.example',
  picture: 'https://acme.eu.qlikcloud.com/pictures/goran.png',
}

export const CLOUD_APP = (number: number) => `b2000000-0000-4000-8000-00000000000${number}`

/** Acme's tenant: three apps, a reload of each final status, an app that two items point to. */
export function createAcmeTenant(deps: { readonly clock: SimClock }, settings: TenantSettings): CloudTenant {
  const { clock } = deps
  const loadedAt = clock.now()
  const app = (number: number, name: string, owner: CloudUser, more: Partial<CloudApp>): CloudApp => ({
    id: CLOUD_APP(number),
    name,
    description: '',
    owner,
    createdAt: loadedAt - 300 * DAY_MS,
    publishedAt: null,
    hasSectionAccess: false,
    fileSize: 1_048_576,
    memorySize: 5_242_880,
    outcome: 'SUCCEEDED',
    tables: [{ name: 'Orders', rows: 125_331, fields: ['Region', 'OrderID', 'Amount'] }],
    ...more,
  })
  const sales = app(1, 'Cloud Sales', ANNA, { outcome: 'FAILED' })
  const people = app(2, 'Cloud HR', GORAN, { hasSectionAccess: true, publishedAt: loadedAt - 100 * DAY_MS })
  const stock = app(3, 'Cloud Inventory', ANNA, { description: 'Stock per warehouse' })
  const ended = (id: string, of: CloudApp, trigger: ReloadTrigger, status: FinalStatus, ago: number): CloudReload => ({
    id,
    app: of,
    user: of.owner,
    trigger,
    partial: false,
    status,
    createdAt: loadedAt - ago,
    startedAt: loadedAt - ago + 900,
    endedAt: loadedAt - ago + 44_412,
  })
  const reloads = new Map(
    [
      ended('65f1a2b3c4d5e6f708192a3a', people, 'hub', 'SUCCEEDED', 120 * MINUTE_MS),
      ended('65f1a2b3c4d5e6f708192a3b', sales, 'chronos', 'FAILED', 15 * MINUTE_MS),
      ended('65f1a2b3c4d5e6f708192a3c', stock, 'external', 'CANCELED', 90 * MINUTE_MS),
      ended('65f1a2b3c4d5e6f708192a3d', stock, 'data-refresh', 'EXCEEDED_LIMIT', 30 * MINUTE_MS),
    ].map((reload) => [reload.id, reload]),
  )
  const item = (number: number, of: CloudApp, tags: readonly string[]): CloudItem => ({
    id: `65bb0000aaaabbbbccccddd${number}`,
    app: of,
    spaceId: `65cc0000aaaabbbbccccddd${number}`,
    tags: tags.map((name, index) => ({ id: `65dd0000aaaabbbbcccc0${number}0${index}`, name })),
  })

  function startReload(of: CloudApp, partial: boolean): CloudReload {
    const id = (0x65f2_0000 + reloads.size).toString(16).padEnd(24, '0')
    const reload: CloudReload = {
      id,
      app: of,
      user: of.owner,
      trigger: 'external',
      partial,
      status: 'QUEUED',
      createdAt: clock.now(),
      startedAt: null,
      endedAt: null,
    }
    reloads.set(id, reload)
    clock.schedule(QUEUE_MS, () => {
      if (reload.status !== 'QUEUED') return
      reload.status = 'RELOADING'
      reload.startedAt = clock.now()
      clock.schedule(settings.reloadMs, () => {
        if (reload.status === 'RELOADING') finish(reload, of.outcome)
      })
    })
    return reload
  }

  function finish(reload: CloudReload, status: FinalStatus) {
    reload.status = status
    reload.endedAt = clock.now()
  }

  return {
    id: settings.id,
    url: settings.url,
    users: new Map([ANNA, GORAN].map((user) => [user.id, user])),
    apps: new Map([sales, people, stock].map((one) => [one.id, one])),
    reloads,
    items: [
      item(1, sales, ['Butler alert', 'Butler - Send email if app reload fails']),
      item(2, people, []),
      item(3, stock, ['Butler alert']),
      item(4, stock, []),
    ],
    startReload,
    cancelReload(reload) {
      if (FINAL_STATUSES.some((status) => status === reload.status)) return false
      reload.status = 'CANCELING'
      clock.schedule(CANCEL_MS, () => finish(reload, 'CANCELED'))
      return true
    },
  }
}

/** The newest reload of an app that has ended; null without one. */
export function lastReload(tenant: CloudTenant, app: CloudApp): CloudReload | null {
  const ended = [...tenant.reloads.values()].filter((one) => one.app === app && one.endedAt !== null)
  ended.sort((left, right) => (right.endedAt ?? 0) - (left.endedAt ?? 0))
  return ended[0] ?? null
}
