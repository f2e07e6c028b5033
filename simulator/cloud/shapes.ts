/** How the tenant's objects look as JSON. */
import {
  type CloudApp,
  type CloudItem,
  type CloudReload,
  type CloudTenant,
  type CloudUser,
  lastReload,
  type ReloadStatus,
} from './tenant.ts'

export type Shape = Readonly<Record<string, unknown>>

export const iso = (at: number) => new Date(at).toISOString()
/** Without milliseconds, as items and events have it. */
export const shortIso = (at: number) => iso(at).replace(/\.\d{3}Z$/, 'Z')

/** `errorCode` and `errorMessage` of a reload that did not succeed. */
export const RELOAD_ERRORS: Readonly<Partial<Record<ReloadStatus, readonly [code: string, message: string]>>> = {
  FAILED: ['EngineConnectorError', 'Reload failed'],
  CANCELED: ['EngineReloadCanceled', 'Reload was canceled'],
  EXCEEDED_LIMIT: ['EngineMemoryLimitExceeded', 'The reload exceeded the memory limit of the tenant'],
}

export function reloadShape(reload: CloudReload, tenant: CloudTenant, withLog: boolean): Shape {
  const error = RELOAD_ERRORS[reload.status]
  return {
    id: reload.id,
    appId: reload.app.id,
    tenantId: tenant.id,
    userId: reload.user.id,
    type: reload.trigger,
    status: reload.status,
    partial: reload.partial,
    weight: 1,
    ...(withLog ? { log: shortLog(reload) } : {}),
    ...(error ? { errorCode: error[0], errorMessage: error[1] } : {}),
    creationTime: iso(reload.createdAt),
    ...(reload.startedAt === null ? {} : { startTime: iso(reload.startedAt) }),
    ...(reload.endedAt === null ? {} : { endTime: iso(reload.endedAt) }),
    links: { self: { href: `${tenant.url}/api/v1/reloads/${reload.id}` } },
  }
}

const FAILURE_LINES: Readonly<Partial<Record<ReloadStatus, readonly string[]>>> = {
  FAILED: ['The following error occurred:', 'Cannot open file'],
  CANCELED: ['Reload canceled'],
  EXCEEDED_LIMIT: ['The following error occurred:', 'Memory limit exceeded'],
}

const tableLines = (app: CloudApp) =>
  app.tables.map(({ name, rows }) => `${name} << ${name.toLowerCase()} ${rows.toLocaleString('en-US')} lines fetched`)

function shortLog(reload: CloudReload): string {
  const end = FAILURE_LINES[reload.status] ?? ['Finished successfully']
  return ['Started loading data', ...tableLines(reload.app), ...end, ''].join('\n')
}

/** The script log, CRLF. */
export function scriptLog(reload: CloudReload): string {
  const stamp = (offset: number) =>
    iso((reload.startedAt ?? reload.createdAt) + offset)
      .replaceAll(/[-:]/g, '')
      .replace('Z', '+0000')
  const statements = reload.app.tables.flatMap(({ name, fields }) => [
    `0002 ${name}:`,
    '0003 LOAD',
    `0004     ${fields.join(', ')}`,
    `0005 FROM [lib://DataFiles/${name.toLowerCase()}.qvd] (qvd)`,
  ])
  const failure = FAILURE_LINES[reload.status]
  const end = failure ? [`     Error: ${failure.at(-1)}`, 'Execution Failed'] : []
  const lines = ['     Execution started.', ...statements, ...end, 'Execution finished.']
  return `${lines.map((line, index) => `${stamp(index)} ${line}`).join('\r\n')}\r\n`
}

export function appShape(app: CloudApp, tenant: CloudTenant): Shape {
  const reload = lastReload(tenant, app)
  const changed = reload?.endedAt ?? app.createdAt
  return {
    attributes: {
      id: app.id,
      name: app.name,
      description: app.description,
      thumbnail: '',
      lastReloadTime: reload?.status === 'SUCCEEDED' ? iso(changed) : iso(app.createdAt),
      createdDate: iso(app.createdAt),
      modifiedDate: iso(changed),
      owner: app.owner.subject,
      ownerId: app.owner.id,
      dynamicColor: '',
      published: false,
      publishTime: app.publishedAt === null ? '' : iso(app.publishedAt),
      hasSectionAccess: app.hasSectionAccess,
      isDirectQueryMode: false,
      encrypted: true,
      originAppId: '',
      usage: 'ANALYTICS',
      custom: {},
    },
    privileges: ['read', 'update', 'reload'],
    create: [],
  }
}

export function metadataShape(app: CloudApp): Shape {
  return {
    reload_meta: {
      cpu_time_spent_ms: 2400,
      peak_memory_bytes: 73_400_320,
      fullReloadPeakMemoryBytes: 73_400_320,
      partialReloadPeakMemoryBytes: 0,
      hardware: { logical_cores: 16, total_memory: 137_438_953_472 },
    },
    static_byte_size: app.memorySize,
    has_section_access: app.hasSectionAccess,
    is_direct_query_mode: false,
    fields: app.tables.flatMap(({ name, rows, fields }) =>
      fields.map((field, index) => ({
        name: field,
        is_system: false,
        is_hidden: false,
        is_numeric: index > 0,
        cardinal: index === 0 ? 5 : rows,
        total_count: rows,
        byte_size: index === 0 ? 120 : rows * 8,
        src_tables: [name],
        tags: index === 0 ? ['$ascii', '$text'] : ['$numeric'],
        hash: `1f${index}`,
      })),
    ),
    tables: app.tables.map(({ name, rows, fields }) => ({
      name,
      no_of_rows: rows,
      no_of_fields: fields.length,
      no_of_key_fields: 0,
      byte_size: 2_100_000,
    })),
    tables_profiling_data: [],
  }
}

export function itemShape(item: CloudItem, tenant: CloudTenant): Shape {
  const { app, tags } = item
  const reload = lastReload(tenant, app)
  return {
    id: item.id,
    name: app.name,
    description: app.description,
    resourceType: 'app',
    resourceId: app.id,
    resourceAttributes: { id: app.id, name: app.name },
    resourceCustomAttributes: null,
    resourceCreatedAt: shortIso(app.createdAt),
    resourceUpdatedAt: shortIso(reload?.endedAt ?? app.createdAt),
    ...(reload ? { resourceReloadEndTime: shortIso(reload.endedAt ?? 0), resourceReloadStatus: reload.status } : {}),
    resourceSize: { appFile: app.fileSize, appMemory: app.memorySize },
    ownerId: app.owner.id,
    creatorId: app.owner.id,
    tenantId: tenant.id,
    spaceId: item.spaceId,
    isFavorited: false,
    collectionIds: tags.map((tag) => tag.id),
    actions: [],
    meta: { isFavorited: false, actions: [], tags, collections: [] },
    links: {
      self: { href: `${tenant.url}/api/v1/items/${item.id}` },
      open: { href: `${tenant.url}/sense/app/${app.id}` },
    },
    createdAt: shortIso(app.createdAt + 1000),
    updatedAt: shortIso((reload?.endedAt ?? app.createdAt) + 1000),
  }
}

export function userShape(user: CloudUser, tenant: CloudTenant): Shape {
  return {
    id: user.id,
    tenantId: tenant.id,
    status: 'active',
    subject: user.subject,
    name: user.name,
    email: user.email,
    picture: user.picture,
    assignedRoles: [{ id: '65ee0000aaaabbbbccccdddd', name: 'Developer', type: 'default', level: 'user' }],
    assignedGroups: [],
    createdAt: '2025-01-01T00:00:00.000Z',
    lastUpdatedAt: '2026-02-01T00:00:00.000Z',
    links: { self: { href: `${tenant.url}/api/v1/users/${user.id}` } },
  }
}
