/** The hub: pages on which people find the reports that were published for them. */
import type { ApiRoute } from '../../http/endpoint/route.ts'
import { createBrowserRules } from '../../http/middleware/browser-rules.ts'
import { addressProblem, type SenderRules } from '../addresses.ts'
import type { Carrier } from '../runs/deliver.ts'
import type { HubPayload } from '../runs/plan.ts'
import { hubApiRoutes, hubRoutes } from './http.ts'
import { createLogins, createSigner } from './login.ts'
import { createLoginRoutes } from './login-http.ts'
import { createPlace, type HubDeps, type HubParts, type HubSettingsOf } from './place.ts'
import { createHubStore, type HubStore } from './store.ts'

export interface Hub {
  readonly routes: readonly ApiRoute[]
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
  const place = createPlace(settings)
  const { host } = new URL(settings.base)
  const browser = createBrowserRules({ allowedHosts: [host], origins: [], serverHost: host })
  const store = createHubStore({ db, writer, now }, settings)
  const { recipients } = deps
  const testers = () => [...deps.testers(), ...(settings.testAddress === null ? [] : [settings.testAddress])]
  const loginDeps = { db, writer, now, browser, recipients, testers, isReader: store.isReader }
  const signer = createSigner({ db, writer, now }, settings.signedLinkDays)
  const parts: HubParts = { store, logins: createLogins(loginDeps, settings), signer, browser, now }
  const login = createLoginRoutes(parts, deps, place, settings)

  return {
    routes: [
      ...hubRoutes(parts, deps, place),
      ...login.routes,
      ...(settings.restApi ? hubApiRoutes(parts, place, deps.hasRun) : []),
    ],
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
      await parts.logins.prune()
    },
    start: signer.prepare,
    stop: login.stop,
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
