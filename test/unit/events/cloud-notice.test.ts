/** The forms in which Qlik Cloud tells that a reload has ended. */
import { describe, expect, test } from 'bun:test'
import * as fc from 'fast-check'
import { noticeKey, parseNotice } from '../../../src/events/cloud/notice.ts'
import type { ReloadNotice } from '../../../src/qlik/cloud/types.ts'

const APP = '86ee4ae7-7ae7-4dd4-98a1-ebea989f78fb'
const LEGACY = {
  cloudEventsVersion: '0.1',
  source: 'com.qlik/engine',
  contentType: 'application/json',
  eventId: 'b0f5c473-5dea-4d7e-a188-5e0b904cde33',
  eventTime: '2024-10-14T11:41:31Z',
  eventTypeVersion: '1.0.0',
  eventType: 'com.qlik.v1.app.reload.finished',
  extensions: { ownerId: '65f0b1c2', tenantId: 'UkeLb6', userId: '65f0b1c3', topLevelResourceId: APP },
}
const MODERN = {
  id: 'ccb149fb-e2dd-420b-8d9f-e6aacb95eb76',
  specversion: '1.0',
  type: 'com.qlik.v1.app.reload.finished',
  source: 'com.qlik/engine',
  time: '2026-02-03T07:06:22Z',
  tenantid: 'UkeLb6',
  userid: '65f0b1c3',
  ownerid: '65f0b1c2',
  toplevelresourceid: APP,
}
const ENGINE = { name: 'Sales cloud app', status: 'error', reloadId: '670d0369dededd0781e18ade' }
const RELOAD = {
  ...MODERN,
  type: 'com.qlik.v1.reload.finished',
  source: 'com.qlik/reloads',
  toplevelresourceid: undefined,
  data: { id: '670d0369dededd0781e18ade', appId: APP, succeeded: false, status: 'FAILED', tenantId: 'UkeLb6' },
}

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))
function notice(value: unknown): ReloadNotice {
  const parsed = parseNotice(bytes(value))
  if (parsed.kind !== 'notice') throw new Error(`${parsed.kind}: ${parsed.why}`)
  return parsed.notice
}

const IDS = { tenantId: 'UkeLb6', userId: '65f0b1c3', ownerId: '65f0b1c2', appId: APP }

describe('a reload that failed', () => {
  test('in the legacy envelope', () => {
    expect(notice({ ...LEGACY, data: ENGINE })).toMatchObject({
      ...IDS,
      appName: 'Sales cloud app',
      reloadId: '670d0369dededd0781e18ade',
      outcome: 'failed',
      status: 'error',
      time: '2024-10-14T11:41:31Z',
      eventTypeVersion: '1.0.0',
      source: 'com.qlik/engine',
    })
  })

  test('as CloudEvents 1.0', () => {
    expect(notice({ ...MODERN, data: ENGINE })).toMatchObject({ ...IDS, outcome: 'failed', time: MODERN.time })
  })

  test('in both at once, where the new attributes win', () => {
    const both = notice({ ...LEGACY, ...MODERN, data: ENGINE })
    expect(both).toMatchObject({ ...IDS, time: MODERN.time, eventTypeVersion: '1.0.0' })
  })

  test('as told by the reload service, without the name of the app', () => {
    expect(notice(RELOAD)).toMatchObject({
      appId: APP,
      appName: '',
      reloadId: '670d0369dededd0781e18ade',
      outcome: 'failed',
      tenantId: 'UkeLb6',
      eventType: 'com.qlik.v1.reload.finished',
      source: 'com.qlik/reloads',
    })
  })
})

test.each([
  ['error', undefined, 'failed'],
  ['FAILED', undefined, 'failed'],
  ['EXCEEDED_LIMIT', false, 'failed'],
  ['CANCELED', false, null],
  ['ok', undefined, 'success'],
  ['SUCCEEDED', true, 'success'],
  ['something new', false, 'failed'],
  ['something new', true, 'success'],
  ['RELOADING', undefined, null],
])('status %s with succeeded %p: %p', (status, succeeded, outcome) => {
  const parsed = parseNotice(bytes({ ...RELOAD, data: { ...RELOAD.data, status, succeeded } }))
  expect(parsed.kind === 'notice' ? parsed.notice.outcome : null).toBe(outcome as 'failed' | null)
  expect(parsed.kind).toBe(outcome === null ? 'other' : 'notice')
})

test.each([
  ['no JSON', '{', 'invalid'],
  ['a list', '[]', 'invalid'],
  ['another event', { ...MODERN, type: 'com.qlik.v1.app.created', data: {} }, 'other'],
  ['neither app nor reload', { ...MODERN, toplevelresourceid: '', data: { status: 'error' } }, 'invalid'],
])('%s is no notice', (_, body, kind) => {
  expect(parseNotice(bytes(body)).kind).toBe(kind as 'invalid')
})

test('property: whatever comes is read or refused, never thrown', () => {
  const anything = fc.oneof(
    fc.json(),
    fc.string(),
    fc.object().map((data) => JSON.stringify({ ...MODERN, data })),
  )
  fc.assert(fc.property(anything, (text) => parseNotice(bytes(text)).kind.length > 0))
})

test('the engine and the reload service tell of one end; another outcome or tenant is another one', () => {
  const engine = noticeKey(notice({ ...MODERN, data: ENGINE }))
  expect(noticeKey(notice(RELOAD))).toEqual(engine)
  expect(engine.ttlMs).toBe(3_600_000)
  expect(noticeKey(notice({ ...MODERN, data: { ...ENGINE, status: 'ok' } })).key).not.toBe(engine.key)
  expect(noticeKey(notice({ ...MODERN, tenantid: 'other', data: ENGINE })).key).not.toBe(engine.key)
  expect(noticeKey(notice({ ...MODERN, data: { status: 'error' } })).ttlMs).toBe(120_000)
})
