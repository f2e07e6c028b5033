/** Files of reports that all nodes have, as shared rows name them. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { createSharedFiles } from '../../../src/cluster/files.ts'
import { cleanShared } from '../../../src/cluster/retention.ts'
import { createBlobs } from '../../../src/platform/blobs.ts'
import type { PostgresPool } from '../../../src/platform/postgres/types.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { needs } from '../../support/servers.ts'
import { openSchema, openStore } from '../../support/shared-stores.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'

needs('postgres')

const HOUR_S = 3600
const hashOf = (content: Uint8Array) => createHash('sha256').update(content).digest('hex')

describe('files of reports', () => {
  let server: Postgres
  let pool: PostgresPool
  let folder: TempDirectory
  let schemas = 0
  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(() => server?.stop())
  afterEach(async () => {
    await pool.close()
    folder.remove()
  })

  function node(name: string) {
    const db = openStore(':memory:')
    const log = recordingLog()
    const blobs = createBlobs(folder.join(name))
    return { db, log, blobs, files: createSharedFiles({ db, pool, log, blobs }) }
  }
  type Node = ReturnType<typeof node>

  async function twoNodes(): Promise<readonly [Node, Node]> {
    schemas += 1
    pool = await openSchema(server, `files_${schemas}`)
    folder = tempDirectory()
    return [node('a'), node('b')]
  }

  const nameTemplate = ({ db }: Node, id: string, sha256: string) =>
    db.run("INSERT OR REPLACE INTO report_template VALUES (?, ?, 'a.xlsx', 1, '', '')", id, sha256)

  function nameDocument({ db }: Node, id: string, sha256: string, pictures: readonly string[] = []): void {
    db.run(
      `INSERT OR IGNORE INTO report_run (id, task_id, task_name, task_revision, project, priority, trigger, options, state, test, queued_at)
         VALUES ('r', 't', 'T', 1, '', 0, '{}', '{}', 'finished', 0, 1)`,
    )
    const document = { id, sha256, images: pictures.map((picture, n) => ({ cid: `c${n}`, sha256: picture })) }
    db.run("INSERT INTO report_document VALUES (?, 'r', ?, ?)", id, sha256, JSON.stringify(document))
  }

  const inDatabase = async () =>
    (await pool.query<{ sha256: string }>('SELECT sha256 FROM file ORDER BY sha256')).map(({ sha256 }) => sha256)

  test('that one node has made are fetched by the others, pictures of mails too', async () => {
    const [a, b] = await twoNodes()
    const contents = [randomBytes(200_000), randomBytes(10), Buffer.from('picture'), Buffer.alloc(0)]
    const [template, document, picture, empty] = contents.map(hashOf) as [string, string, string, string]
    for (const content of contents) await a.blobs.put(content)
    for (const one of [a, b]) {
      nameTemplate(one, 'report', template)
      nameDocument(one, 'd1', document, [picture])
      nameDocument(one, 'd2', empty)
    }
    await b.files.look()
    expect(existsSync(b.blobs.path(template))).toBe(false)
    await a.files.look()
    await b.files.look()
    for (const content of contents) expect(readFileSync(b.blobs.path(hashOf(content)))).toEqual(Buffer.from(content))

    // Later ones, and from the other side.
    const later = randomBytes(100)
    await b.blobs.put(later)
    for (const one of [a, b]) nameDocument(one, 'd3', hashOf(later))
    await b.files.look()
    await a.files.look()
    expect(readFileSync(a.blobs.path(hashOf(later)))).toEqual(later)
    expect(await inDatabase()).toEqual([...contents.map(hashOf), hashOf(later)].sort())
  })

  test('that are damaged or too large stay where they are, and nothing false is fetched', async () => {
    const [a, b] = await twoNodes()
    const { sha256: damaged } = await a.blobs.put(Buffer.from('as it was'))
    writeFileSync(a.blobs.path(damaged), 'as it is')
    const { sha256: large } = await a.blobs.put(Buffer.from('small'))
    truncateSync(a.blobs.path(large), 33 * 1024 * 1024)
    const planted = hashOf(Buffer.from('what the row names'))
    await pool.query('INSERT INTO file (sha256, content) VALUES ($1, $2)', [planted, Buffer.from('something else')])
    for (const one of [a, b]) {
      nameTemplate(one, 'damaged', damaged)
      nameTemplate(one, 'large', large)
      nameTemplate(one, 'planted', planted)
    }
    for (const one of [a, b, a]) await one.files.look()
    expect(await inDatabase()).toEqual([planted])
    expect([damaged, large, planted].filter((sha256) => existsSync(b.blobs.path(sha256)))).toEqual([])
    expect(a.log.of('error')).toEqual([
      expect.stringMatching(/^CLUSTER The file .* is damaged and stays on this node$/),
    ])
    expect(a.log.of('warn')).toEqual([
      expect.stringMatching(/^CLUSTER The file .* is larger than 32 MB and stays on this node$/),
    ])
  })

  test('that no row names any more go from the database and from each node after an hour', async () => {
    const [a, b] = await twoNodes()
    const names = ['kept', 'gone', 'new', 'picture'].map((text) => Buffer.from(text))
    const [kept, gone, young, picture] = names.map(hashOf) as [string, string, string, string]
    for (const content of names) await a.blobs.put(content)
    for (const one of [a, b]) {
      nameTemplate(one, 'kept', kept)
      nameTemplate(one, 'gone', gone)
      nameTemplate(one, 'new', young)
      nameDocument(one, 'd', kept, [picture])
    }
    for (const one of [a, b]) await one.files.look()
    await pool.query("UPDATE file SET at = at - interval '2 hours' WHERE sha256 <> $1", [young])
    await pool.query(
      `INSERT INTO replica (tbl, key, rev, epoch, node, body) VALUES
        ('report_template', 'kept', 1, 1, 'a', jsonb_build_object('sha256', $1::text)),
        ('report_document', 'd', 2, 1, 'a', jsonb_build_object('sha256', $1::text, 'document',
          jsonb_build_object('images', jsonb_build_array(jsonb_build_object('sha256', $2::text)))::text))`,
      [kept, picture],
    )
    expect(await cleanShared(pool, { keepInboxMs: 1000 })).toBe(1)
    expect(await inDatabase()).toEqual([kept, young, picture].sort())

    b.db.run("DELETE FROM report_template WHERE report_id IN ('gone', 'new')")
    const old = Date.now() / 1000 - 2 * HOUR_S
    for (const sha256 of [kept, gone, picture]) utimesSync(b.blobs.path(sha256), old, old)
    await b.files.clean(true)
    expect([kept, gone, young, picture].filter((sha256) => existsSync(b.blobs.path(sha256)))).toEqual([
      kept,
      young,
      picture,
    ])
  })

  test('that come back after they were forgotten are brought again', async () => {
    const [a, b] = await twoNodes()
    const { sha256 } = await a.blobs.put(Buffer.from('again'))
    nameTemplate(a, 'report', sha256)
    await a.files.look()
    a.db.run('DELETE FROM report_template')
    await pool.query('DELETE FROM file')
    await a.files.clean(false)
    nameTemplate(a, 'report', sha256)
    nameTemplate(b, 'report', sha256)
    await a.files.look()
    rmSync(b.blobs.path(sha256), { force: true })
    await b.files.look()
    expect(readFileSync(b.blobs.path(sha256), 'utf8')).toBe('again')
  })
})
