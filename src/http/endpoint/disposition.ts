/** Names of files in answers. */
import { onOneLine } from '../../platform/visible.ts'

/**
 * `Content-Disposition` with a name in any script (RFC 6266), without characters that make it look like another name, such
 * as those that turn the direction of writing.
 */
export const disposition = (type: 'attachment' | 'inline', fileName: string): string =>
  `${type}; filename*=UTF-8''${encodeURIComponent(onOneLine(fileName.toWellFormed())).replace(/['()*]/g, percentCode)}`

const percentCode = (sign: string): string => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`
