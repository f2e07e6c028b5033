import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { lineOf } from '../../../../src/metrics/influxdb/line.ts'
import { createQueueMeter } from '../../../../src/metrics/influxdb/own-points.ts'
import LINES from '../../../fixtures/influxdb/lines.json'
import { MONITOR_POINTS } from '../../../support/influx-monitors.ts'

const GLOBAL = [{ name: 'qs_env', value: 'prod' }]

describe('the line about', () => {
  test.each(Object.keys(MONITOR_POINTS))('%s is the one that dashboards know', (name) => {
    const point = MONITOR_POINTS[name]!
    expect(lineOf(point, GLOBAL, BigInt(point.time!) * 1_000_000n)).toBe(LINES[name as keyof typeof LINES])
  })

  test('the UDP queue is the one that dashboards know, and counts anew once it is stored', () => {
    const counters = {
      received: 14,
      queued: 13,
      processed: 12,
      failed: 0,
      dropped: {
        SOURCE_NOT_ALLOWED: 0,
        TOO_LARGE: 0,
        RATE_LIMITED: 0,
        INVALID: 0,
        UNKNOWN_TYPE: 0,
        DUPLICATE: 0,
        TASK_NOT_FOUND: 0,
        APP_NOT_FOUND: 0,
        BACKLOG_FULL: 0,
      },
    }
    const before = { ...counters, received: 0, queued: 0, processed: 0, dropped: { ...counters.dropped } }
    const settings = { measurementName: 'butler_udp_queue', host: 'butler-srv1', tags: [] }
    const meter = createQueueMeter(before, settings)
    Object.assign(before, counters, { dropped: { ...counters.dropped, DUPLICATE: 1 } })
    for (const ms of [2310, 2310, 2310, 2310, 46, 46, 46, 46, 46, 46, 47, 187]) meter.processed(ms)
    const state = { waiting: 0, maxSize: 200, running: 1, rate: 0, backpressure: false, rememberedKeys: 12 }
    const first = meter.point(state, 1772532020000)
    const line = lineOf(first.point, GLOBAL, 1772532020000000000n) ?? ''
    expect(line.replace(/processing_time_\w+=[\d.]+/g, 'T')).toBe(
      LINES['udp queue'].replace(/processing_time_\w+=[\d.]+/g, 'T'),
    )
    expect(line).toContain('processing_time_avg_ms=812.5,processing_time_max_ms=2310,processing_time_p95_ms=2310')
    // Until it is stored nothing is forgotten.
    expect(meter.point(state, 1772532020000).point.fields).toEqual(first.point.fields)
    first.stored()
    expect(meter.point(state, 1772532040000).point.fields).toMatchObject({
      messages_received: { integer: 0 },
      messages_dropped_duplicate: { integer: 0 },
      processing_time_max_ms: 0,
      queue_running: { integer: 1 },
    })
  })
})

describe('a line', () => {
  test('leaves out what is not there; without any field there is none', () => {
    const tags = { a: null, b: undefined, c: '', d: 0, e: '\\' }
    const fields = { a: null, b: undefined, c: Number.NaN, d: Number.POSITIVE_INFINITY, e: { integer: 0.5 } }
    expect(lineOf({ measurement: 'm', tags, fields: { ...fields, f: false } }, [], 1n)).toBe('m,d=0 f=F 1')
    expect(lineOf({ measurement: 'm', tags, fields }, [], 1n)).toBeNull()
  })

  test('protects what separates, and has no backslash before a separator of its own', () => {
    const tags = { 'k,=\\': 'v ,=\\\\', umläut: 'å\n\t' }
    expect(lineOf({ measurement: 'a b,c', tags, fields: { 'f =': '"\\\r\n' } }, [], 1n)).toBe(
      'a\\ b\\,c,k\\,\\==v\\ \\,\\=,umläut=å\\n\\t f\\ \\=="\\"\\\\\r\n" 1',
    )
  })

  test('a tag of the point wins over one of all points, an empty one does not', () => {
    const all = [
      { name: 'a', value: 'all' },
      { name: 'b', value: 'all' },
    ]
    expect(lineOf({ measurement: 'm', tags: { a: 'own', b: '' }, fields: { f: 1 } }, all, 1n)).toBe(
      'm,a=own,b=all f=1 1',
    )
  })

  test('is one line with one separator between its parts, whatever names and values hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (name, value) => {
        const line =
          lineOf({ measurement: 'm', tags: { [`t${name}`]: value, z: 'end' }, fields: { f: 1 } }, [], 7n) ?? ''
        expect(line).not.toMatch(/[\r\n\t]/)
        expect(line.split(/(?<!\\) /)).toHaveLength(3)
        expect(line).toEndWith('z=end f=1 7')
      }),
    )
  })
})
