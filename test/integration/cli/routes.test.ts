/** `footman routes explain`: what is told of many routes. */
import { expect, test } from 'bun:test'
import { runRoutesExplain } from '../../../src/cli/remote/routes.ts'
import { heard, restStub } from '../../support/rest-stub.ts'

const route = (name: string, origin: string, enable: boolean) => ({ name, origin, enable, to: ['x'] })
const not = (name: string, because: string) => ({ name, matched: false, because, deliveries: [] })
const LIST = [
  route('emailNotification.reloadTaskFailure', 'butler', true),
  route('slackNotification.reloadTaskFailure', 'butler', false),
  route('teamsNotification.reloadTaskFailure', 'butler', false),
  route('day', 'footman', false),
  route('night', 'footman', true),
]
const ANSWER = {
  stoppedBy: null,
  routes: [
    not('emailNotification.reloadTaskFailure', 'it is about service stopped'),
    not('slackNotification.reloadTaskFailure', 'Butler.slackNotification.enable is false'),
    not('teamsNotification.reloadTaskFailure', 'Butler.teamsNotification.enable is false'),
    not('day', 'it is off'),
    not('night', 'during does not hold'),
  ],
}

async function explain(more: object): Promise<string> {
  await using stub = await restStub(({ method }) => [200, method === 'POST' ? ANSWER : { alertRoutes: LIST }])
  const io = heard()
  expect(await runRoutesExplain({ url: stub.url, key: 'fm_test', timeout: 10_000, type: 'reload', ...more }, io)).toBe(
    3,
  )
  return io.stdout()
}

test('own routes first; sections that are off are one line', async () => {
  expect((await explain({})).split('\n')).toEqual([
    'No rule matches.',
    'Not matched:',
    '  day                                  it is off',
    '  night                                during does not hold',
    '  emailNotification.reloadTaskFailure  it is about service stopped',
    '2 rules of sections that are switched off: --all shows them',
  ])
})

test('--all names each', async () => {
  const text = await explain({ all: true })
  expect(text).toContain('  slackNotification.reloadTaskFailure  Butler.slackNotification.enable is false')
  expect(text).not.toContain('--all')
})

test('--json is the answer of the API', async () => {
  expect(JSON.parse(await explain({ json: true }))).toEqual(ANSWER)
})
