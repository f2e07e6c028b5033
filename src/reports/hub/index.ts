/** The hub: the published reports and their readers. The console makes the pages of it. */
import type { ApiRequest, ApiRoute } from '../../http/endpoint/route.ts'
import { createBrowserRules } from '../../http/middleware/browser-rules.ts'
import { addressProblem, type SenderRules } from '../addresses.ts'
import type { Carrier } from '../runs/deliver.ts'
import type { HubPayload } from '../runs/plan.ts'
import { createHubFiles } from './files.ts'
import { hubApiRoutes } from './http.ts'
import { createLogins, createSigner, isOwnForm } from './login.ts'
import { createLinkMailer } from './login-mail.ts'
import { createHubStore, type HubStore } from './store.ts'
import type { HubDeps, HubParts, HubSettingsOf } from './types.ts'

export interface Hub {
  /** The endpoints below `/v4`. */
  readonly routes: readonly ApiRoute[]
  readonly parts: HubParts
  /** Publishes a document: one delivery is one version of one item. */
  readonly carrier: Carrier
  /** Address of a document in the hub for the reader of a mail; '' when it is not there for this address. */
  hubUrl(documentId: string, address: string): string
  usesBlob(sha256: string): boolean
  /** Removes what the retention no longer keeps, links and sessions that are over. */
  prune(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

/** The tables of `hubMigrations` must exist. */
export function createHub(deps: HubDeps, settings: HubSettingsOf): Hub {
  const { db, writer, clock } = deps
  const now = () => clock.now()
  const { host, protocol } = new URL(settings.base)
  const browser = createBrowserRules({ allowedHosts: [host], origins: [], serverHost: host })
  const store = createHubStore({ db, writer, now }, settings)
  const { recipients } = deps
  const testers = () => [...deps.testers(), ...(settings.testAddress === null ? [] : [settings.testAddress])]
  const logins = createLogins({ db, writer, now, browser, recipients, testers, isReader: store.isReader }, settings)
  const signer = createSigner({ db, writer, now }, settings.signedLinkDays)
  const links = createLinkMailer({ ...deps, logins }, settings)
  const usesBase = ({ headers }: ApiRequest) => headers.get('host')?.toLowerCase() === host.toLowerCase()

  return {
    routes: settings.restApi ? hubApiRoutes({ store, logins }, deps.hasRun) : [],
    parts: {
      auth: settings.auth,
      timezone: settings.timezone,
      store,
      files: createHubFiles(deps.blobs),
      logins,
      signer,
      mailLink: links.mailLink,
      isOwnForm: (request) => isOwnForm(request, browser),
      isSecure: (request) => request.secure || (usesBase(request) && protocol === 'https:'),
      now,
    },
    carrier: createHubCarrier(store, now, settings),
    hubUrl(documentId, address) {
      const id = store.itemOfDocument(documentId, address)
      if (id === null) return ''
      const query = settings.linkMode === 'signed' ? signer.query(id) : ''
      return `${settings.base}/hub/items/${id}${query && `?${query}`}`
    },
    usesBlob: store.usesBlob,
    async prune() {
      await store.prune()
      await logins.prune()
    },
    start: signer.prepare,
    stop: links.stop,
  }
}

function createHubCarrier(
  store: Pick<HubStore, 'publish'>,
  now: () => number,
  { allowedDomains }: Pick<SenderRules, 'allowedDomains'>,
): Carrier {
  return async ({ run, documents, delivery }) => {
    const { document, ...payload } = delivery.payload as HubPayload
    const published = documents.find(({ id }) => id === document)
    if (!published) return { state: 'failed', code: 'INTERNAL', detail: `there is no document ${document}` }
    const { fileName, format, mediaType, bytes, sha256 } = published
    await store.publish({
      ...payload,
      visibleTo: payload.visibleTo.filter((address) => addressProblem(address, allowedDomains) === null),
      fileName,
      format,
      mediaType,
      bytes,
      sha256,
      id: delivery.id,
      documentId: document,
      project: run.project,
      taskId: run.taskId,
      taskName: run.taskName,
      runId: run.id,
      publishedAt: now(),
    })
    return { state: 'sent', detail: payload.title }
  }
}
