/** From method and path to the route that answers. */
import { Hono } from 'hono'
import type { ApiRoute, Method } from './endpoint/route.ts'
import { createPathTree, type PathTree } from './path-tree.ts'

/** A route, and what is known about it before any request. */
export interface PreparedRoute {
  readonly route: ApiRoute
  /** The group `kv` is granted by namespace. */
  readonly namespaced: boolean
}

export type Params = () => Record<string, string>

type Answer = Response | Promise<Response>

/** Finds the route and calls `serve`, or `unknown` when there is none; `onError` gets what the matching itself throws. */
export function createRouteTable<
  Call extends { readonly request: Request; readonly method: string; readonly url: string },
>(
  routes: readonly ApiRoute[],
  serve: (prepared: PreparedRoute, call: Call, params: Params) => Answer,
  unknown: (call: Call) => Response,
  onError: (error: unknown, call: Call) => Response,
): (call: Call) => Answer {
  const app = new Hono<{ Bindings: Call }>()
  // Exact matches (ping, health) need no pattern matching, and load balancers ask for them all the time.
  const fixed = new Map<string, Map<string, PreparedRoute>>()
  const trees = new Map<string, PathTree<PreparedRoute>>()

  for (const route of inMatchingOrder(routes)) {
    const prepared: PreparedRoute = { route, namespaced: isNamespaced(route) }
    const methods = methodsOf(route, routes)
    app.on(methods, honoPath(route.path), (c) => serve(prepared, c.env, () => c.req.param()))
    if (!route.path.includes('{')) for (const method of methods) fixedOf(method).set(route.path, prepared)
    for (const method of methods) treeOf(method).add(route.path, prepared)
  }
  app.notFound((c) => unknown(c.env))
  app.onError((error, c) => onError(error, c.env))

  return (call) => {
    const prepared = fixed.get(call.method)?.get(call.url)
    if (prepared) return serve(prepared, call, noParams)
    const path = pathOf(call.url)
    const found = path === null ? null : trees.get(call.method)?.find(path)
    return found ? serve(found.value, call, () => found.params) : app.fetch(call.request, call)
  }

  function fixedOf(method: string): Map<string, PreparedRoute> {
    const known = fixed.get(method) ?? new Map<string, PreparedRoute>()
    fixed.set(method, known)
    return known
  }

  function treeOf(method: string): PathTree<PreparedRoute> {
    const tree = trees.get(method) ?? createPathTree<PreparedRoute>()
    trees.set(method, tree)
    return tree
  }
}

const noParams: Params = () => ({})

/** Null when it holds something to decode. */
function pathOf(url: string): string | null {
  const mark = url.indexOf('?')
  const path = mark === -1 ? url : url.slice(0, mark)
  return path.includes('%') ? null : path
}

const isNamespaced = ({ scope, path }: ApiRoute): boolean =>
  (scope?.startsWith('kv:') ?? false) && path.includes('{namespace}')

/** A path that only takes PUT also takes plain POST. */
function methodsOf(route: ApiRoute, all: readonly ApiRoute[]): Method[] {
  const postExists = all.some((other) => other.path === route.path && other.methods.includes('POST'))
  return route.methods.includes('PUT') && !postExists ? [...route.methods, 'POST'] : [...route.methods]
}

/** Fixed segments win over parameters. */
function inMatchingOrder(routes: readonly ApiRoute[]): ApiRoute[] {
  return [...routes].sort((a, b) => (pattern(a) < pattern(b) ? -1 : pattern(a) > pattern(b) ? 1 : 0))
}

const pattern = ({ path }: ApiRoute): string =>
  path
    .split('/')
    .map((segment) => (segment.startsWith('{') ? '1' : '0'))
    .join('')

const honoPath = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1')
