import type { Reply, SimRequest } from '../types.ts'
import { checkXrfKey, empty, identify, parseQuery, type QrsDeps, Refusal, type Route } from './context.ts'
import { ENTITY_ROUTES } from './routes-entities.ts'
import { SITE_ROUTES } from './routes-site.ts'
import { TASK_ROUTES } from './routes-tasks.ts'

const GUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'

interface CompiledRoute {
  readonly route: Route
  readonly pattern: RegExp
  /** The same path with anything in place of a GUID; what fits only this has a malformed id. */
  readonly loose: RegExp
}

function compileRoute(route: Route): CompiledRoute {
  const pattern = (id: string) =>
    new RegExp(`^${route.path.replaceAll('<id>', `(${id})`).replaceAll('<*>', '([^/]+)')}/?$`, 'i')
  return { route, pattern: pattern(GUID), loose: pattern('[^/]+') }
}

/** Routes by method and first part of the path, in the order of the tables. */
function index(routes: readonly Route[]): ReadonlyMap<string, readonly CompiledRoute[]> {
  const map = new Map<string, CompiledRoute[]>()
  for (const route of routes) {
    const key = `${route.method} ${route.path.split('/')[0]}`
    map.set(key, [...(map.get(key) ?? []), compileRoute(route)])
  }
  return map
}

/** The repository service: answers requests to `/qrs/...` as the documents of Qlik and field reports describe it. */
export function createQrs(deps: QrsDeps): (request: SimRequest) => Reply {
  const routes = index([...SITE_ROUTES, ...TASK_ROUTES, ...ENTITY_ROUTES])

  function answer(request: SimRequest): Reply {
    if (!/^\/qrs\//i.test(request.path)) return empty(404)
    const query = parseQuery(request.query)
    checkXrfKey(request, query)
    const caller = identify(request, deps.site)
    const path = request.path.slice('/qrs/'.length)
    const candidates = routes.get(`${request.method} ${path.split('/', 1)[0]?.toLowerCase()}`) ?? []
    for (const { route, pattern } of candidates) {
      const match = pattern.exec(path)
      if (!match) continue
      if (!route.everyone && !caller.administrator) return empty(403)
      const params = match.slice(1).map((part) => part.toLowerCase())
      return route.handle({ ...deps, request, query, caller, params })
    }
    return empty(candidates.some(({ loose }) => loose.test(path)) ? 400 : 404)
  }

  function answerOrRefuse(request: SimRequest): Reply {
    try {
      return answer(request)
    } catch (error) {
      if (error instanceof Refusal) return error.reply
      throw error
    }
  }

  return (request) => {
    const reply = answerOrRefuse(request)
    // The clock of the server is the clock of the site.
    return { ...reply, headers: { ...reply.headers, date: new Date(deps.site.clock.now()).toUTCString() } }
  }
}
