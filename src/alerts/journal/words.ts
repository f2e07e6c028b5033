/** The closed lists of words that events and deliveries are described with. */
import { z } from 'zod'

export { EVENT_OUTCOMES, EVENT_SOURCES, EVENT_TYPES, SEVERITIES } from '../../events/kinds.ts'

import type { DeadReason, DeliveryKind, DeliveryState, SuppressReason } from '../types.ts'

export const EVENT_STATES = ['pending', 'routed', 'ignored']
export const DELIVERY_STATES: readonly DeliveryState[] = ['pending', 'sending', 'delivered', 'suppressed', 'dead']
export const KINDS: readonly DeliveryKind[] = ['alert', 'recovery', 'fallback', 'summary', 'test']
export const SUPPRESS_REASONS: readonly SuppressReason[] = [
  ...(['RATE_LIMITED', 'CUSTOM_PROPERTY', 'TAG', 'OWNER_EXCLUDED', 'APP_NOT_INCLUDED', 'NO_RECIPIENT'] as const),
  ...(['RECIPIENT_INVALID', 'MAINTENANCE', 'SNOOZED', 'GROUPED', 'RETRY_PENDING', 'SHADOW_MODE'] as const),
]
export const DEAD_REASONS: readonly DeadReason[] = [
  ...(['EXPIRED', 'REJECTED', 'RENDER_FAILED', 'DESTINATION_REMOVED', 'CANCELLED'] as const),
]
export const DELIVERY_REASONS: readonly (SuppressReason | DeadReason)[] = [...SUPPRESS_REASONS, ...DEAD_REASONS]
export const DROP_REASONS = [
  ...['SOURCE_NOT_ALLOWED', 'TOO_LARGE', 'RATE_LIMITED', 'INVALID', 'UNKNOWN_TYPE', 'DUPLICATE', 'TASK_NOT_FOUND'],
  'BACKLOG_FULL',
]

/** A parameter that may be repeated: any of the values. */
export const anyOf = (values: readonly string[]) =>
  z
    .array(z.enum(values as [string, ...string[]]))
    .describe('May be repeated: any of them.')
    .optional()

export const anyText = (what: string) =>
  z.array(z.string()).describe(`${what} May be repeated: any of them.`).optional()
