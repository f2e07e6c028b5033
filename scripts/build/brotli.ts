/** In the executable, the package `brotli` of fontkit: unpacks the tables of WOFF2 fonts. */
import { brotliDecompressSync } from 'node:zlib'

export default (packed: Uint8Array): Uint8Array => brotliDecompressSync(packed)
