/** Plugins of the bundler that make the executable smaller. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { constants, zstdCompressSync } from 'node:zlib'
import { root } from './identity.ts'

/** Fonts, WebAssembly and the page of the API: whole files that few installations use. */
const FILES = /\.(ttf|wasm|icc|xlsx)$|swagger-ui-bundle\.js$|swagger-ui\.css$/

/**
 * Libraries that no start needs, by the file that the bundler takes of each. Their types and errors meet nothing of another
 * part of the program, so that it does not matter that what they import themselves is in them once more.
 */
const LIBRARIES = [
  'node_modules/@xmldom/xmldom/lib/index.js',
  'node_modules/@zip.js/zip.js/index.js',
  'node_modules/aedes/aedes.js',
  'node_modules/fast-xml-parser/src/fxp.js',
  'node_modules/fontkit/dist/module.mjs',
  'node_modules/ical.js/dist/ical.js',
  'node_modules/marked/lib/marked.esm.js',
  'node_modules/nodemailer/dist/esm/nodemailer.js',
  'node_modules/pdfkit/js/pdfkit.node.mjs',
  'node_modules/pg/esm/index.mjs',
  'node_modules/postal-mime/dist/esm/postal-mime.js',
  'node_modules/rrule-temporal/dist/index.js',
  'node_modules/smtp-server/dist/esm/smtp-server.js',
  'node_modules/svg-to-pdfkit/source.js',
  'src/reports/documents/charts/echarts.ts',
  'src/simulator/index.ts',
].map((file) => join(root, file))

const ASSETS = join(root, 'src', 'platform', 'assets.ts')
/** Begins the name under which a stub imports the code of its library. */
const PACKED = /^packed:/
const SUFFIX = '.zst'

const pack = (bytes: Uint8Array): Uint8Array =>
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 19 } })

/** The decompressor of fontkit, with 460 KB of tables, gives way to that of the runtime. */
export const runtimeBrotli: Bun.BunPlugin = {
  name: 'brotli of the runtime',
  setup(build) {
    build.onResolve({ filter: /^brotli\/decompress\.js$/ }, () => ({ path: join(import.meta.dirname, 'brotli.ts') }))
  },
}

/**
 * Embeds the files of `FILES` and the code of `LIBRARIES` compressed; src/platform/assets.ts unpacks them when they are needed. As
 * bytecode the libraries would take fifteen times as much. `bundle` makes one file of a library; it must come before the
 * build of the program, because Bun does one build at a time.
 */
export async function packing(bundle: (entry: string) => Promise<Bun.BuildOutput>): Promise<Bun.BunPlugin> {
  const libraries = new Map<string, Library>()
  for (const entry of LIBRARIES) libraries.set(entry, await packLibrary(entry, await bundle(entry)))
  return {
    name: 'packing',
    setup(build) {
      build.onLoad({ filter: FILES }, ({ path }) => ({ contents: pack(readFileSync(path)), loader: 'file' }))
      build.onLoad({ filter: /\.m?[jt]s$/ }, ({ path }) => {
        const library = libraries.get(path)
        return library && { contents: library.stub, loader: 'js' }
      })
      build.onResolve({ filter: PACKED }, ({ path }) => ({ path: path.replace(PACKED, ''), namespace: 'packed' }))
      build.onLoad({ filter: /.*/, namespace: 'packed' }, ({ path }) => ({
        contents: libraries.get(path.slice(0, -SUFFIX.length))?.code ?? '',
        loader: 'file',
      }))
    },
  }
}

interface Library {
  /** Compressed. */
  readonly code: Uint8Array
  /** Source of the module that takes the place of the library. */
  readonly stub: string
}

async function packLibrary(entry: string, { outputs, metafile }: Bun.BuildOutput): Promise<Library> {
  const [code] = outputs
  if (!code || outputs.length > 1) throw new Error(`${entry} is not bundled into one file`)
  const exported = Object.values(metafile?.outputs ?? {}).flatMap((output) => output.exports)
  // A CommonJS module has its value as default only.
  const names = exported.length > 0 ? exported : ['default']
  return {
    code: pack(new Uint8Array(await code.arrayBuffer())),
    stub: [
      `import path from ${JSON.stringify(`packed:${entry}${SUFFIX}`)}`,
      `import { importPacked } from ${JSON.stringify(ASSETS)}`,
      'const library = await importPacked(path)',
      `export const { ${names.filter((name) => name !== 'default').join(', ')} } = library`,
      ...(names.includes('default') ? ['export default library.default'] : []),
    ].join('\n'),
  }
}
