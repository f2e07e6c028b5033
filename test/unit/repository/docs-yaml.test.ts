/** Every piece of configuration in README.md and docs/ is one that `footman check` finds nothing wrong with. */
import { describe, expect, test } from 'bun:test'
import { parse } from 'yaml'
import { loadConfig } from '../../../src/app/config/load.ts'
import { inspect } from '../../../src/cli/check.ts'
import { createPathResolver } from '../../../src/config/paths.ts'
import { type Problem, renderProblem } from '../../../src/config/problems.ts'
import { withFolder } from '../../support/config.ts'
import { type Block, blocksOf, docPages } from '../../support/docs.ts'

type Tree = { [key: string]: unknown }

/** What stands in a file of its own. */
const OTHER_FILES = ['scrape_configs', 'groups', 'authorization']

/** Where a piece belongs, by its first key; null = a piece of a schedule. */
const PLACES: Readonly<Record<string, readonly string[] | null>> = {
  slackNotification: [],
  jwt: ['footman', 'access'],
  clientCertificates: ['footman', 'access'],
  alertRoutes: ['footman'],
  butlerRoutes: ['footman'],
  taskPolicies: ['footman'],
  maintenance: ['footman'],
  testMode: ['footman', 'email'],
  butlerSchedule: null,
  cronSchedule: null,
  action: null,
}

/** A value for each variable that the guide names; addresses where nothing else is said. */
const VALUES: Readonly<Record<string, string>> = {
  PAGERDUTY_KEY: '0123456789abcdef0123456789abcdef',
  TELEGRAM_TOKEN: '123456789:AAabcdefghijklmnopqrstuvwxyz0123456',
  OPSGENIE_KEY: '01234567-89ab-cdef-0123-456789abcdef',
  TICKETS_SECRET: `whsec_${Buffer.from('a secret of thirty-two letters..').toString('base64')}`,
  FOOTMAN_UDP_SECRET: 'a-secret-of-many-letters',
}
const ADDRESS = 'https://hooks.acme.example/services/T000/B000/XXXX'

/** Destinations, calendars, servers that examples take for granted. */
const SURROUNDINGS = {
  calendars: { 'holidays-se': { dates: ['2026-12-24'] }, workdays: { days: 'mon-fri' } },
  destinations: Object.fromEntries(
    ['ops-mail', 'on-call', 'phone', 'tickets', 'bi-teams'].map((name) => [
      name,
      name === 'tickets'
        ? { type: 'webhook', url: 'https://tickets.acme.example/api' }
        : { type: 'email', recipients: ['ops@acme.example'] },
    ]),
  ),
}

const isConfiguration = ({ language, lines }: Block): boolean =>
  language === 'yaml' ||
  (language === '' && /^(Butler|alertRoutes|retryPolicy|[a-z]\w+):( \{.*)?$/.test(lines[0] ?? ''))

/** The whole file of which the block is a piece, and a schedule file where it is a piece of that. */
function wholeFile({ lines }: Block): { butler: Tree; schedules?: unknown } {
  const piece = parse(lines.join('\n')) as Tree
  const first = Object.keys(piece)[0] ?? ''
  if (first === 'Butler') return { butler: piece.Butler as Tree }
  if (!(first in PLACES)) return { butler: { footman: { destinations: piece } } }
  const place = PLACES[first]
  if (place) return { butler: place.reduceRight<Tree>((inner, key) => ({ [key]: inner }), piece) }
  const schedule = { id: 'one', name: 'One', cronSchedule: '0 6 * * *', timezone: 'UTC', startupState: 'stopped' }
  const task = 'action' in piece ? {} : { qlikSenseTaskId: 'a8b4c123-def4-5678-9abc-def012345678' }
  return {
    butler: { scheduler: { enable: true, configfile: 'schedule.yaml' } },
    schedules: 'butlerSchedule' in piece ? piece : { butlerSchedule: [{ ...schedule, ...task, ...piece }] },
  }
}

function merged(low: Tree, high: Tree): Tree {
  const result: Tree = { ...low }
  for (const [key, value] of Object.entries(high)) {
    const below = result[key]
    result[key] = isTree(below) && isTree(value) ? merged(below, value) : value
  }
  return result
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

/** With what the piece takes for granted. */
function completed(butler: Tree): Tree {
  const { footman } = butler as { footman?: { destinations?: Tree; access?: Tree } }
  const own = Object.keys(footman?.destinations ?? {})
  const destinations = Object.fromEntries(
    Object.entries(SURROUNDINGS.destinations).filter(([name]) => !own.includes(name)),
  )
  const access = footman?.access && { enable: true, anonymous: { scopes: ['metrics:read'] } }
  const tls = { enable: true, serverPort: 8443, tls: { enable: true, cert: 'server.pem', key: 'server-key.pem' } }
  return merged(
    {
      emailNotification: { smtp: { host: 'smtp.acme.example' } },
      mqttConfig: { enable: true, brokerHost: 'mqtt.acme.example' },
      thirdPartyToolsCredentials: { newRelic: [{ accountName: 'main', accountId: 1, insertApiKey: 'NRII-key' }] },
      ...(footman?.access && { restServerConfig: 'clientCertificates' in footman.access ? tls : { enable: true } }),
      footman: { ...SURROUNDINGS, destinations, ...(access && { access }) },
    },
    butler,
  )
}

/** What `check` says against it; hints to Butler 16, which are expected, left out. */
async function complaints(block: Block): Promise<string[]> {
  const { butler, schedules } = wholeFile(block)
  const text = JSON.stringify({ Butler: completed(butler) }, null, 2).replace('sha256:...', `sha256:${'0'.repeat(64)}`)
  const names = [...text.matchAll(/\$\{env:(\w+)\}/g)].map(([, name]) => name!)
  const env = Object.fromEntries(names.map((name) => [name, VALUES[name] ?? ADDRESS]))
  const files = {
    'config.yaml': text,
    'smtp-password': 'secret',
    ...(schedules !== undefined && { 'schedule.yaml': JSON.stringify(schedules) }),
  }
  return withFolder(files, async (cwd) => {
    const overrides = { qlikConnection: false }
    const result = await loadConfig({
      file: 'config.yaml',
      env: { ...env, CREDENTIALS_DIRECTORY: cwd },
      cwd,
      overrides,
    })
    const problems = await inspect(result, createPathResolver({ configDirectory: cwd, cwd, execPath: cwd }))
    return problems.filter((problem) => problem.severity !== 'info' && !isExpected(problem)).map(renderProblem)
  })
}

/** Files and folders of the examples are not here. */
const isExpected = ({ message }: Problem): boolean =>
  /is now honoured|does not exist|cannot be read|there is no template/.test(message)

const blocks = docPages.flatMap(blocksOf).filter(isConfiguration)
const ours = blocks.filter(({ lines }) => !OTHER_FILES.includes(/\w+/.exec(lines[0] ?? '')?.[0] ?? ''))

test('there are pieces of configuration in the guide', () => {
  expect(ours.length).toBeGreaterThan(40)
})

describe('check finds nothing wrong with', () => {
  test.each(ours.map((block) => [block.place, block] as const))('%s', async (_, block) => {
    expect(await complaints(block)).toEqual([])
  })
})
