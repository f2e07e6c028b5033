/** Files of the pages. Their address changes with their content, so browsers keep them for ever. */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { takesGzip } from '../http/middleware/compress.ts'
import tokens from '../platform/tokens.css' with { type: 'text' }
import configScript from './assets/config.js' with { type: 'text' }
import editorScript from './assets/editor.js' with { type: 'text' }
import frame from './assets/frame.js' with { type: 'text' }
import icons from './assets/icons.svg' with { type: 'text' }
import live from './assets/live.js' with { type: 'text' }
import log from './assets/log.js' with { type: 'text' }
import lookup from './assets/lookup.js' with { type: 'text' }
import pairs from './assets/pairs.js' with { type: 'text' }
import palette from './assets/palette.js' with { type: 'text' }
import pictures from './assets/pictures.js' with { type: 'text' }
import schedule from './assets/schedule.js' with { type: 'text' }
import base from './assets/styles/base.css' with { type: 'text' }
import config from './assets/styles/config.css' with { type: 'text' }
import detail from './assets/styles/detail.css' with { type: 'text' }
import editor from './assets/styles/editor.css' with { type: 'text' }
import events from './assets/styles/events.css' with { type: 'text' }
import frameStyles from './assets/styles/frame.css' with { type: 'text' }
import now from './assets/styles/now.css' with { type: 'text' }
import panels from './assets/styles/panels.css' with { type: 'text' }
import readers from './assets/styles/readers.css' with { type: 'text' }
import schedules from './assets/styles/schedules.css' with { type: 'text' }
import small from './assets/styles/small.css' with { type: 'text' }

const FILES: Readonly<Record<string, readonly [type: string, text: string]>> = {
  'console.css': [
    'text/css',
    [tokens, base, frameStyles, panels, now, detail, editor, events, schedules, small, readers, config].join('\n'),
  ],
  'icons.svg': ['image/svg+xml', icons],
  'config.js': ['text/javascript', configScript],
  'frame.js': ['text/javascript', frame],
  'editor.js': ['text/javascript', editorScript],
  'schedule.js': ['text/javascript', schedule],
  'live.js': ['text/javascript', live],
  'lookup.js': ['text/javascript', lookup],
  'pairs.js': ['text/javascript', pairs],
  'palette.js': ['text/javascript', palette],
  'pictures.js': ['text/javascript', pictures],
  'log.js': ['text/javascript', log],
}

const VERSION_OF_ALL = createHash('sha256').update(JSON.stringify(FILES)).digest('hex').slice(0, 12)

/** Below the console: `/assets/<hash>/console.css`. */
export const assetPath = (name: string): string => `/assets/${VERSION_OF_ALL}/${name}`

const compressed = new Map<string, Uint8Array<ArrayBuffer>>()

/** The answer of an asset; null for an unknown name, or the hash of another version. */
export function assetAnswer(hash: string, name: string, acceptEncoding: string | null): Response | null {
  const file = hash === VERSION_OF_ALL && Object.hasOwn(FILES, name) ? FILES[name] : undefined
  if (!file) return null
  const [type, text] = file
  const headers = {
    'content-type': `${type}; charset=utf-8`,
    'cache-control': 'public, max-age=31536000, immutable',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    vary: 'Accept-Encoding',
  }
  if (!takesGzip(acceptEncoding)) return new Response(text, { headers })
  const bytes = compressed.get(name) ?? new Uint8Array(gzipSync(text, { level: 9 }))
  compressed.set(name, bytes)
  return new Response(bytes, { headers: { ...headers, 'content-encoding': 'gzip' } })
}
