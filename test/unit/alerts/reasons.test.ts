import { expect, test } from 'bun:test'
import { DEAD_REASONS, DELIVERY_REASONS, SUPPRESS_REASONS } from '../../../src/alerts/kinds.ts'
import type { DeadReason, SuppressReason } from '../../../src/alerts/types.ts'

/** Complete by their types: whatever the code can give as a reason stands here. */
const SUPPRESSED: Readonly<Record<SuppressReason, true>> = {
  RATE_LIMITED: true,
  CUSTOM_PROPERTY: true,
  TAG: true,
  OWNER_EXCLUDED: true,
  APP_NOT_INCLUDED: true,
  NO_RECIPIENT: true,
  RECIPIENT_INVALID: true,
  MAINTENANCE: true,
  SNOOZED: true,
  GROUPED: true,
  RETRY_PENDING: true,
  SHADOW_MODE: true,
}
const DEAD: Readonly<Record<DeadReason, true>> = {
  EXPIRED: true,
  REJECTED: true,
  RENDER_FAILED: true,
  DESTINATION_REMOVED: true,
  CANCELLED: true,
}

test('the API knows every reason of a delivery, and no other word', () => {
  expect([...SUPPRESS_REASONS]).toEqual(Object.keys(SUPPRESSED) as SuppressReason[])
  expect([...DEAD_REASONS]).toEqual(Object.keys(DEAD) as DeadReason[])
  expect([...DELIVERY_REASONS]).toEqual([...SUPPRESS_REASONS, ...DEAD_REASONS])
})
