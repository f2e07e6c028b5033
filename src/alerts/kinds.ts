/** States, kinds and reasons of deliveries, as API and database name them. */

export const DELIVERY_STATES = ['pending', 'sending', 'delivered', 'suppressed', 'dead'] as const

export const DELIVERY_KINDS = ['alert', 'recovery', 'fallback', 'summary', 'test'] as const

/** Why a delivery was decided against. */
export const SUPPRESS_REASONS = [
  'RATE_LIMITED',
  'CUSTOM_PROPERTY',
  'TAG',
  'OWNER_EXCLUDED',
  'APP_NOT_INCLUDED',
  'NO_RECIPIENT',
  'RECIPIENT_INVALID',
  'MAINTENANCE',
  'SNOOZED',
  'GROUPED',
  'RETRY_PENDING',
  'SHADOW_MODE',
] as const

/** Why a delivery was given up. */
export const DEAD_REASONS = ['EXPIRED', 'REJECTED', 'RENDER_FAILED', 'DESTINATION_REMOVED', 'CANCELLED'] as const

export const DELIVERY_REASONS = [...SUPPRESS_REASONS, ...DEAD_REASONS] as const
