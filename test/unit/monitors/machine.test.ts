/** What a look at a service means. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { NOTHING_KNOWN, type Observation, type ServiceMemory, step } from '../../../src/monitors/services/machine.ts'
import { SERVICE_STATUSES } from '../../../src/monitors/services/types.ts'

const SETTINGS = { unreachableAlert: true, unreachableChecks: 3 }

/** `outcome previous>status` for each change. */
function told(seen: readonly Observation[], settings = SETTINGS, from: ServiceMemory = NOTHING_KNOWN): string[] {
  let memory = from
  return seen.flatMap((one) => {
    const { memory: next, change } = step(memory, one, settings)
    memory = next
    return change ? [`${change.outcome} ${change.previous}>${change.status}`] : []
  })
}

describe('changes', () => {
  test.each([
    ['running at first is no news', ['RUNNING', 'RUNNING'], []],
    ['stopped at first is told, once', ['STOPPED', 'STOPPED'], ['stopped PAUSED>STOPPED']],
    [
      'stop and start',
      ['RUNNING', 'STOPPED', 'STOPPED', 'RUNNING'],
      ['stopped RUNNING>STOPPED', 'started STOPPED>RUNNING'],
    ],
    [
      'states on the way keep the state',
      ['RUNNING', 'STOP_PENDING', 'STOPPED', 'START_PENDING', 'RUNNING'],
      ['stopped RUNNING>STOPPED', 'started STOPPED>RUNNING'],
    ],
    ['a quick restart between two looks is none', ['RUNNING', 'STOP_PENDING', 'START_PENDING', 'RUNNING'], []],
    ['only on the way at first', ['START_PENDING', 'RUNNING'], []],
    [
      'paused is told like stopped',
      ['RUNNING', 'PAUSE_PENDING', 'PAUSED', 'CONTINUE_PENDING', 'RUNNING'],
      ['stopped RUNNING>PAUSED', 'started PAUSED>RUNNING'],
    ],
    ['a first look in vain raises no false start', ['UNREACHABLE', 'RUNNING'], []],
    ['two looks in vain are nothing', ['RUNNING', 'UNREACHABLE', 'UNREACHABLE', 'RUNNING'], []],
    [
      'three in a row are told, once, and so is the end of it',
      ['RUNNING', 'UNREACHABLE', 'UNREACHABLE', 'UNREACHABLE', 'UNREACHABLE', 'RUNNING'],
      ['unreachable RUNNING>UNREACHABLE', 'started UNREACHABLE>RUNNING'],
    ],
    ['three of two kinds are not in a row', ['RUNNING', 'NOT_FOUND', 'NOT_FOUND', 'UNREACHABLE', 'RUNNING'], []],
    ['never there', ['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND'], ['unreachable PAUSED>NOT_FOUND']],
    [
      'stopped after it could not be reached',
      ['RUNNING', 'UNREACHABLE', 'UNREACHABLE', 'UNREACHABLE', 'STOPPED'],
      ['unreachable RUNNING>UNREACHABLE', 'stopped UNREACHABLE>STOPPED'],
    ],
  ] as [string, Observation[], string[]][])('%s', (_, seen, expected) => {
    expect(told(seen)).toEqual(expected)
  })

  test('without unreachableAlert the state outlives the time in which it could not be read', () => {
    const off = { ...SETTINGS, unreachableAlert: false }
    const away = Array<Observation>(5).fill('UNREACHABLE')
    expect(told(['RUNNING', ...away, 'RUNNING'], off)).toEqual([])
    expect(told(['RUNNING', ...away, 'STOPPED'], off)).toEqual(['stopped RUNNING>STOPPED'])
  })

  test('what was known before a restart counts', () => {
    const known = (state: 'RUNNING' | 'STOPPED'): ServiceMemory => ({ state, failed: null })
    expect(told(['STOPPED'], SETTINGS, known('STOPPED'))).toEqual([])
    expect(told(['STOPPED'], SETTINGS, known('RUNNING'))).toEqual(['stopped RUNNING>STOPPED'])
    expect(told(['RUNNING'], SETTINGS, known('STOPPED'))).toEqual(['started STOPPED>RUNNING'])
  })
})

test('whatever is seen: news alternate, each begins where the last one ended, and three looks settle a state', () => {
  const seen = fc.constantFrom<Observation>(...SERVICE_STATUSES, 'UNREACHABLE', 'NOT_FOUND')
  fc.assert(
    fc.property(fc.array(seen, { maxLength: 60 }), (observations) => {
      let memory = NOTHING_KNOWN
      let last: string | null = null
      for (const one of observations) {
        const { memory: next, change } = step(memory, one, SETTINGS)
        if (change) {
          expect(change.previous).not.toBe(change.outcome === 'stopped' && last === null ? 'STOPPED' : change.status)
          expect(change.previous).toBe(memory.state ?? 'PAUSED')
          expect(next.state).toBe(change.status)
          last = change.status
        }
        memory = next
      }
      for (let i = 0; i < 3; i++) memory = step(memory, 'RUNNING', SETTINGS).memory
      expect(memory).toEqual({ state: 'RUNNING', failed: null })
    }),
  )
})
