import { NEVER_MS } from '../../entities.ts'
import type { SimApp } from '../../types.ts'
import { engineError } from '../errors.ts'
import { asFlag, asNumber, asText, type Json } from '../json.ts'
import { NO_PROGRESS } from '../reload.ts'
import { type Call, type MethodTable, method } from '../types.ts'
import { mayOpen } from '../users.ts'

/** Handle -1. */
export const GLOBAL_METHODS: MethodTable<'Global'> = {
  EngineVersion: method('', (_target, _args, { server }) => ({ qVersion: { qComponentVersion: server.version } })),
  ProductVersion: method('', (_target, _args, { server }) => ({ qReturn: server.version })),
  QTProduct: method('', () => ({ qReturn: 'Qlik Engine' })),
  OSName: method('', () => ({ qReturn: 'Microsoft Windows Server 2022' })),
  IsDesktopMode: method('', () => ({ qReturn: false })),
  IsPersonalMode: method('', () => ({ qReturn: false })),
  GetAuthenticatedUser: method('', (_target, _args, { session }) => ({
    qReturn: `UserDirectory=${session.user.directory}; UserId=${session.user.userId}`,
  })),
  GetUniqueID: method('', () => ({ qUniqueID: crypto.randomUUID() })),

  GetDocList: method('', (_target, _args, call) => ({
    qDocList: visibleApps(call).map((app) => docListEntry(app)),
  })),
  GetAppEntry: method('qAppID', (_target, [id], call) => {
    const app = visibleApps(call).find((one) => one.id === asText(id).toLowerCase())
    if (!app) throw engineError('APP_NOT_FOUND', asText(id))
    return { qEntry: docListEntry(app) }
  }),
  OpenDoc: method('qDocName qUserName qPassword qSerial qNoData', (_target, args, { server, session }) => {
    const id = asText(args[0])
    if (id === '') throw engineError('EMPTY_PARAMETERS')
    const app = server.site.apps.get(id.toLowerCase())
    if (app && !mayOpen(app, session.user, server.site)) throw engineError('ACCESS_DENIED', id)
    return session.open(server, id, asFlag(args[4]))
  }),
  GetActiveDoc: method('', (_target, _args, { session }) => {
    if (!session.doc) throw engineError('APP_NOT_OPEN')
    return session.handleOf({ type: 'Doc', doc: session.doc }, session.doc.app.id)
  }),

  ConfigureReload: method('qCancelOnScriptError qUseErrorData qInteractOnError', (_target, args, { session }) => {
    session.reloadSettings = {
      cancelOnScriptError: asFlag(args[0]),
      useErrorData: asFlag(args[1]),
      interactOnError: asFlag(args[2]),
    }
    return {}
  }),
  GetProgress: method('qRequestId', (_target, _args, { session }) => ({
    qProgressData: session.reload?.progress() ?? NO_PROGRESS,
  })),
  CancelReload: method('', (_target, _args, { session }) => {
    session.reload?.cancel()
    return {}
  }),
  AbortRequest: method('qRequestId', (_target, [id], { connection }) => {
    connection.abort(asNumber(id))
    return {}
  }),
  CancelRequest: method('qRequestId', (_target, [id], { connection }) => {
    connection.abort(asNumber(id))
    return {}
  }),
  AbortAll: method('', (_target, _args, { connection }) => {
    connection.abort()
    return {}
  }),
}

const visibleApps = ({ server, session }: Call): SimApp[] =>
  [...server.site.apps.values()].filter((app) => mayOpen(app, session.user, server.site))

const isoTime = (at: number) => new Date(at).toISOString()

function docListEntry(app: SimApp): Json {
  const publishing = app.published ? { publishTime: isoTime(app.publishTime) } : {}
  const stream = app.stream ? { stream: { id: app.stream.id, name: app.stream.name } } : {}
  return {
    qDocName: app.name,
    qConnectedUsers: 0,
    qFileTime: 0,
    qFileSize: app.fileSize,
    qDocId: app.id,
    qMeta: {
      createdDate: isoTime(app.createdDate),
      modifiedDate: isoTime(app.modifiedDate),
      published: app.published,
      ...publishing,
      description: app.description,
      ...stream,
      privileges: ['read', 'update', 'delete', 'reload', 'export'],
    },
    ...(app.lastReloadTime > NEVER_MS ? { qLastReloadTime: isoTime(app.lastReloadTime) } : {}),
    qReadOnly: false,
    qTitle: app.name,
    qThumbnail: { qUrl: '' },
    qHasSectionAccess: app.sectionAccess,
  }
}
