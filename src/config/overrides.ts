/** Settings of the command line, which override those of the file. */
import { emptyMap, listOf, type MapNode, type Scalar, scalar, setAt } from './tree.ts'

export interface NewRelicAccountOption {
  readonly accountName: string
  readonly insertApiKey: string
  readonly accountId: string
}

export interface Overrides {
  readonly logLevel?: string
  /** Replace all accounts of the file. */
  readonly newRelicAccounts?: readonly NewRelicAccountOption[]
  /** Requests per minute and client; 0 = no limit. */
  readonly apiRateLimit?: number
  readonly shadow?: boolean
  /** False: run without Qlik Sense. */
  readonly qlikConnection?: boolean
  /** Start in spite of errors: wrong values get their defaults or stay off. */
  readonly skipVerification?: boolean
}

const PLACE = { file: 'command line', line: 0, column: 0 }

/** Writes the values into the tree, so that they are checked like those of the file. */
export function applyOverrides(root: MapNode, overrides: Overrides): void {
  const set = (path: string, value: Scalar | undefined) => {
    if (value !== undefined) setAt(root, ['Butler', ...path.split('.')], scalar(value, PLACE), PLACE)
  }
  set('logLevel', overrides.logLevel)
  set('footman.api.rateLimitPerMinute', overrides.apiRateLimit)
  set('footman.shadow', overrides.shadow)
  if (!overrides.newRelicAccounts) return
  const accounts = overrides.newRelicAccounts.map((account) => {
    const map = emptyMap(PLACE)
    for (const [key, value] of Object.entries(account)) map.entries.set(key, { at: PLACE, node: scalar(value, PLACE) })
    return map
  })
  setAt(root, ['Butler', 'thirdPartyToolsCredentials', 'newRelic'], listOf(accounts, PLACE), PLACE)
}
