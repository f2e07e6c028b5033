/** Where the key-value store meets others: start requests, the broker, access control. */
import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { connectAsync } from 'mqtt'
import { footman } from '../support/footman.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { needs } from '../support/servers.ts'
import { startSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const FINANCIAL = 'a8b4c123-def4-5678-9abc-def012345678'
const ON = { restServerEndpointsEnable: { keyValueStore: true, senseStartTask: true } }

describe('pairs of a start request', () => {
  const item = (key: string, value: unknown, ttl?: unknown) => ({
    type: 'keyvaluestore',
    payload: { namespace: 'MyNamespace', key, value, ttl },
  })

  test('can be read before QRS is asked to start the task', async () => {
    await using site = await startSite()
    await using product = await footman({ simulator: site.simulator, config: ON })
    await product.start()
    site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'latency', args: [1500] })
    const starting = product.call('POST', `/v4/reloadtask/${FINANCIAL}/start`, [
      item('An important key 1', 'The value', '30000'),
      item('number', 0),
      item('truth', false, '0'),
      item('empty', ''),
      item('', 'v'),
    ])
    const pair = await until(async () => {
      const answer = await product.call('GET', '/v4/keyvalues/MyNamespace?key=An+important+key+1&meta=true')
      return answer.status === 200 ? ((await answer.json()) as { value: string; ttl: number }) : null
    })
    let started = false
    void starting.then(() => {
      started = true
    })
    expect(pair.value).toBe('The value')
    expect(pair.ttl).toBeGreaterThan(25_000)
    expect(started).toBe(false)
    expect((await starting).status).toBe(200)
    const value = async (key: string) =>
      ((await (await product.call('GET', `/v4/keyvalues/MyNamespace?key=${key}`)).json()) as { value?: string }).value
    expect(await Promise.all(['number', 'truth', 'empty'].map(value))).toEqual(['0', 'false', undefined])
    await product.process.waitForLine(/method call is missing some KV fields\.\./)
  }, 90_000)

  test('are not stored when the request fails', async () => {
    await using site = await startSite()
    await using product = await footman({ simulator: site.simulator, config: ON })
    await product.start()
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'refuse' })
    const unreachable = await product.call('POST', '/v4/reloadtask/-/start', {
      taskId: [FINANCIAL],
      keyValueStore: [{ namespace: 'ns', key: 'k', value: 'v' }],
    })
    expect(unreachable.status).toBe(502)
    site.simulator.clearFaults()
    const malformed = await product.call('POST', '/v4/reloadtask/-/start', [
      item('k', 'v'),
      { type: 'starttasktag', payload: {} },
    ])
    expect(malformed.status).toBe(400)
    expect(await (await product.call('GET', '/v4/keyvaluesnamespaces')).json()).toEqual([])
  }, 90_000)

  test('come with an MQTT request too, and changes go to the broker', async () => {
    const broker = await startMosquitto()
    await using site = await startSite()
    await using product = await footman({
      simulator: site.simulator,
      mqttPort: broker.port,
      config: { ...ON, footman: { keyValue: { mqttTopic: 'qliksense/kv' } } },
    })
    await product.start()
    await product.process.waitForLine(/MQTT.*connected|Connected to MQTT/i, 10_000)
    const client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    const seen: [string, unknown][] = []
    client.on('message', (topic, payload) => seen.push([topic, JSON.parse(payload.toString())]))
    await client.subscribeAsync('qliksense/kv/#')
    const pair = { namespace: 'a/b', key: 'k+1', value: 'v' }
    await client.publishAsync('qliksense/start_task', JSON.stringify({ taskId: [FINANCIAL], keyValueStore: [pair] }), {
      qos: 1,
    })
    await until(() => seen.length === 1)
    expect(seen).toEqual([['qliksense/kv/a%2Fb/k%2B1', { ...pair, revision: 1, event: 'set' }]])
    expect((await product.call('GET', '/v4/keyvalues/a%2Fb?key=k%2B1')).status).toBe(200)
    await product.call('DELETE', '/v4/keyvalues/a%2Fb/k%2B1')
    await until(() => seen.length === 2)
    expect(seen[1]).toEqual([
      'qliksense/kv/a%2Fb/k%2B1',
      { namespace: 'a/b', key: 'k+1', revision: 2, event: 'delete' },
    ])
    await client.endAsync(true)
    await broker.stop()
  }, 90_000)
})

test('a key that may use the namespaces Sales* sees and changes no other', async () => {
  const key = `fm_${'A'.repeat(43)}`
  await using product = await footman({
    simulator: null,
    config: {
      ...ON,
      footman: {
        access: {
          enable: true,
          keys: [
            {
              id: 'sales',
              hash: `sha256:${createHash('sha256').update(key).digest('hex')}`,
              scopes: ['kv:*', 'task:run'],
              keyValueNamespaces: ['Sales*'],
            },
            {
              id: 'all',
              hash: `sha256:${createHash('sha256').update(key.replace('A', 'B')).digest('hex')}`,
              scopes: ['kv:*'],
            },
          ],
        },
      },
    },
    args: ['--no-qs-connection'],
  })
  await product.start()
  const call = (method: string, path: string, body?: unknown, who = key) =>
    product.call(method, path, body, { 'X-Api-Key': who })
  const everything = key.replace('A', 'B')
  for (const namespace of ['Sales EU', 'HR']) {
    const answer = await call('POST', `/v4/keyvalues/${namespace}`, { key: 'k', value: 'v' }, everything)
    expect(answer.status).toBe(201)
  }
  const file = { format: 'footman.kv/1', namespaces: { HR: [] } }
  const forbidden: readonly [method: string, path: string, body?: unknown][] = [
    ['GET', '/v4/keyvalues/HR?key=k'],
    ['GET', '/v4/keyvalues/HR/keyexists?key=k'],
    ['POST', '/v4/keyvalues/HR', { key: 'k', value: 'w' }],
    ['DELETE', '/v4/keyvalues/HR/k'],
    ['DELETE', '/v4/keyvalues/HR'],
    ['GET', '/v4/keylist/HR'],
    ['GET', '/v4/keylist/HR?values=true'],
    ['GET', '/v4/kvstore/HR'],
    ['GET', '/v4/kvstore/HR?key=k'],
    ['POST', '/v4/kvstore/HR', { key: 'k', value: 'w' }],
    ['DELETE', '/v4/kvstore/HR?key=k'],
    ['POST', '/v4/keyvalues/HR/increment', { key: 'n' }],
    ['GET', '/v4/keyvalues/HR/watch'],
    ['GET', '/v4/keyvaluesexport?namespace=HR'],
    ['POST', '/v4/keyvaluesimport?mode=replace', file],
    ['POST', '/v4/reloadtask/-/start', { keyValueStore: [{ namespace: 'HR', key: 'k', value: 'w' }] }],
  ]
  for (const [method, path, body] of forbidden) {
    const { status } = await call(method, path, body)
    expect({ method, path, status }).toEqual({ method, path, status: 403 })
  }
  expect(await (await call('GET', '/v4/keyvaluesnamespaces')).json()).toEqual(['Sales EU'])
  const exported = (await (await call('GET', '/v4/keyvaluesexport')).json()) as { namespaces: object }
  expect(Object.keys(exported.namespaces)).toEqual(['Sales EU'])
  expect((await call('POST', '/v4/keyvalues/Sales%20EU', { key: 'k', value: 'w' })).status).toBe(201)
  expect(await (await call('GET', '/v4/keyvalues/HR?key=k', undefined, everything)).json()).toMatchObject({
    value: 'v',
  })
}, 90_000)
