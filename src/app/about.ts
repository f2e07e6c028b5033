/** `GET /v4/about`: the Footman that answers, and what the caller may do. */
import { stat, statfs } from 'node:fs/promises'
import { hostname } from 'node:os'
import { ABOUT } from '../console/contract.ts'
import { placesFor } from '../console/page.ts'
import { SCOPE_GROUPS } from '../http/config.ts'
import { ANY_SCOPE, type Caller } from '../http/endpoint/caller.ts'
import { type ApiRoute, route } from '../http/endpoint/route.ts'
import { COMMIT, TARGET, VERSION } from '../platform/version.ts'
import { hostZone } from '../platform/zone.ts'
import { databasesOf } from './migrations.ts'
import type { Config } from './schema.ts'
import type { AppOptions } from './types.ts'

interface AboutSettings {
  readonly dataDirectory: string
  readonly shadow: boolean
  readonly timezone: string
  readonly publicUrl: string
  readonly places: (may: (scope: string) => boolean) => string[]
  readonly node: { readonly role: string; readonly name: string }
}

export const aboutSettings = (
  { footman }: Config,
  { dataDirectory, shadow }: Pick<AppOptions, 'dataDirectory' | 'shadow'>,
): AboutSettings => ({
  dataDirectory,
  shadow,
  timezone: footman.timezone || hostZone(),
  publicUrl: footman.console.publicUrl,
  places: (may) => (footman.console.enable ? placesFor(may) : []),
  node: { role: footman.node.role, name: footman.node.name || hostname() },
})

/** `startedAt` in milliseconds since 1970. */
export function aboutRoute(startedAt: number, settings: () => AboutSettings): ApiRoute {
  return route({
    ...ABOUT,
    scope: ANY_SCOPE,
    summary: 'Report version, node, and what the caller may do',
    examples: [
      {
        name: 'about',
        status: 200,
        answer: {
          version: '0.1.0',
          commit: 'a1b2c3d4e5f6',
          platform: 'linux-x64',
          role: 'primary',
          node: 'qs1',
          shadow: false,
          startedAt: '2026-03-02T06:00:00.000Z',
          timezone: 'Europe/Stockholm',
          publicUrl: null,
          actor: 'key:ops',
          scopes: ['task:read', 'event:read'],
          places: ['now', 'events', 'tasks', 'delivery', 'system'],
        },
      },
    ],
    async handle({ caller, sees }, answer) {
      const { shadow, timezone, publicUrl, node, places, dataDirectory: directory } = settings()
      const dataDirectory = sees('admin') ? await storageOf(directory) : undefined
      return answer(200, {
        version: VERSION,
        commit: COMMIT,
        platform: TARGET,
        role: node.role,
        node: node.name,
        shadow,
        timezone,
        startedAt: new Date(startedAt).toISOString(),
        publicUrl: publicUrl || null,
        actor: caller.actor,
        scopes: scopesOf(caller),
        places: places(caller.may),
        ...(dataDirectory && { dataDirectory }),
      })
    },
  })
}

const VERBS = ['read', 'run', 'write']

function scopesOf(caller: Caller): string[] {
  if (caller.may('admin')) return ['admin']
  const all = SCOPE_GROUPS.filter((group) => group !== '*').flatMap((group) => VERBS.map((verb) => `${group}:${verb}`))
  return all.filter((scope) => caller.may(scope))
}

async function storageOf(directory: string) {
  const { bavail, bsize } = await statfs(directory)
  const databases = databasesOf(directory).map(async ({ name, file }) => {
    const sizes = await Promise.all([file, `${file}-wal`].map((one) => stat(one).catch(() => ({ size: 0 }))))
    return { name, bytes: sizes.reduce((sum, { size }) => sum + size, 0) }
  })
  return { freeBytes: bavail * bsize, databases: await Promise.all(databases) }
}
