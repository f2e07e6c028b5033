/** New Relic accounts from the command line. */
import type { NewRelicAccountOption } from '../config/overrides.ts'

interface NewRelicOptions {
  readonly newRelicAccountName?: readonly string[]
  readonly newRelicApiKey?: readonly string[]
  readonly newRelicAccountId?: readonly string[]
}

/** What versions before 8.3 called their only account. */
const ONLY_ACCOUNT = 'default'

/** The accounts given, none when no option was used; null when the lists do not match. */
export function newRelicAccounts(options: NewRelicOptions): readonly NewRelicAccountOption[] | null {
  const keys = options.newRelicApiKey ?? []
  const ids = options.newRelicAccountId ?? []
  const names = options.newRelicAccountName ?? (keys.length === 1 ? [ONLY_ACCOUNT] : [])
  if (names.length !== keys.length || keys.length !== ids.length) return null
  return names.map((accountName, index) => ({
    accountName,
    insertApiKey: keys[index]!,
    accountId: ids[index]!,
  }))
}
