/** Access tokens for SASL XOAUTH2, as Microsoft 365 and Google demand them. */
import { createHttpClient } from '../../../platform/http-client.ts'
import type { EmailConfig } from '../../config-email.ts'

export type OauthSettings = EmailConfig['oauth2']

export interface TokenSource {
  /** A token that is valid for at least a minute; `renew` asks for a new one although the old one looks valid. */
  token(renew: boolean): Promise<{ readonly accessToken: string; readonly expires: number }>
  close(): void
}

const REQUEST_TIMEOUT_MS = 15_000
const EARLY_MS = 60_000
/** When the server does not say how long a token is valid. */
const DEFAULT_LIFETIME_S = 3600

/** Null when the section is not filled in: then the login is name and password. */
export function createTokenSource(
  settings: OauthSettings,
  now: () => number = Date.now,
  proxyEnv: Readonly<Record<string, string | undefined>> = process.env,
): TokenSource | null {
  if (!settings.tokenUrl) return null
  const http = createHttpClient({ timeoutMs: REQUEST_TIMEOUT_MS, proxyEnv })
  let current: { accessToken: string; expires: number } | null = null
  let pending: Promise<{ accessToken: string; expires: number }> | null = null

  async function fetchToken() {
    const response = await http.request({
      method: 'POST',
      url: settings.tokenUrl,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' },
      body: new URLSearchParams(grant(settings)).toString(),
    })
    const answer = readAnswer(response.text())
    if (response.status !== 200 || typeof answer.access_token !== 'string') {
      const reason = typeof answer.error === 'string' ? answer.error : `HTTP ${response.status}`
      throw new Error(`Butler.footman.email.oauth2: ${new URL(settings.tokenUrl).host} gave no token (${reason})`)
    }
    const seconds = Number(answer.expires_in) || DEFAULT_LIFETIME_S
    current = { accessToken: answer.access_token, expires: now() + seconds * 1000 }
    return current
  }

  return {
    async token(renew) {
      if (!renew && current && current.expires - EARLY_MS > now()) return current
      pending ??= fetchToken().finally(() => {
        pending = null
      })
      return pending
    },
    close: () => http.close(),
  }
}

function grant({ clientId, clientSecret, scope, refreshToken }: OauthSettings): Record<string, string> {
  const client = { client_id: clientId, client_secret: clientSecret, ...(scope ? { scope } : {}) }
  if (refreshToken) return { grant_type: 'refresh_token', refresh_token: refreshToken, ...client }
  return { grant_type: 'client_credentials', ...client }
}

function readAnswer(text: string): Record<string, unknown> {
  try {
    const answer: unknown = JSON.parse(text)
    return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
