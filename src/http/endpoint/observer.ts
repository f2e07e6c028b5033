/** Who counts what the REST API answers. */

/** Why a caller was turned away. */
export const AUTH_FAILURES = ['missing', 'invalid', 'expired', 'scope', 'address', 'browser'] as const
export type AuthFailure = (typeof AUTH_FAILURES)[number]

/** Told about every answer before it leaves; must be quick. */
export interface RequestObserver {
  /** `path` as the endpoint is declared (`/v4/app/{appId}/dump`); null when no endpoint was reached. */
  answered(method: string, path: string | null, status: number, milliseconds: number): void
  authFailed(reason: AuthFailure): void
}

export const SILENT_OBSERVER: RequestObserver = { answered: () => {}, authFailed: () => {} }
