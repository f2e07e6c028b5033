/** The links of a message. */
import type { TaskEvent } from '../../events/types.ts'
import { appUrl, type RecordLinks, urlsFor } from '../template-context.ts'
import { appIdOf } from './words.ts'

export interface Link {
  readonly text: string
  readonly url: string
}

const MAX_LINKS = 5

/** App, management console, then the free links; only those that a browser opens. */
export function linksOf(event: TaskEvent, links: RecordLinks): readonly Link[] {
  const { qmc = '', appBaseUrl } = urlsFor(event, links)
  const all = [
    { text: 'Open app', url: cloudAppUrl(event) ?? appUrl(appBaseUrl, appIdOf(event)) },
    { text: 'Open QMC', url: qmc },
    ...links.genericUrls.map(({ linkText, id, url }) => ({ text: linkText || id || url, url })),
  ]
  return all.filter(({ url }) => /^https?:\/\//i.test(url) && URL.canParse(url)).slice(0, MAX_LINKS)
}

/** Apps in Qlik Cloud live at an address of their own. Null for everything else. */
function cloudAppUrl({ type, details }: TaskEvent): string | null {
  if (type !== 'cloudReload') return null
  return details?.kind === 'cloudReload' ? String(details.variables.appUrl ?? '') : ''
}
