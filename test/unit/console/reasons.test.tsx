/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Every reason why a message was held back or given up, in words, with the numbers behind it and a link to its cause. */
import { expect, test } from 'bun:test'
import type { Delivery } from '../../../src/alerts/history/contract.ts'
import { DELIVERY_REASONS } from '../../../src/alerts/kinds.ts'
import type { PageContext } from '../../../src/console/page.ts'
import { REASONS, ReasonText } from '../../../src/console/pages/delivery/words.tsx'

const context = {
  timezone: 'Europe/Stockholm',
  now: Date.parse('2026-11-23T07:00:00.000Z'),
  link: (path: string, query: Record<string, string> = {}) => {
    const search = new URLSearchParams(query).toString()
    return `/console${path}${search && `?${search}`}`
  },
} as unknown as PageContext

const DELIVERY: Delivery = {
  id: 'd1',
  eventId: 'e1',
  kind: 'alert',
  route: 'finance',
  destination: 'ops-mail',
  destinationType: 'email',
  severity: 'error',
  target: 'ops@acme.example',
  state: 'suppressed',
  reason: null,
  detail: null,
  suppressedBy: null,
  createdAt: '2026-11-23T06:00:00.000Z',
  deliveredAt: null,
  latencyMs: null,
  nextAttemptAt: null,
  replayOf: null,
}

const AT = '2026-11-23T07:19:00.000Z'
const ROUTE = '/console/system/routes#route-finance'
const MAIL = '/console/destinations/ops-mail'

const CASES: Readonly<
  Record<NonNullable<Delivery['reason']>, readonly [given: Partial<Delivery>, text: string, href: string]>
> = {
  RATE_LIMITED: [
    { suppressedBy: { limit: { count: 1, windowMs: 300_000, nextSlotAt: AT } } },
    'rate limit: at most 1 in 5 min; next possible 08:19:00 · Rule',
    ROUTE,
  ],
  CUSTOM_PROPERTY: [
    { suppressedBy: { property: { name: 'alerts', value: 'Yes' } } },
    'custom property: the task does not have the custom property alerts = Yes · Rule',
    ROUTE,
  ],
  TAG: [{ suppressedBy: { tag: { name: 'critical' } } }, 'tag: the app does not have the tag critical · Rule', ROUTE],
  OWNER_EXCLUDED: [{ detail: 'LAB\\anna is excluded' }, 'owner excluded: LAB\\anna is excluded · Rule', ROUTE],
  APP_NOT_INCLUDED: [{ detail: 'app a1 is not listed' }, 'app not included: app a1 is not listed · Rule', ROUTE],
  NO_RECIPIENT: [
    { detail: 'no recipients are configured' },
    'no recipient: no recipients are configured · Rule',
    ROUTE,
  ],
  RECIPIENT_INVALID: [
    { detail: '"x" is no address' },
    'recipient not valid: &quot;x&quot; is no address · Destination',
    MAIL,
  ],
  MAINTENANCE: [
    { suppressedBy: { maintenance: { name: 'Patching', until: AT } } },
    'maintenance: maintenance Patching until 08:19 · Maintenance',
    '/console/system/maintenance',
  ],
  SNOOZED: [
    { suppressedBy: { snooze: { id: 's1', reason: 'database is moved', until: AT } } },
    'snoozed: snoozed until 08:19: database is moved · Snooze',
    '/console/snoozes#snooze-s1',
  ],
  GROUPED: [
    { suppressedBy: { group: { eventId: 'e0', taskId: 't0', taskName: 'ERP extract' } } },
    'grouped: part of the alert about ERP extract, which failed first · First event of the group',
    '/console/events/e0',
  ],
  RETRY_PENDING: [
    { suppressedBy: { retry: { attempt: 2, max: 3, at: AT, executionId: 'x1' } } },
    'retry first: retry 2 of 3 comes first, at 08:19:00 · Run of the retry',
    '/console/executions/x1',
  ],
  SHADOW_MODE: [
    {},
    'shadow mode: Footman runs in shadow mode: recorded, not sent · Configuration',
    '/console/system/config',
  ],
  EXPIRED: [
    { state: 'dead', detail: 'could not be delivered in time' },
    'too late: could not be delivered in time · Destination',
    MAIL,
  ],
  REJECTED: [
    { state: 'dead', detail: 'HTTP 404: channel_not_found' },
    'rejected, not tried again: HTTP 404: channel_not_found · Destination',
    MAIL,
  ],
  RENDER_FAILED: [
    { state: 'dead', detail: 'line 3: unknown helper' },
    'message could not be made: line 3: unknown helper · Rule',
    ROUTE,
  ],
  DESTINATION_REMOVED: [
    { state: 'dead', detail: 'destination is not in the configuration any more' },
    'destination removed: destination is not in the configuration any more · Destinations',
    '/console/destinations',
  ],
  CANCELLED: [
    { state: 'dead', detail: 'by key:ops' },
    'cancelled: by key:ops · Audit',
    '/console/system/audit?target=d1',
  ],
}

test('there are words for all reasons', () => {
  expect(Object.keys(REASONS).toSorted()).toEqual([...DELIVERY_REASONS].toSorted())
  expect(Object.keys(CASES).toSorted()).toEqual([...DELIVERY_REASONS].toSorted())
})

test.each(DELIVERY_REASONS)('%s', (reason) => {
  const [given, text, href] = CASES[reason]
  const html = String(<ReasonText context={context} delivery={{ ...DELIVERY, ...given, reason }} />)
  expect(html.replaceAll(/<[^>]*>/g, '')).toBe(text)
  expect(html).toContain(`href="${href}"`)
})
