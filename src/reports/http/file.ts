/** Documents as answers. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { type Answered, asIs } from '../../http/endpoint/contract.ts'
import { disposition } from '../../http/endpoint/disposition.ts'
import { refusal } from '../../http/errors.ts'

/**
 * The file as a download: no other content type is guessed, nothing is kept by proxies. `headers` replace those of a download.
 * Rejects with `DOCUMENT_GONE`.
 */
export async function fileAnswer(
  path: string,
  { fileName, mediaType, sha256 }: { readonly fileName: string; readonly mediaType: string; readonly sha256: string },
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const found = await stat(path).catch(() => null)
  if (!found) throw refusal('DOCUMENT_GONE', fileName)
  return asIs(
    new Response(Readable.toWeb(createReadStream(path)) as unknown as ReadableStream<Uint8Array>, {
      headers: {
        'content-type': mediaType,
        'content-length': String(found.size),
        'content-disposition': disposition('attachment', fileName),
        'x-content-type-options': 'nosniff',
        'cache-control': 'private, no-store',
        etag: `"${sha256}"`,
        ...headers,
      },
    }),
  )
}
