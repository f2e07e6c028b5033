import { describe, expect, test } from 'bun:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createLifecycle } from '../../../src/platform/lifecycle.ts'
import type { Service } from '../../../src/platform/types.ts'
import { recordingLog } from '../../support/recording-log.ts'

function tools() {
  const steps: string[] = []
  const service = (name: string, own: Partial<Service> = {}): Service => ({
    name,
    async start() {
      steps.push(`start ${name}`)
    },
    async stop() {
      steps.push(`stop ${name}`)
    },
    ...own,
  })
  const log = recordingLog()
  return { steps, service, log }
}

describe('lifecycle', () => {
  test('starts in order, stops in reverse, once', async () => {
    const { steps, service, log } = tools()
    const lifecycle = createLifecycle({ log }, [service('a'), service('b'), service('c')])
    await lifecycle.start()
    await Promise.all([lifecycle.stop(1000), lifecycle.stop(1000)])
    expect(steps).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a'])
  })

  test('a failing start stops what was started and throws the reason', async () => {
    const { steps, service, log } = tools()
    const failing = service('b', { start: () => Promise.reject(new Error('port taken')) })
    const lifecycle = createLifecycle({ log }, [service('a'), failing, service('c')])
    await expect(lifecycle.start()).rejects.toThrow('port taken')
    expect(steps).toEqual(['start a', 'stop a'])
    await lifecycle.stop(1000)
    expect(steps).toEqual(['start a', 'stop a'])
  })

  test('starts a group side by side and stops it one after the other', async () => {
    const { steps, service, log } = tools()
    const ready = Promise.withResolvers<void>()
    const waiting = service('b', { start: () => ready.promise })
    const opening = service('c', { start: async () => ready.resolve() })
    const lifecycle = createLifecycle({ log }, [service('a'), [waiting, opening], service('d')])
    await lifecycle.start()
    await lifecycle.stop(1000)
    expect(steps).toEqual(['start a', 'start d', 'stop d', 'stop c', 'stop b', 'stop a'])
  })

  test('a failing start in a group waits for the others and stops them', async () => {
    const { steps, service, log } = tools()
    const failing = service('b', { start: () => Promise.reject(new Error('port taken')) })
    const slow = service('c', {
      async start() {
        await nextTurn()
        steps.push('start c')
      },
    })
    const lifecycle = createLifecycle({ log }, [service('a'), [failing, slow], service('d')])
    await expect(lifecycle.start()).rejects.toThrow('port taken')
    expect(steps).toEqual(['start a', 'start c', 'stop c', 'stop a'])
  })

  test('a service that does not stop, or fails to, does not keep the others from stopping', async () => {
    const { steps, service, log } = tools()
    const hanging = service('hanging', { stop: () => new Promise(() => {}) })
    const failing = service('failing', { stop: () => Promise.reject(new Error('no')) })
    const lifecycle = createLifecycle({ log }, [service('a'), hanging, failing])
    await lifecycle.start()
    const before = performance.now()
    await lifecycle.stop(50)
    expect(performance.now() - before).toBeLessThan(2000)
    expect(steps.at(-1)).toBe('stop a')
    expect(log.of('warn')[0]).toMatch(/^MAIN: hanging did not stop within \d+ ms$/)
    expect(log.of('error')).toEqual(['MAIN: Stopping failing failed'])
  })

  test('the grace is one for all', async () => {
    const { service, log } = tools()
    const graces: number[] = []
    const slow = (name: string) =>
      service(name, {
        stop: (graceMs) => {
          graces.push(graceMs)
          // The grace that is left depends on the time that this takes.
          return new Promise((resolve) => setTimeout(resolve, 60))
        },
      })
    const lifecycle = createLifecycle({ log }, [slow('a'), slow('b')])
    await lifecycle.start()
    await lifecycle.stop(1000)
    expect(graces[0]).toBeWithin(900, 1001)
    expect(graces[0]! - graces[1]!).toBeGreaterThan(50)
  })

  test('a stop during the start lets the service under way finish and starts no other', async () => {
    const { steps, service, log } = tools()
    const { promise: go, resolve } = Promise.withResolvers<void>()
    const entered = Promise.withResolvers<void>()
    const slow = service('slow', {
      start() {
        entered.resolve()
        return go
      },
    })
    const lifecycle = createLifecycle({ log }, [service('a'), slow, service('never')])
    const started = lifecycle.start()
    await entered.promise
    const stopped = lifecycle.stop(1000)
    resolve()
    await Promise.all([started, stopped])
    expect(steps).toEqual(['start a', 'stop slow', 'stop a'])
  })
})
