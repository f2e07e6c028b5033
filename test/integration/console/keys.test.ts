/** The page of the API keys, and the use of a key by a session that was opened with it. */
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { createApp } from '../../../src/app/app.ts'
import { butler } from '../../../src/app/schema.ts'
import { createPathResolver } from '../../../src/config/paths.ts'
import { newKey, visitor } from '../../support/console.ts'
import { freeTcpPort } from '../../support/ports.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { repositoryRoot } from '../../support/source.ts'
import { tempDirectory } from '../../support/temp.ts'

/** Worker threads are started with the program's own file, which is not the one that runs the tests. */
process.argv[1] = join(repositoryRoot, 'src/main.ts')

const admin = newKey('anna', 'admin')
const idle = newKey('load-scripts', 'kv:*', 'task:run')
const reader = newKey('reader', 'event:read')

test('the page shows scopes, the last use by a session, and keys without one', async () => {
  await using directory = tempDirectory()
  const restPort = await freeTcpPort()
  const config = butler.parse({
    fileLogging: false,
    restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: restPort },
    footman: { access: { enable: true, keys: [admin.entry, idle.entry, reader.entry] } },
  })
  const app = createApp(
    {
      log: recordingLog(),
      paths: createPathResolver({ configDirectory: directory.path, cwd: directory.path }),
      databaseFile: ':memory:',
    },
    {
      config,
      dataDirectory: directory.path,
      qrsConnection: false,
      shadow: false,
      degraded: false,
      apiRateLimit: null,
    },
  )
  await app.start()
  try {
    const who = visitor(`http://127.0.0.1:${restPort}`)
    expect((await who.signIn(admin.key)).status).toBe(303)
    const page = await who.page('/system/keys')
    expect(page.status).toBe(200)
    const rows = [...page.html.matchAll(/<tr[ >].*?<\/tr>/gs)].map(([row]) => row)
    const rowOf = (id: string) => rows.find((row) => row.includes(id)) ?? ''
    expect(rowOf('anna')).toContain('<time ')
    expect(rowOf('anna')).toContain('127.0.0.1')
    expect(rowOf('load-scripts')).toContain('kv:*, task:run')
    expect(rowOf('load-scripts')).not.toContain('<time ')
    expect(page.html).not.toContain('sha256')

    const other = visitor(`http://127.0.0.1:${restPort}`)
    await other.signIn(reader.key)
    expect((await other.page('/system/keys')).status).toBe(403)
    expect((await other.page('/system/sessions')).html).not.toContain('/system/keys')
  } finally {
    await app.stop(1000)
  }
})
