/**
 * The files of the documentation page, embedded in the executable. Each is loaded when it is first asked for, so that
 * the page costs nothing as long as nobody opens it.
 */

export interface Asset {
  readonly type: string
  readonly load: () => Promise<string>
}

const text = async (module: Promise<{ readonly default: string }>): Promise<string> => (await module).default

const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'

/** By name below `/documentation/static/`. */
export const ASSETS: ReadonlyMap<string, Asset> = new Map<string, Asset>([
  [
    'swagger-ui-bundle.js',
    { type: SCRIPT, load: () => text(import('swagger-ui-dist/swagger-ui-bundle.js', { with: { type: 'text' } })) },
  ],
  [
    'swagger-ui.css',
    { type: STYLE, load: () => text(import('swagger-ui-dist/swagger-ui.css', { with: { type: 'text' } })) },
  ],
  [
    'swagger-ui.license.txt',
    {
      type: 'text/plain; charset=utf-8',
      load: () => text(import('swagger-ui-dist/LICENSE', { with: { type: 'text' } })),
    },
  ],
  [
    'swagger-initializer.js',
    { type: SCRIPT, load: () => text(import('./assets/swagger-initializer.js', { with: { type: 'text' } })) },
  ],
  ['index.css', { type: STYLE, load: () => text(import('./assets/index.css', { with: { type: 'text' } })) }],
  ['logo.svg', { type: 'image/svg+xml', load: () => text(import('./assets/logo.svg', { with: { type: 'text' } })) }],
])
