import { describe, expect, test } from 'bun:test'
import { createCachedQrs } from '../../../src/qlik/qrs/cached.ts'
import type { QrsClient, QrsTask } from '../../../src/qlik/qrs/types.ts'

const task = (id: string): QrsTask => ({ id, name: id, taskType: 0, enabled: true, tags: [], customProperties: [] })

function tools(answer: (id: string) => Promise<QrsTask | null>) {
  const asked: string[] = []
  let now = 0
  const client = {
    taskById: (id: string) => {
      asked.push(id)
      return answer(id)
    },
  } as unknown as QrsClient
  const cached = createCachedQrs(client, { ttlMs: 5000, maxEntries: 3 }, { now: () => now })
  return { asked, cached, at: (ms: number) => (now = ms) }
}

describe('cached look-ups', () => {
  test('an answer is used until it is too old', async () => {
    const { asked, cached, at } = tools(async (id) => task(id))
    await cached.taskById('a')
    at(4999)
    expect((await cached.taskById('A'))?.id).toBe('a')
    at(5000)
    await cached.taskById('a')
    expect(asked).toEqual(['a', 'a'])
  })

  test('identical questions at the same time are one request', async () => {
    const { asked, cached } = tools(async (id) => task(id))
    await Promise.all(Array.from({ length: 50 }, () => cached.taskById('a')))
    expect(asked).toEqual(['a'])
  })

  test('"does not exist" and errors are asked again', async () => {
    let answers = 0
    const { asked, cached } = tools(async (id) => {
      answers += 1
      if (answers === 1) return null
      if (answers === 2) throw new Error('down')
      return task(id)
    })
    expect(await cached.taskById('a')).toBeNull()
    await expect(cached.taskById('a')).rejects.toThrow('down')
    expect((await cached.taskById('a'))?.id).toBe('a')
    expect(asked.length).toBe(3)
  })

  test('the oldest answers go first', async () => {
    const { asked, cached } = tools(async (id) => task(id))
    for (const id of ['a', 'b', 'c', 'd', 'b', 'a']) await cached.taskById(id)
    expect(asked).toEqual(['a', 'b', 'c', 'd', 'a'])
  })

  test('a caller that cancels stops waiting, the others get their answer', async () => {
    const { promise, resolve } = Promise.withResolvers<QrsTask>()
    const { asked, cached } = tools(() => promise)
    const controller = new AbortController()
    const cancelled = cached.taskById('a', controller.signal).catch((error) => error.name)
    const patient = cached.taskById('a')
    controller.abort()
    expect(await cancelled).toBe('AbortError')
    resolve(task('a'))
    expect((await patient)?.id).toBe('a')
    expect(asked).toEqual(['a'])
  })
})
