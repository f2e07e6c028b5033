/** Plugin of the bundler that makes the executable smaller. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { PACKED } from '../../src/platform/assets.ts'

/** Fonts, WebAssembly and the page of the API: whole files that few installations use. */
const FILES = /\.(ttf|wasm|icc|xlsx)$|swagger-ui-bundle\.js$|swagger-ui\.css$/

/** An eighth of the time of the best compression, for 200 KB more. */
const QUICK = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }

/**
 * The import of a file of `FILES` gives a text: the mark `PACKED`, then the file in Brotli and base64, which
 * src/platform/assets.ts unpacks. The decompressor of fontkit, with 460 KB of tables, gives way to that of the runtime.
 */
export const packing: Bun.BunPlugin = {
  name: 'packing',
  setup(build) {
    build.onLoad({ filter: FILES }, ({ path }) => {
      const packed = `${PACKED}${brotliCompressSync(readFileSync(path), QUICK).toString('base64')}`
      return { contents: `export default ${JSON.stringify(packed)}`, loader: 'js' }
    })
    build.onResolve({ filter: /^brotli\/decompress\.js$/ }, () => ({ path: join(import.meta.dirname, 'brotli.ts') }))
  },
}
