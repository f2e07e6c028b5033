import { describe, expect, test } from 'bun:test'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { requestsPerSecond } from '../../bench/load.ts'
import { comparisonTable, formatValue, type Measurement, quantile, table, withinBudget } from '../../bench/report.ts'

const measurement = (value: number | null, budget: Partial<Measurement> = {}): Measurement => ({
  name: 'x',
  value,
  unit: 'ms',
  ...budget,
})

describe('the report of the bench', () => {
  test('a budget is kept up to its limit and missed beyond', () => {
    expect(withinBudget(measurement(150, { atMost: 150 }))).toBe(true)
    expect(withinBudget(measurement(150.1, { atMost: 150 }))).toBe(false)
    expect(withinBudget(measurement(50, { atLeast: 50 }))).toBe(true)
    expect(withinBudget(measurement(49.9, { atLeast: 50 }))).toBe(false)
    expect(withinBudget(measurement(1e9))).toBe(true)
  })

  test('a budget that could not be measured is missed', () => {
    expect(withinBudget(measurement(null, { atMost: 1 }))).toBe(false)
    expect(withinBudget(measurement(Number.NaN, { atMost: 1 }))).toBe(false)
    expect(withinBudget(measurement(null))).toBe(true)
  })

  test('lines up the columns', () => {
    expect(
      table([measurement(1234.5, { atMost: 1000 }), { name: 'longer', value: 0.1234, unit: '%', note: 'n' }]),
    ).toEqual([
      'what    value  unit  budget           note',
      'x       1,235  ms    <= 1000  MISSED',
      'longer  0.123  %                      n',
    ])
  })

  test('compares two executables by the median ratio of their rounds', () => {
    const rounds = [
      [100, 50],
      [90, 100],
      [null, 100],
      [120, 100],
    ].map(([own, other]) => ({ own: [measurement(own ?? null)], other: [measurement(other ?? null)] }))
    expect(comparisonTable(rounds)).toEqual([
      'what  this  unit  other  ratio  spread',
      'x      100  ms    100    1.20   0.90 to 2.00',
    ])
  })

  test('formats and takes quantiles', () => {
    expect([formatValue(null), formatValue(0.000456), formatValue(99.96), formatValue(123456)]).toEqual([
      '-',
      '0.000456',
      '100',
      '123,456',
    ])
    expect(quantile([5, 1, 3], 0.5)).toBe(3)
    expect(quantile([1, 2, 3, 4], 0.99)).toBe(4)
  })
})

describe('the load generator', () => {
  const serve = async (status: number, run: (port: number) => Promise<void>): Promise<number> => {
    let requests = 0
    const server = createServer((_request, response) => {
      requests++
      response.writeHead(status).end('x')
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    try {
      await run((server.address() as AddressInfo).port)
    } finally {
      server.closeAllConnections()
      server.close()
    }
    return requests
  }

  test('counts every answer', async () => {
    let rate = 0
    const requests = await serve(200, async (port) => {
      rate = await requestsPerSecond({ port, path: '/', seconds: 0.1, connections: 3, pipeline: 4 })
    })
    expect(rate).toBeGreaterThan(0)
    // The measured time is at least as long as asked for, so the rate cannot exceed what the server has seen.
    expect(rate * 0.1).toBeLessThanOrEqual(requests)
  })

  test('refuses to count errors', async () => {
    await serve(429, async (port) => {
      const load = requestsPerSecond({ port, path: '/', seconds: 0.1, connections: 1 })
      await expect(load).rejects.toThrow('expected "HTTP/1.1 200", got "HTTP/1.1 429 Too Many Requests"')
    })
  })
})
