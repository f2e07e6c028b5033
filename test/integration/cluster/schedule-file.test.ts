/** The schedule file of several nodes: one text, changed by hand on any of them. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createDocuments } from '../../../src/cluster/documents.ts'
import type { PostgresPool } from '../../../src/platform/postgres/types.ts'
import { createScheduleFile } from '../../../src/tasks/schedule/file.ts'
import { createScheduleRepository, type StoredSchedule } from '../../../src/tasks/schedule/repository.ts'
import { createSharedScheduleFile, SCHEDULE_DOCUMENT } from '../../../src/tasks/schedule/shared-file.ts'
import { type Postgres, postgresPrograms, startPostgres } from '../../support/postgres.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { needs } from '../../support/servers.ts'
import { openSchema, openStore } from '../../support/shared-stores.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'

needs('postgres')

let server: Postgres
let schemas = 0

beforeAll(async () => {
  if (postgresPrograms()) server = await startPostgres()
}, 60_000)
afterAll(() => server?.stop())

const textOf = (...names: readonly string[]): string =>
  `butlerSchedule:\n${names.map((name) => `  # ${name} is needed\n  - id: ${name}\n    name: ${name}\n    cronSchedule: 0 6 * * *\n`).join('')}`

interface Site extends AsyncDisposable {
  node(name: string): Node
}

async function site(): Promise<Site> {
  schemas += 1
  const pool = await openSchema(server, `schedules_${schemas}`)
  const nodes: Node[] = []
  return {
    node(name) {
      const made = newNode(name, pool)
      nodes.push(made)
      return made
    },
    async [Symbol.asyncDispose]() {
      for (const { directory } of nodes) directory.remove()
      await pool.close()
    },
  }
}

type Node = ReturnType<typeof newNode>

function newNode(
  name: string,
  pool: PostgresPool,
  given?: { directory: TempDirectory; db: ReturnType<typeof openStore> },
) {
  const directory = given?.directory ?? tempDirectory()
  const db = given?.db ?? openStore(':memory:')
  const log = recordingLog()
  const path = directory.join('schedule.yaml')
  const documents = createDocuments({ pool, node: name, log })
  const now = () => Date.UTC(2026, 2, 2, 6)
  const told: string[] = []
  let entries: readonly StoredSchedule[] = []
  const repository = createScheduleRepository(
    {
      file: createSharedScheduleFile({
        file: createScheduleFile(path),
        documents,
        db,
        log,
        now,
        onConflict: (text) => told.push(text),
      }),
      log,
      onChange: async (next) => {
        entries = next
      },
    },
    { readOnly: false },
  )
  documents.onChange(SCHEDULE_DOCUMENT, repository.refresh)
  return {
    directory,
    repository,
    documents,
    log,
    path,
    told,
    ids: () => entries.map(({ id }) => id),
    edit: (text: string) => writeFileSync(path, text),
    text: () => readFileSync(path, 'utf8'),
    conflicts: () => readdirSync(directory.path).filter((file) => file.includes('.conflict-')),
    /** The same node after a restart of its process. */
    again: () => newNode(name, pool, { directory, db }),
    add: (id: string) => repository.change((draft) => draft.add({ id, name: id, cronSchedule: '0 7 * * *' })),
  }
}

describe('the schedule file of several nodes', () => {
  test('a change by hand on one node is on the other, with its comments', async () => {
    await using nodes = await site()
    const [a, b] = [nodes.node('a'), nodes.node('b')]
    a.edit(textOf('one'))
    await a.repository.refresh()
    await b.repository.refresh()
    expect(b.ids()).toEqual(['one'])
    b.edit(textOf('one', 'two'))
    await b.repository.refresh()
    await a.documents.look()
    expect(a.text()).toBe(textOf('one', 'two'))
    expect(a.ids()).toEqual(['one', 'two'])
    expect(a.conflicts()).toEqual([])
  })

  test('a change over REST is on the other node when it has looked', async () => {
    await using nodes = await site()
    const [a, b] = [nodes.node('a'), nodes.node('b')]
    a.edit(textOf('one'))
    await a.repository.refresh()
    await b.repository.refresh()
    await a.add('two')
    await b.documents.look()
    expect(b.ids()).toEqual(['one', 'two'])
    expect(b.text()).toBe(a.text())
  })

  test('two changes by hand at once: one text everywhere, the other one in a file beside it', async () => {
    await using nodes = await site()
    const [a, b] = [nodes.node('a'), nodes.node('b')]
    a.edit(textOf('one'))
    await a.repository.refresh()
    await b.repository.refresh()
    a.edit(textOf('one', 'from-a'))
    b.edit(textOf('one', 'from-b'))
    await Promise.all([a.repository.refresh(), b.repository.refresh()])
    await Promise.all([a.repository.refresh(), b.repository.refresh()])
    expect(a.ids()).toEqual(b.ids())
    expect(a.text()).toBe(b.text())
    const [winner, loser] = a.ids().includes('from-a') ? [a, b] : [b, a]
    expect(winner.conflicts()).toEqual([])
    expect(winner.told).toEqual([])
    expect(loser.told).toEqual([expect.stringContaining(`was changed here, and node`)])
    expect(loser.conflicts()).toEqual(['schedule.yaml.conflict-2026-03-02T060000Z'])
    const kept = readFileSync(loser.directory.join(loser.conflicts()[0]!), 'utf8')
    expect(kept).toBe(textOf('one', loser === a ? 'from-a' : 'from-b'))
    expect(loser.log.of('error').join(' ')).toContain('SCHEDULE_CONFLICT')
    expect(winner.log.of('error').join(' ')).not.toContain('SCHEDULE_CONFLICT')
  })

  test('changes over REST at both nodes at once are both there', async () => {
    await using nodes = await site()
    const [a, b] = [nodes.node('a'), nodes.node('b')]
    a.edit(textOf('one'))
    await a.repository.refresh()
    await b.repository.refresh()
    await Promise.all([a.add('from-a'), b.add('from-b')])
    await Promise.all([a.repository.refresh(), b.repository.refresh()])
    expect(a.ids().toSorted()).toEqual(['from-a', 'from-b', 'one'])
    expect(b.ids()).toEqual(a.ids())
  })

  test('a text that cannot be read stays on its node, until it can', async () => {
    await using nodes = await site()
    const [a, b] = [nodes.node('a'), nodes.node('b')]
    a.edit(textOf('one'))
    await a.repository.refresh()
    await b.repository.refresh()
    a.edit('butlerSchedule: [')
    await a.repository.refresh()
    await b.repository.refresh()
    expect(a.text()).toBe('butlerSchedule: [')
    expect(b.ids()).toEqual(['one'])
    a.edit(textOf('one', 'two'))
    await a.repository.refresh()
    await b.repository.refresh()
    expect(b.ids()).toEqual(['one', 'two'])
  })

  test('a file that is gone comes back', async () => {
    await using nodes = await site()
    const a = nodes.node('a')
    a.edit(textOf('one'))
    await a.repository.refresh()
    rmSync(a.path)
    await a.repository.refresh()
    expect(existsSync(a.path)).toBe(true)
    expect(a.ids()).toEqual(['one'])
  })

  test('a node that was away takes the newer text, and its own change of that time is kept beside it', async () => {
    await using nodes = await site()
    const [a, b] = [nodes.node('a'), nodes.node('b')]
    a.edit(textOf('one'))
    await a.repository.refresh()
    await b.repository.refresh()
    await b.add('two')
    const later = a.again()
    await later.repository.refresh()
    expect(later.ids()).toEqual(['one', 'two'])
    expect(later.conflicts()).toEqual([])

    await b.add('three')
    later.edit(textOf('one', 'mine'))
    const again = later.again()
    await again.repository.refresh()
    expect(again.ids()).toEqual(['one', 'two', 'three'])
    expect(again.conflicts()).toHaveLength(1)
    expect(again.log.of('error').join(' ')).toContain('Only there: "mine"')
  })

  test('a second node that brings a file of its own keeps a copy of it', async () => {
    await using nodes = await site()
    const [a, b] = [nodes.node('a'), nodes.node('b')]
    a.edit(textOf('one'))
    await a.repository.refresh()
    b.edit(textOf('other'))
    await b.repository.refresh()
    expect(b.ids()).toEqual(['one'])
    expect(b.conflicts()).toHaveLength(1)
    await a.repository.refresh()
    expect(a.ids()).toEqual(['one'])
  })
})
