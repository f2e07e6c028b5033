/** Every operation of the product with the node of a cluster that answers it: reads here, changes at the leader, or listed here. */
import { expect, test } from 'bun:test'
import { createApp } from '../../../src/app/app.ts'
import { loadReports } from '../../../src/app/reports.ts'
import { butler } from '../../../src/app/schema.ts'
import { createPathResolver } from '../../../src/config/paths.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { tempDirectory } from '../../support/temp.ts'

/** Changes that concern the node that is called, and POST that changes nothing. */
const CHANGES_HERE = [
  'DELETE /v4/filedelete',
  'DELETE /v4/filejobs/{jobId}',
  'DELETE /v4/sessions/{id}',
  'POST /v4/alertroutes/explain',
  'POST /v4/config/reload',
  'POST /v4/createdir',
  'POST /v4/createdirqvd',
  'POST /v4/newrelic/event',
  'POST /v4/newrelic/metric',
  'POST /v4/schedules/preview',
  'POST /v4/sessions/link',
  'POST /v4/udp/self-test',
  'PUT /v4/alertroutes/explain',
  'PUT /v4/config/reload',
  'PUT /v4/filecopy',
  'PUT /v4/filemove',
  'PUT /v4/slackpostmessage',
]
/** What the leader has in memory only. */
const READS_AT_LEADER = ['GET /v4/startqueue']

type Switches = { readonly [name: string]: boolean | Switches }

const allOn = (switches: Switches): Switches =>
  Object.fromEntries(
    Object.entries(switches).map(([name, value]) => [name, typeof value === 'object' ? allOn(value) : true]),
  )

test('every operation', async () => {
  await using directory = tempDirectory()
  const config = butler.parse({
    restServerConfig: { enable: true },
    mqttConfig: { enable: true },
    footman: { mqtt: { receivedTopics: ['#'] }, reportTask: { enable: true, hub: { enable: true } } },
  })
  const switches = allOn(config.restServerEndpointsEnable) as typeof config.restServerEndpointsEnable
  const everything = { ...config, restServerEndpointsEnable: switches }
  const app = createApp(
    {
      log: recordingLog(),
      paths: createPathResolver({ configDirectory: directory.path, cwd: directory.path }),
      databaseFile: ':memory:',
      reports: await loadReports(everything),
    },
    {
      config: everything,
      dataDirectory: directory.path,
      qrsConnection: true,
      shadow: false,
      degraded: false,
      apiRateLimit: null,
    },
  )
  const operations = Object.entries((await app.describe()).paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      isRead: method === 'get',
      at: operation['x-footman-at'],
    })),
  )
  const named = (wanted: (typeof operations)[number]['at'], isRead: boolean) =>
    operations
      .filter((one) => one.at === wanted && one.isRead === isRead)
      .map(({ name }) => name)
      .sort()
  expect(named('here', false).filter((name) => !/^\w+ \/v4\/cluster/.test(name))).toEqual(CHANGES_HERE)
  expect(named('leader', true)).toEqual(READS_AT_LEADER)
  expect(operations.length).toBeGreaterThan(150)
})

test('pairs are the reads that wait for what other nodes have answered', async () => {
  const config = butler.parse({
    restServerConfig: { enable: true },
    restServerEndpointsEnable: { keyValueStore: true },
  })
  await using directory = tempDirectory()
  const app = createApp(
    {
      log: recordingLog(),
      paths: createPathResolver({ configDirectory: directory.path, cwd: directory.path }),
      databaseFile: ':memory:',
    },
    {
      config,
      dataDirectory: directory.path,
      qrsConnection: true,
      shadow: false,
      degraded: false,
      apiRateLimit: null,
    },
  )
  const waiting = Object.entries((await app.describe()).paths).flatMap(([path, item]) =>
    Object.values(item).some(({ parameters = [] }) => parameters.some((one) => 'name' in one && one.name === 'barrier'))
      ? [path]
      : [],
  )
  expect(waiting.sort()).toEqual([
    '/v4/keylist/{namespace}',
    '/v4/keyvalues/{namespace}',
    '/v4/keyvalues/{namespace}/keyexists',
    '/v4/keyvalues/{namespace}/watch',
    '/v4/keyvaluesexport',
    '/v4/keyvaluesnamespaces',
    '/v4/kvstore/{namespace}',
  ])
})
