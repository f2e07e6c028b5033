/** The description of the REST API (OpenAPI 3.1), made from the endpoints that exist. */
import type { ApiRoute } from '../endpoint/route.ts'
import { responses, SECURITY_SCHEMES, schemas } from './components.ts'
import { operationOf } from './operation.ts'
import type { OpenApiDocument, Operation } from './types.ts'

export interface DocumentSettings {
  readonly version: string
  /** `http://10.11.12.13:8080` */
  readonly serverUrl: string
  /** Access control is on. */
  readonly locked: boolean
}

const DESCRIPTION = `The REST API of Footman: starts tasks, reloads, lists and dumps apps, and more, for Qlik Sense Enterprise on Windows.

Clients that can send GET and POST only (load scripts) name the method in the header \`X-HTTP-Method-Override\`; what takes PUT takes a plain POST, too. Bodies are JSON whatever their content type says. Where a number or boolean is wanted, a text like \`"42"\` or \`"true"\` will do, and a single value where a list is wanted. Only endpoints that are switched on in \`Butler.restServerEndpointsEnable\` exist and are listed here.`

/** `routes`: the enabled ones. */
export function openApiDocument(routes: readonly ApiRoute[], settings: DocumentSettings): OpenApiDocument {
  const { version, serverUrl, locked } = settings
  return {
    openapi: '3.1.0',
    info: {
      title: 'Butler API documentation',
      version,
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: serverUrl }],
    paths: pathsOf(routes, locked),
    components: {
      schemas: schemas(),
      responses: responses(),
      ...(locked && { securitySchemes: SECURITY_SCHEMES }),
    },
  }
}

function pathsOf(routes: readonly ApiRoute[], locked: boolean): OpenApiDocument['paths'] {
  const paths: Record<string, Record<string, Operation>> = {}
  for (const route of routes.filter(isListed)) {
    const item = paths[route.path] ?? {}
    for (const method of route.methods) item[method.toLowerCase()] = operationOf(route, method, locked)
    paths[route.path] = item
  }
  return paths
}

/** Paths with an empty segment stand for a mistake that is answered kindly, not for something to use. */
const isListed = ({ documented, path }: ApiRoute): boolean => documented !== false && !/\/(\/|$)/.test(path)
