/** Commands against a running Footman name the installation that answers when it is another than that of the folder. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { type RemoteOptions, withRemote } from '../../../src/cli/remote/client.ts'
import { CLUSTER } from '../../../src/console/contract.ts'
import { heard, restStub } from '../../support/rest-stub.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'

let directory: TempDirectory
const VERSION = '0.1.0'

beforeAll(() => {
  directory = tempDirectory()
  mkdirSync(directory.join('empty'))
  mkdirSync(directory.join('config'))
  writeFileSync(directory.join('other.yaml'), 'Butler:\n')
  symlinkSync(directory.join('config', 'footman.yaml'), directory.join('link.yaml'))
})
afterAll(() => directory.remove())

interface Situation {
  readonly installation?: { readonly version: string; readonly configuration: string | null }
  readonly options?: Partial<RemoteOptions>
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Runs a command that makes one call, in a folder whose configuration has the address of the stub. */
async function called({ installation, options = {}, env = {}, cwd = directory.path }: Situation) {
  await using stub = await restStub(() => [200, { answer: 42 }], installation)
  const { port } = new URL(stub.url)
  const rest = `restServerConfig: {enable: true, serverHost: 127.0.0.1, serverPort: ${port}}`
  writeFileSync(directory.join('config', 'footman.yaml'), `Butler:\n  ${rest}\n`)
  const io = heard()
  const code = await withRemote(
    { timeout: 5000, command: 'start-task', ...options },
    io,
    async (remote) => {
      for (let n = 0; n < 2; n += 1) io.out(await remote.text(CLUSTER, { what: 'start-task' }))
      return 0
    },
    { env: { ...env, ...(env.FOOTMAN_URL === 'stub' && { FOOTMAN_URL: stub.url }) }, cwd },
  )
  return { code, out: io.stdout(), err: io.stderr(), url: stub.url, paths: stub.requests.map(({ path }) => path) }
}

const of = (...path: string[]) => ({ version: VERSION, configuration: directory.join(...path) })
const BOTH = '{"answer":42}\n{"answer":42}'

describe('the installation that answers', () => {
  test('is not named when it is that of the folder, also by another way to the file', async () => {
    expect(await called({ installation: of('config', 'footman.yaml') })).toMatchObject({ code: 0, err: '', out: BOTH })
    expect(await called({ installation: of('link.yaml') })).toMatchObject({ code: 0, err: '' })
  })

  test('is not named when it reports none, as an older version or to callers of other machines', async () => {
    expect(await called({})).toMatchObject({ code: 0, err: '', out: BOTH })
  })

  test('is named once, on standard error, when it is another one', async () => {
    const { code, err, out, url } = await called({ installation: of('other.yaml') })
    expect(err).toBe(`footman: answered by Footman 0.1.0 at ${url}, configuration ${directory.join('other.yaml')}`)
    expect([code, out]).toEqual([0, BOTH])
  })

  test('is named in a folder without configuration', async () => {
    const env = { FOOTMAN_URL: 'stub' }
    const { err, url } = await called({ installation: of('other.yaml'), env, cwd: directory.join('empty') })
    expect(err).toBe(`footman: answered by Footman 0.1.0 at ${url}, configuration ${directory.join('other.yaml')}`)
  })

  test('may have no configuration, as the demo', async () => {
    const { err, url } = await called({ installation: { version: VERSION, configuration: null } })
    expect(err).toBe(`footman: answered by Footman 0.1.0 at ${url}, without a configuration file`)
  })
})

describe('with -c', () => {
  const options = { configfile: 'config/footman.yaml' }
  const wanted = () => directory.join('config', 'footman.yaml')

  test('its own Footman is called', async () => {
    expect(await called({ installation: of('config', 'footman.yaml'), options })).toMatchObject({ code: 0, err: '' })
  })

  test.each<[string, () => NonNullable<Situation['installation']>, () => string]>([
    [
      'that runs with another file',
      () => of('other.yaml'),
      () => `with the configuration ${directory.join('other.yaml')}`,
    ],
    ['that runs without one', () => ({ version: VERSION, configuration: null }), () => 'without a configuration file'],
  ])('a Footman %s is not called', async (_, installation, runs) => {
    const { code, err, paths, url } = await called({ installation: installation(), options })
    expect(err).toBe(
      `error: start-task: the Footman at ${url} runs ${runs()}, not with ${wanted()}; start a Footman with that file and ports of its own, or leave out -c`,
    )
    expect([code, paths]).toEqual([2, []])
  })

  test('a Footman in a container, whose path does not exist here, is called and named', async () => {
    const installation = { version: VERSION, configuration: '/no/such/folder/footman.yaml' }
    const { code, err } = await called({ installation, options })
    expect([code, err]).toEqual([0, expect.stringContaining('configuration /no/such/folder/footman.yaml')])
  })

  test('FOOTMAN_URL does not make another one right', async () => {
    const env = { FOOTMAN_URL: 'stub' }
    expect(await called({ installation: of('other.yaml'), options, env })).toMatchObject({ code: 2, paths: [] })
  })
})
