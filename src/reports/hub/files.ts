/** The files of published reports as answers. */
import { stat } from 'node:fs/promises'
import { disposition } from '../../http/endpoint/disposition.ts'
import { Refusal } from '../../http/errors.ts'
import type { Blobs } from '../../platform/blobs.ts'
import { documentEntries, zipStream } from '../documents/zip.ts'
import { fileAnswer } from '../http/file.ts'
import { cleanName } from '../patterns.ts'
import type { HubItem } from './store.ts'

/** Formats that browsers show in a page without rights. */
const VIEWABLE: ReadonlySet<string> = new Set(['html', 'pdf', 'png', 'svg'])
export const isViewable = ({ format }: Pick<HubItem, 'format'>): boolean => VIEWABLE.has(format)

/** Reports are shown without any right: no script, no request. Browsers refuse their PDF viewer to a sandbox. */
const VIEW_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

export type HubFiles = ReturnType<typeof createHubFiles>

export function createHubFiles({ path }: Pick<Blobs, 'path'>) {
  return {
    /** The document as a download, or to be shown; null when its file is gone. */
    async file(item: HubItem, isShown: boolean): Promise<Response | null> {
      const answer = await fileAnswer(path(item.sha256), item).catch((error: unknown) => {
        if (error instanceof Refusal) return null
        throw error
      })
      if (!answer) return null
      answer.headers.set('referrer-policy', 'same-origin')
      answer.headers.set('cross-origin-resource-policy', 'same-origin')
      if (!isShown) return answer
      answer.headers.set('content-disposition', disposition('inline', item.fileName))
      answer.headers.set('content-security-policy', item.format === 'pdf' ? VIEW_POLICY : `${VIEW_POLICY}; sandbox`)
      answer.headers.set('x-frame-options', 'SAMEORIGIN')
      return answer
    },
    /** The documents as one archive; null when the file of one is gone. */
    async archive(title: string, items: readonly HubItem[], signal: AbortSignal): Promise<Response | null> {
      const found = await Promise.all(items.map(({ sha256 }) => exists(path(sha256))))
      if (!found.every(Boolean)) return null
      return new Response(zipStream(documentEntries(items, path), { signal }), {
        headers: {
          'content-type': 'application/zip',
          'content-disposition': disposition('attachment', `${cleanName(title)}.zip`),
          'x-content-type-options': 'nosniff',
          'cache-control': 'private, no-store',
          'referrer-policy': 'same-origin',
          'cross-origin-resource-policy': 'same-origin',
        },
      })
    },
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
