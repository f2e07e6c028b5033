/** Every endpoint of the product asks for the scope that the guide names; one without a scope has to be listed here. */
import { expect, test } from 'bun:test'
import { createApp } from '../../../../src/app/app.ts'
import { butler } from '../../../../src/app/schema.ts'
import { createPathResolver } from '../../../../src/config/paths.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { tempDirectory } from '../../../support/temp.ts'

const READS = (method: string) => method === 'get'

/** The first line that fits decides; null = open to everybody. */
const EXPECTED: readonly [path: RegExp, scope: string | null | ((method: string, path: string) => string)][] = [
  [/^\/v4\/(butlerping|configfile\/endpointsenabled|base62tobase16|base16tobase62)$/, null],
  [/^\/health(\/live)?$/, null],
  [/^\/v4\/reloadtask\//, 'task:run'],
  [/^\/v4\/startqueue/, (method) => (READS(method) ? 'task:read' : 'task:run')],
  [/^\/v4\/(tasks|execution|history|timeline)/, 'task:read'],
  [/^\/v4\/app\/\{appId\}\/reload$/, 'app:run'],
  [/^\/v4\/(apps\/list|senselistapps|app\/\{appId\}\/dump|senseappdump\/\{appId\})$/, 'app:read'],
  [/^\/v4\/(keyvalue|keylist|kvstore)/, (method) => (READS(method) ? 'kv:read' : 'kv:write')],
  [/^\/v4\/schedules\/(.*\/)?(start|stop|startall|stopall|run)$/, 'schedule:run'],
  [
    /^\/v4\/schedules/,
    (method, path) => (READS(method) || path.endsWith('preview') ? 'schedule:read' : 'schedule:write'),
  ],
  [/^\/v4\/(filecopy|filemove|filedelete|createdir|createdirqvd|file)/, 'file:write'],
  [/^\/v4\/mqttmessages$/, 'message:read'],
  [/^\/v4\/(mqttpublishmessage|slackpostmessage|newrelic\/)/, 'message:run'],
  [/^\/v4\/(alertroutes\/explain$|influxdb\/)/, 'event:read'],
  [
    /^\/v4\/(events|deliver|alertroutes|destinations|snooze|udp)/,
    (method) => (READS(method) ? 'event:read' : 'event:run'),
  ],
  [
    /^\/v4\/(audit|audit\/verify|cluster|cluster\/stepdown|cluster\/nodes\/\{name\}|config|config\/problems|config\/reload|sessions\/link)$/,
    'admin',
  ],
  // Each topic of the stream needs the scope of its lists.
  [/^\/v4\/(about|access\/keys|lookup\/\{what\}|search|sessions|sessions\/\{id\}|stream|stream\/position)$/, 'any'],
  [/^\/v4\/settings/, (method) => (READS(method) ? 'setting:read' : 'setting:write')],
  [/^\/v4\/maintenance/, (method) => (READS(method) ? 'event:read' : 'event:run')],
  [/^\/v4\/attention/, (method) => (READS(method) ? 'task:read' : 'event:run')],
  [/^\/v4\/selfalerts$/, 'event:read'],
  [/^\/v4\/monitors$/, 'metrics:read'],
  [/^\/metrics$/, 'metrics:read'],
]

function expectedScope(method: string, path: string): string | null | undefined {
  const found = EXPECTED.find(([pattern]) => pattern.test(path))
  if (!found) return undefined
  const [, scope] = found
  return typeof scope === 'function' ? scope(method, path) : scope
}

type Switches = { readonly [name: string]: boolean | Switches }

const allOn = (switches: Switches): Switches =>
  Object.fromEntries(
    Object.entries(switches).map(([name, value]) => [name, typeof value === 'object' ? allOn(value) : true]),
  )

test('every endpoint', async () => {
  const directory = tempDirectory()
  const config = butler.parse({
    restServerConfig: { enable: true },
    mqttConfig: { enable: true },
    footman: { mqtt: { receivedTopics: ['#'] }, access: { enable: true, anonymous: { scopes: ['task:read'] } } },
  })
  const switches = allOn(config.restServerEndpointsEnable) as typeof config.restServerEndpointsEnable
  const app = createApp(
    {
      log: recordingLog(),
      paths: createPathResolver({ configDirectory: directory.path, cwd: directory.path }),
      databaseFile: ':memory:',
    },
    {
      config: { ...config, restServerEndpointsEnable: switches },
      dataDirectory: directory.path,
      qrsConnection: true,
      shadow: false,
      degraded: false,
      apiRateLimit: null,
    },
  )
  const { paths } = (await app.describe()) as {
    paths: Record<string, Record<string, { security?: Record<string, string[]>[] }>>
  }
  const found: Record<string, string | null> = {}
  const expected: Record<string, string | null | undefined> = {}
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { security = [] }] of Object.entries(operations)) {
      found[`${method} ${path}`] = security[0] ? (Object.values(security[0])[0]?.[0] ?? null) : null
      expected[`${method} ${path}`] = expectedScope(method, path)
    }
  }
  expect(found).toEqual(expected as typeof found)
  expect(Object.keys(found).length).toBeGreaterThan(30)
  directory.remove()
})
