/** For random grants and calls an effect happens only if address, scope, filters and namespaces all allow it. */
import { afterAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { GrantSettings } from '../../../../src/http/auth/grants.ts'
import type { ApiRoute } from '../../../../src/http/endpoint/route.ts'
import type { QrsTask } from '../../../../src/qlik/qrs/types.ts'
import { startTaskRoutes } from '../../../../src/tasks/start/http.ts'
import { createStartTask } from '../../../../src/tasks/start/start.ts'
import { fakeQrs, qrsTask } from '../../../support/fake-qrs.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { accessApi, bearer, makeKey, sampleRoutes } from './support.ts'

const TAGS = ['hourly', 'daily', 'urgent']
const IDS = [1, 2, 3].map((n) => `a8b4c123-def4-5678-9abc-00000000000${n}`)
const ADDRESSES = ['10.1.2.3', '10.1.3.3', '192.168.1.1', '2001:db8::1']
const RANGES = ['10.0.0.0/8', '10.1.2.0/24', '192.168.1.1', '2001:db8::/32']
const NAMESPACES = ['Sales', 'Sales EU', 'Finance', '']
const SCOPES = ['task:run', 'task:read', 'task:*', 'kv:read', 'kv:write', 'kv:*', 'file:write', '*:run', '*:*', 'admin']

/** Task n carries the tags whose bits are set in n. */
const TASKS: QrsTask[] = IDS.map((id, index) =>
  qrsTask({
    id,
    name: `task ${index}`,
    tags: TAGS.filter((_, bit) => (index + 1) & (1 << bit)).map((name) => ({ id: name, name })),
  }),
)

const key = makeKey()
const effects: string[] = []
const started: string[] = []
const qrs = {
  ...fakeQrs(),
  tasks: async () => TASKS,
  resultsById: async () => [],
  async startTask(id: string) {
    started.push(id)
    return { started: true as const, executionId: null }
  },
}
const open: AsyncDisposable[] = []
afterAll(async () => {
  for (const one of open) await one[Symbol.asyncDispose]()
})

const subset = <T>(values: readonly T[]) => fc.subarray([...values])
const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined })
const selectors = fc.record({
  taskId: subset(IDS),
  tag: subset(TAGS),
  customProperty: fc.constant([] as { name: string; value: string }[]),
})
const grants: fc.Arbitrary<GrantSettings> = fc.record({
  scopes: subset(SCOPES),
  startFilter: maybe(selectors),
  keyValueNamespaces: maybe(subset(['Sales*', 'Finance', '*'])),
  allowFrom: maybe(subset(RANGES)),
})
const situations = fc.record({
  grant: grants,
  anonymous: subset(SCOPES.slice(0, 7)),
  listener: subset(RANGES),
  globalFilter: maybe(selectors),
  client: fc.constantFrom(...ADDRESSES),
  credential: fc.constantFrom('key', 'none', 'wrong'),
})
const calls = fc.oneof(
  fc.record({
    kind: fc.constant('start' as const),
    ids: subset(IDS),
    tags: subset(TAGS),
    namespace: maybe(fc.constantFrom(...NAMESPACES)),
  }),
  fc.record({
    kind: fc.constant('kv' as const),
    write: fc.boolean(),
    namespace: fc.constantFrom('Sales', 'Sales EU', 'Finance'),
  }),
  fc.record({ kind: fc.constant('copy' as const) }),
)

type Situation = typeof situations extends fc.Arbitrary<infer T> ? T : never
type Call = typeof calls extends fc.Arbitrary<infer T> ? T : never

/** The rules once more, in their plainest form. */
const inRange = (address: string, range: string): boolean =>
  ({
    '10.0.0.0/8': address.startsWith('10.'),
    '10.1.2.0/24': address.startsWith('10.1.2.'),
    '2001:db8::/32': address.startsWith('2001:db8:'),
  })[range] ?? address === range

function holds(scopes: readonly string[], wanted: string): boolean {
  const [group, verb] = wanted.split(':')
  return scopes.some((scope) => ['admin', '*:*', wanted, `${group}:*`, `*:${verb}`].includes(scope))
}

function mayUse({ grant, anonymous, client, credential }: Situation, scope: string): boolean {
  if (credential === 'wrong') return false
  if (credential === 'none') return holds(anonymous, scope)
  return holds(grant.scopes, scope) && (grant.allowFrom?.some((range) => inRange(client, range)) ?? true)
}

const listens = ({ listener, client }: Situation): boolean =>
  listener.length === 0 || listener.some((range) => inRange(client, range))

function mayUseNamespace({ grant, credential }: Situation, namespace: string): boolean {
  const globs = credential === 'key' ? grant.keyValueNamespaces : undefined
  return (
    globs?.some((glob) => glob === '*' || glob === namespace || (glob === 'Sales*' && namespace.startsWith('Sales'))) ??
    true
  )
}

function expectedStarts(situation: Situation, { ids, tags }: { ids: string[]; tags: string[] }): string[] {
  const { grant, globalFilter, credential } = situation
  const filters = [globalFilter, credential === 'key' ? grant.startFilter : undefined].filter(
    (one) => one !== undefined,
  )
  const tagsOf = (task: QrsTask) => (task.tags ?? []).map(({ name }) => name)
  const goodTags = tags.filter((tag) => filters.every((filter) => filter.tag.includes(tag)))
  return TASKS.filter((task) => {
    const byTag = tagsOf(task).some((tag) => goodTags.includes(tag))
    const carries = filters.every(
      (filter) => filter.taskId.includes(task.id) || tagsOf(task).some((tag) => filter.tag.includes(tag)),
    )
    return byTag || (ids.includes(task.id) && carries)
  }).map(({ id }) => id)
}

async function apiFor({ grant, anonymous, listener, globalFilter }: Situation) {
  const start = createStartTask(
    { qrs, log: recordingLog(), clock: { now: Date.now } },
    {
      startTaskFilter: {
        enable: globalFilter !== undefined,
        allowTask: globalFilter ?? { taskId: [], tag: [], customProperty: [] },
      },
      startFilter: { appliesTo: ['rest'] },
      shadow: false,
    },
  )
  const stores: ApiRoute[] = sampleRoutes(effects).filter(({ path }) => !path.includes('/v4/run'))
  return accessApi({
    access: { keys: [{ id: 'erp', hash: key.hash, ...grant }], anonymous: { scopes: anonymous }, allowFrom: listener },
    api: { trustedProxies: ['127.0.0.1'] },
    routes: [
      ...stores,
      ...startTaskRoutes({ preview: () => Promise.reject(new Error('no dry run is made here')), start }),
    ],
  })
}

test('random grants and calls', async () => {
  let happened = 0
  await fc.assert(
    fc.asyncProperty(situations, fc.array(calls, { minLength: 1, maxLength: 6 }), async (situation, list) => {
      await using api = await apiFor(situation)
      for (const call of list) {
        await check(api, situation, call)
        happened += effects.length + started.length
      }
    }),
    { numRuns: 300 },
  )
  // Not everything was refused.
  expect(happened).toBeGreaterThan(100)
}, 120_000)

async function check(api: Awaited<ReturnType<typeof accessApi>>, situation: Situation, call: Call): Promise<void> {
  const credentials = { key: bearer(key.key), none: {}, wrong: bearer(makeKey().key) }[situation.credential] ?? {}
  const headers = { ...credentials, 'X-Forwarded-For': situation.client }
  effects.length = started.length = 0
  const allowed = (scope: string) => listens(situation) && mayUse(situation, scope)
  if (call.kind === 'start') {
    const pair = call.namespace === undefined ? [] : [{ namespace: call.namespace, key: 'k', value: 'v' }]
    const body = { taskId: call.ids, tag: call.tags, ...(pair.length > 0 && { keyValueStore: pair }) }
    const { status } = await api.call('POST', '/v4/reloadtask/-/start', headers, body)
    const mayStore =
      call.namespace === undefined ||
      (allowed('kv:write') && (call.namespace === '' || mayUseNamespace(situation, call.namespace)))
    const expected = allowed('task:run') && mayStore ? expectedStarts(situation, call) : []
    expect({ call, status, started: started.toSorted() }).toEqual({ call, status, started: expected })
    expect(status === 200).toBe(allowed('task:run') && mayStore)
    return
  }
  if (call.kind === 'kv') {
    const [method, scope] = call.write ? ['POST', 'kv:write'] : ['GET', 'kv:read']
    await api.call(method!, `/v4/keyvalues/${encodeURIComponent(call.namespace)}`, headers, call.write ? {} : undefined)
    const expected = allowed(scope!) && mayUseNamespace(situation, call.namespace)
    expect({ call, done: effects.length }).toEqual({ call, done: expected ? 1 : 0 })
    return
  }
  await api.call('PUT', '/v4/filecopy', headers, {})
  expect({ call, done: effects.length }).toEqual({ call, done: allowed('file:write') ? 1 : 0 })
}
