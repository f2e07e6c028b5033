import { describe, expect, test } from 'bun:test'
import { createChainGraph, withChains } from '../../../../src/alerts/rules/chains.ts'
import type { ChainLink, QrsClient } from '../../../../src/qlik/qrs/types.ts'
import { recordingLog } from '../../../support/recording-log.ts'

const link = (after: string, task: string): ChainLink => ({
  after: { id: after, name: after.toUpperCase() },
  task: { id: task, name: task.toUpperCase() },
})

function graphOf(answers: readonly (readonly ChainLink[] | Error)[], settings = {}) {
  let now = 1_000_000
  let asked = 0
  const log = recordingLog()
  const graph = createChainGraph(
    {
      clock: { now: () => now },
      log,
      qrs: {
        async chainLinks() {
          const answer = answers[Math.min(asked++, answers.length - 1)]!
          if (answer instanceof Error) throw answer
          return answer
        },
      },
    },
    settings,
  )
  const move = (ms: number) => {
    now += ms
  }
  return { graph, log, asked: () => asked, move }
}

const ids = (tasks: readonly { id: string }[]) => tasks.map(({ id }) => id)

describe('the chains of the site', () => {
  test('downstream is what follows, directly and through others, each once', async () => {
    const { graph } = graphOf([[link('a', 'b'), link('a', 'c'), link('b', 'd'), link('c', 'd'), link('d', 'e')]])
    await graph.ensure('a')
    expect(graph.downstream('A')).toEqual([
      { id: 'b', name: 'B' },
      { id: 'c', name: 'C' },
      { id: 'd', name: 'D' },
      { id: 'e', name: 'E' },
    ])
    expect(ids(graph.downstream('d'))).toEqual(['e'])
    expect(graph.downstream('unknown')).toEqual([])
  })

  test('tasks on a circle are listed once, and never the root', async () => {
    const { graph } = graphOf([[link('a', 'b'), link('b', 'c'), link('c', 'a'), link('b', 'b')]])
    await graph.ensure('a')
    expect(ids(graph.downstream('a'))).toEqual(['b', 'c'])
    expect(ids(graph.downstream('b'))).toEqual(['c', 'a'])
  })

  test('it is read again after an hour, and for a task that it does not know, once a minute', async () => {
    const { graph, asked, move } = graphOf([[link('a', 'b')], [link('a', 'b'), link('x', 'y')]])
    await graph.ensure('a')
    await graph.ensure('a')
    await graph.ensure('x')
    expect(asked()).toBe(1)
    move(60_000)
    await graph.ensure('a')
    expect(asked()).toBe(1)
    await graph.ensure('x')
    expect(asked()).toBe(2)
    expect(ids(graph.downstream('x'))).toEqual(['y'])
    move(3_600_000)
    await graph.ensure('a')
    expect(asked()).toBe(3)
    move(-10_000_000)
    await graph.ensure('a')
    expect(asked()).toBe(4)
  })

  test('while QRS is silent what was known stays, with one warning', async () => {
    const { graph, log, move } = graphOf([[link('a', 'b')], new Error('down'), new Error('down')])
    await graph.ensure('a')
    for (const _ of [1, 2]) {
      move(3_700_000)
      await graph.ensure('a')
    }
    expect(ids(graph.downstream('a'))).toEqual(['b'])
    expect(log.of('warn')).toHaveLength(1)
  })

  test('an answer that does not come holds up no event for long', async () => {
    const never = createChainGraph(
      { clock: { now: () => 1e6 }, log: recordingLog(), qrs: { chainLinks: () => new Promise(() => {}) } },
      { patienceMs: 20 },
    )
    const client = { taskById: async () => null } as unknown as QrsClient
    expect(await withChains(client, never).taskById('a')).toBeNull()
  })
})
