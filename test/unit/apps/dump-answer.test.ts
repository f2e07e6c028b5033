import { describe, expect, test } from 'bun:test'
import { type Dump, dumpAnswer, inOrder } from '../../../src/apps/dump.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

function dumpOf(pieces: readonly (string | Error)[]): Dump & { readonly closed: number } {
  let closed = 0
  async function* written() {
    for (const piece of pieces) {
      if (piece instanceof Error) throw piece
      yield piece
    }
  }
  return {
    pieces: written(),
    async close() {
      closed += 1
    },
    get closed() {
      return closed
    },
  }
}

describe('the answer with a dump', () => {
  test('is whole, with its length, when the dump is small', async () => {
    const dump = dumpOf(['{"a":', '1}'])
    const answer = await dumpAnswer(dump, recordingLog())
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(await answer.text()).toBe('{"a":1}')
    expect(dump.closed).toBe(1)
  })

  test('is a stream when it is large', async () => {
    const dump = dumpOf(['{"a":', '"åäö', '"', '}'])
    const answer = await dumpAnswer(dump, recordingLog(), { headSize: 4 })
    expect(dump.closed).toBe(0)
    expect(await answer.text()).toBe('{"a":"åäö"}')
    expect(dump.closed).toBe(1)
  })

  test('is a rejection while nothing was sent', async () => {
    const dump = dumpOf(['{"a":', new Error('engine lost')])
    await expect(dumpAnswer(dump, recordingLog())).rejects.toThrow('engine lost')
    expect(dump.closed).toBe(1)
  })

  test('is an error in the stream later', async () => {
    const dump = dumpOf(['{"a":', new Error('engine lost')])
    const answer = await dumpAnswer(dump, recordingLog(), { headSize: 4 })
    await expect(answer.text()).rejects.toThrow('engine lost')
    expect(dump.closed).toBe(1)
  })

  test('is given up when nobody fetches it', async () => {
    const dump = dumpOf(['{"a":', '1}'])
    const log = recordingLog()
    await dumpAnswer(dump, log, { headSize: 4, pickUpMs: 10 })
    await until(() => dump.closed === 1)
    expect(log.of('warn')).toEqual([])
  })

  test('is cut off when the reader stalls', async () => {
    const dump = dumpOf(['{"a":', '1}'])
    const log = recordingLog()
    const answer = await dumpAnswer(dump, log, { headSize: 4, stallMs: 10 })
    const reader = answer.body!.getReader()
    await reader.read()
    await until(() => dump.closed === 1)
    await expect(reader.read()).rejects.toThrow('stalled')
    expect(log.of('warn')).toEqual(['APPDUMP: The reader took nothing for 10 ms and was cut off'])
  })

  test('ends the dump when the reader leaves', async () => {
    const dump = dumpOf(['{"a":', '1,', '"b":2}'])
    const answer = await dumpAnswer(dump, recordingLog(), { headSize: 4 })
    await answer.body!.cancel()
    expect(dump.closed).toBe(1)
  })
})

describe('work in order', () => {
  test('never has more than the limit under way, and keeps the order', async () => {
    let underWay = 0
    let most = 0
    const results: number[] = []
    const work = async (n: number) => {
      most = Math.max(most, ++underWay)
      // The later ones are ready first.
      for (let turn = 0; turn < 20 - n; turn++) await Promise.resolve()
      underWay -= 1
      return n
    }
    for await (const n of inOrder(Array(20).keys(), 3, work)) results.push(n)
    expect(results).toEqual([...Array(20).keys()])
    expect(most).toBe(3)
  })

  test('ends with the first failure, and later ones are no unhandled rejections', async () => {
    const results: number[] = []
    const work = async (n: number) => {
      if (n >= 2) throw new Error(`no ${n}`)
      return n
    }
    const all = async () => {
      for await (const n of inOrder([0, 1, 2, 3], 4, work)) results.push(n)
    }
    await expect(all()).rejects.toThrow('no 2')
    expect(results).toEqual([0, 1])
  })
})
