/** The links of a message. */
import type { TaskEvent } from '../../events/types.ts'
import { appUrl, type GenericUrl } from '../record.ts'
import { appIdOf } from './words.ts'

export interface Link {
  readonly text: string
  readonly url: string
}

export interface LinkSettings {
  readonly qlikSenseUrls: { readonly qmc?: string; readonly hub?: string; readonly appBaseUrl?: string }
  readonly genericUrls: readonly GenericUrl[]
}

const MAX_LINKS = 5

/** App, management console, then the free links; only those that a browser opens. */
export function linksOf(event: TaskEvent, { qlikSenseUrls, genericUrls }: LinkSettings): readonly Link[] {
  const all = [
    { text: 'Open app', url: cloudAppUrl(event) ?? appUrl(qlikSenseUrls.appBaseUrl, appIdOf(event)) },
    { text: 'Open QMC', url: qlikSenseUrls.qmc ?? '' },
    ...genericUrls.map(({ linkText, id, url }) => ({ text: linkText || id || url, url })),
  ]
  return all.filter(({ url }) => /^https?:\/\//i.test(url) && URL.canParse(url)).slice(0, MAX_LINKS)
}

/** Apps in Qlik Cloud live at an address of their own. Null for everything else. */
function cloudAppUrl({ type, details }: TaskEvent): string | null {
  if (type !== 'cloudReload') return null
  return details?.kind === 'cloudReload' ? String(details.variables.appUrl ?? '') : ''
}
