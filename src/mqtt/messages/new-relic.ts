/** Sending to New Relic accounts: all of them are tried, and the outcome tells about each. */
import type { HttpClient } from '../../platform/http-client.ts'
import type { Logger } from '../../platform/types.ts'
import { relay } from './relay.ts'

export interface NewRelicAccount {
  readonly accountName: string
  readonly insertApiKey: string
  readonly accountId: string
}

interface NameValue {
  readonly name: string
  readonly value: string
}

/** `restServerEndpointsConfig.newRelic.postNewRelicEvent` or `.postNewRelicMetric`. */
export interface NewRelicTarget {
  readonly destinationAccount: readonly string[]
  readonly url: string
  readonly header: readonly NameValue[]
  readonly attribute: { readonly static: readonly NameValue[] }
}

export interface NewRelicOutcome {
  /** Destination accounts that exist and have a key. */
  readonly usable: number
  readonly failed: readonly { readonly account: string; readonly silent: boolean; readonly detail: string }[]
  /** Destination accounts without credentials. */
  readonly unknown: readonly string[]
}

export interface Posting {
  readonly target: NewRelicTarget
  readonly url: (account: NewRelicAccount) => string
  readonly body: string
}

export type NewRelicSender = (posting: Posting) => Promise<NewRelicOutcome>

export function createNewRelicSender(
  deps: { readonly http: HttpClient; readonly log: Logger },
  settings: { readonly accounts: readonly NewRelicAccount[]; readonly timeoutMs?: number },
): NewRelicSender {
  const { http, log } = deps
  const known = new Map(settings.accounts.map((account) => [account.accountName, account]))

  return async ({ target, url, body }) => {
    const names = [...new Set(target.destinationAccount)]
    const unknown = names.filter((name) => !known.get(name)?.insertApiKey)
    for (const name of unknown) {
      log.warn(`NEWRELIC: Account "${name}" is not in thirdPartyToolsCredentials.newRelic, or has no insertApiKey`)
    }
    const usable = names.filter((name) => !unknown.includes(name)).map((name) => known.get(name)!)
    const results = await Promise.all(
      usable.map(async (account) => ({
        account: account.accountName,
        result: await relay(http, 'New Relic', {
          method: 'POST',
          url: url(account),
          headers: headersOf(target.header, account),
          body,
          timeoutMs: settings.timeoutMs ?? 5000,
        }),
      })),
    )
    const failed = results.flatMap(({ account, result }) => (result.ok ? [] : [{ account, ...result }]))
    for (const { account, detail } of failed) log.error(`NEWRELIC: Sending to account "${account}" failed: ${detail}`)
    return { usable: usable.length, failed, unknown }
  }
}

function headersOf(extra: readonly NameValue[], account: NewRelicAccount): Record<string, string> {
  return {
    'Content-Type': 'application/json; charset=utf-8',
    ...Object.fromEntries(extra.map(({ name, value }) => [name, value])),
    'Api-Key': account.insertApiKey,
  }
}

/** Fixed attributes first; those of the request win. */
export function attributesOf(target: NewRelicTarget, requested: readonly NameValue[]): Record<string, string> {
  return Object.fromEntries([...target.attribute.static, ...requested].map(({ name, value }) => [name, value]))
}
