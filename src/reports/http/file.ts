/** Documents as answers. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { refusal } from '../../http/errors.ts'

/**
 * The file as a download: no other content type is guessed, nothing is kept by proxies. `headers` replace those of a download.
 * Rejects with `DOCUMENT_GONE`.
 */
export async function fileAnswer(
  path: string,
  { fileName, mediaType, sha256 }: { readonly fileName: string; readonly mediaType: string; readonly sha256: string },
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const found = await stat(path).catch(() => null)
  if (!found) throw refusal('DOCUMENT_GONE', fileName)
  return new Response(Readable.toWeb(createReadStream(path)) as unknown as ReadableStream<Uint8Array>, {
    headers: {
      'content-type': mediaType,
      'content-length': String(found.size),
      'content-disposition': disposition('attachment', fileName),
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, no-store',
      etag: `"${sha256}"`,
      ...headers,
    },
  })
}

/** `Content-Disposition` with a name in any script (RFC 6266). */
export const disposition = (type: 'attachment' | 'inline', fileName: string): string =>
  `${type}; filename*=UTF-8''${encodeURIComponent(fileName.toWellFormed()).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)}`
