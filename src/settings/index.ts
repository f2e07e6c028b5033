/** Settings that people change while Footman runs: destinations, rules, calendars and others, beside those of the file. */
import { isDeepStrictEqual } from 'node:util'
import type { SharedState } from '../cluster/types.ts'
import { PLACEHOLDER } from '../config/external.ts'
import { scalars, type TreeNode } from '../config/tree.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import { refusal } from '../http/errors.ts'
import { errorText } from '../platform/errors.ts'
import type { Clock } from '../platform/types.ts'
import { createChanges, type SettingsUser } from './changes.ts'
import type { SettingsConfig } from './config.ts'
import { type SettingsInUse, settingRoutes } from './http.ts'
import { entryAt } from './kinds.ts'
import { type KeySettings, openSealer } from './sealed.ts'
import { openSettings, type SettingStore, type SettingValue, type StoredSetting } from './store.ts'
import type { WholeConfiguration } from './views.ts'

export interface SettingsDeps {
  readonly clock: Clock
  readonly store: SettingStore
  readonly shared: Pick<SharedState, 'mode'>
  readonly user: SettingsUser
  readonly whole: WholeConfiguration
  readonly inUse: SettingsInUse
  /** `Butler.footman.settings` in use. */
  readonly live: () => SettingsConfig
  readonly startTopics: () => readonly string[]
}

export function createSettings(deps: SettingsDeps, at: KeySettings): { readonly routes: readonly ApiRoute[] } {
  const { clock, store, shared, user, whole, inUse, live } = deps
  const locked = () => (live().editable ? null : 'Butler.footman.settings.editable is false: the files rule')
  const keyed = async () => {
    if (shared.mode !== 'single' && at.key === '') {
      const missing =
        'To store secrets, the nodes of a cluster need Butler.footman.settings.key, the same on all of them'
      throw refusal('SETTINGS_LOCKED', missing)
    }
    return openSealer(at).catch((error: unknown) => {
      throw refusal('SETTINGS_LOCKED', `The secret cannot be encrypted: ${errorText(error)}`)
    })
  }
  const outside = () => whole.references().filter(({ isOutside }) => isOutside)
  const open = (rows: readonly StoredSetting[]) => openSettings(rows, at)
  const { change, test } = createChanges({
    store,
    user,
    locked,
    outside,
    sealer: keyed,
    open,
  })
  const limits = () => {
    const butler = whole.nodeAt(['Butler'])
    return {
      placeholders: butler ? placeholdersOfFile(butler) : new Set<string>(),
      allowHosts: live().allowHosts,
      startTopics: deps.startTopics(),
    }
  }
  const same = async (row: StoredSetting, value: SettingValue) =>
    isDeepStrictEqual((await open([row]))[0]?.opened, value)
  return { routes: settingRoutes({ clock, store, whole, change, same, test, inUse, locked, limits }) }
}

/** The placeholders that the file uses, each once; those of stored entries do not count. */
function placeholdersOfFile(root: TreeNode): ReadonlySet<string> {
  const found = new Set<string>()
  for (const { node } of scalars(root)) {
    if (entryAt(node.at.file) === null) for (const one of node.written?.match(PLACEHOLDER) ?? []) found.add(one)
  }
  return found
}
