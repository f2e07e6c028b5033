import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatDuration, parseDuration, parseSize } from '../../../src/platform/duration.ts'

describe('durations', () => {
  test.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['1w', 604_800_000],
    [' 2 H ', 7_200_000],
    ['1.5h', 5_400_000],
    ['PT90S', 90_000],
    ['P14D', 1_209_600_000],
    ['P1DT2H3M4S', 93_784_000],
    ['p2w', 1_209_600_000],
    ['0s', 0],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toEqual({ ok: true, value: ms })
  })

  test.each(['', '30', '5 minutes', '-5m', 'm', 'P', 'PT', 'P1Y', 'P1M', '1h30m', '99999999999999999w'])(
    '"%s" is refused',
    (text) => {
      expect(parseDuration(text).ok).toBe(false)
    },
  )

  test('a bare number gets a hint', () => {
    expect(parseDuration('30')).toMatchObject({ error: expect.stringContaining('no unit') })
  })

  test('what is written can be read', () => {
    fc.assert(fc.property(fc.nat(), (ms) => parseDuration(formatDuration(ms)).ok && value(formatDuration(ms)) === ms))
  })

  const value = (text: string): number | null => {
    const parsed = parseDuration(text)
    return parsed.ok ? parsed.value : null
  }
})

describe('sizes', () => {
  test.each([
    ['512KB', 524_288],
    ['100MB', 104_857_600],
    ['1GB', 1_073_741_824],
    ['1.5 kb', 1536],
    ['10B', 10],
  ])('%s', (text, bytes) => {
    expect(parseSize(text)).toEqual({ ok: true, value: bytes })
  })

  test.each(['', '100', '1 megabyte', '-1KB'])('"%s" is refused', (text) => {
    expect(parseSize(text).ok).toBe(false)
  })
})
