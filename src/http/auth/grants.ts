/** Rights that an admin grants to a key, a claim of a token or a certificate, and the caller that has them. */

import { addressMatcher } from '../../platform/addresses.ts'
import { SCOPE } from '../config.ts'
import {
  ANY_SCOPE,
  type Caller,
  forbidden,
  type GrantLimits,
  NO_LIMITS,
  type TaskSelectors,
} from '../endpoint/caller.ts'
import { type Refusal, refusal } from '../errors.ts'

export interface GrantSettings {
  readonly scopes: readonly string[]
  readonly startFilter?: TaskSelectors | undefined
  readonly keyValueNamespaces?: readonly string[] | undefined
  readonly allowFrom?: readonly string[] | undefined
}

export interface Grant extends GrantLimits {
  holds(scope: string): boolean
  allowsAddress(address: string): boolean
}

export function compileGrant(settings: GrantSettings): Grant {
  const { scopes, startFilter = null, keyValueNamespaces = null, allowFrom } = settings
  return {
    holds: scopeMatcher(scopes),
    allowsAddress: allowFrom ? addressMatcher(allowFrom) : () => true,
    startFilter,
    keyValueNamespaces,
  }
}

export const addressNotAllowed = (address: string): Refusal =>
  refusal('ADDRESS_NOT_ALLOWED', `Calls from ${address} are not allowed`)

/** Grants add up; a limit binds only the scopes of its own grant. */
export function createCaller(actor: string, grants: readonly Grant[], address: string): Caller {
  const usable = grants.filter((grant) => grant.allowsAddress(address))
  const may = (scope: string) => usable.some((grant) => grant.holds(scope))
  return {
    actor,
    may,
    limits: (scope) => limitsOf(usable.filter((grant) => grant.holds(scope))),
    refusal(scope) {
      if (may(scope)) return null
      if (grants.some((grant) => grant.holds(scope))) return addressNotAllowed(address)
      return forbidden(
        scope === ANY_SCOPE
          ? 'A scope is required, whichever: these credentials have none'
          : `Scope ${scope} is required`,
      )
    },
  }
}

function limitsOf(grants: readonly Grant[]): GrantLimits {
  if (grants.length === 0) return { startFilter: NOTHING, keyValueNamespaces: [] }
  if (grants.length === 1) return grants[0] ?? NO_LIMITS
  const filters = grants.map(({ startFilter }) => startFilter)
  const namespaces = grants.map(({ keyValueNamespaces }) => keyValueNamespaces)
  return {
    startFilter: filters.every((one) => one !== null) ? addedUp(filters) : null,
    keyValueNamespaces: namespaces.every((one) => one !== null) ? namespaces.flat() : null,
  }
}

const NOTHING: TaskSelectors = { taskId: [], tag: [], customProperty: [] }

const addedUp = (filters: readonly TaskSelectors[]): TaskSelectors => ({
  taskId: filters.flatMap(({ taskId }) => taskId),
  tag: filters.flatMap(({ tag }) => tag),
  customProperty: filters.flatMap(({ customProperty }) => customProperty),
})

export const isScope = (text: string): boolean => SCOPE.test(text)

/** A function that returns whether these scopes allow a wanted one (which holds no `*`). */
export function scopeMatcher(scopes: readonly string[]): (wanted: string) => boolean {
  const held = new Set(scopes)
  if (held.has('admin')) return () => true
  return (wanted) => {
    if (wanted === ANY_SCOPE) return held.size > 0
    if (wanted === 'admin') return false
    const [group, verb] = wanted.split(':')
    return held.has(wanted) || held.has(`${group}:*`) || held.has(`*:${verb}`) || held.has('*:*')
  }
}
