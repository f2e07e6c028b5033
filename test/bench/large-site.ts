/**
 * A large site in a process of its own, for load: 500 reload tasks (or `--tasks`) of 100 apps whose executions end at a steady pace. Answers
 * what the product asks QRS about them over mutual TLS, from numbers alone, and counts every question. Prints its ports as one
 * line of JSON; `POST /send` on the control port sends datagrams, `GET /counts` tells what was asked.
 *
 * Execution n is of task n mod 500 (or `--tasks`) and everything about it follows from n, so the site keeps no memory of what has ended.
 */
import { createSocket } from 'node:dgram'
import { parseArgs } from 'node:util'
import { loadCertificates } from '../../simulator/certificates.ts'
import { createLocalTime } from '../../simulator/local-time.ts'
import { APPS, guidOf, numbersIn, TASKS } from './large-site-ids.ts'

const { values } = parseArgs({ options: { certificates: { type: 'string' }, tasks: { type: 'string' } } })
const tasks = Number(values.tasks ?? TASKS)
const certificates = await loadCertificates(values.certificates ?? '.')
const time = createLocalTime('Europe/Stockholm')
const STEP_MS = 5
/** The socket's buffer would overflow on bigger steps. */
const MAX_STEP = 64

/** How often something was asked, and the shortest time between two questions about the same one. */
interface Tally {
  asked: number
  readonly times: Map<number, number>
  readonly last: Map<number, number>
  shortestMs: number
}

const newTally = (): Tally => ({ asked: 0, times: new Map(), last: new Map(), shortestMs: Number.POSITIVE_INFINITY })
const tallies = {
  task: newTally(),
  app: newTally(),
  user: newTally(),
  result: newTally(),
  ticket: newTally(),
  log: newTally(),
}
let others = 0
/** Requests about any of them: one may ask about many. */
let requests = 0

function count(what: keyof typeof tallies, id: number): void {
  const tally = tallies[what]
  const now = performance.now()
  const before = tally.last.get(id)
  tally.asked += 1
  tally.times.set(id, (tally.times.get(id) ?? 0) + 1)
  tally.last.set(id, now)
  if (before !== undefined) tally.shortestMs = Math.min(tally.shortestMs, now - before)
}

const appOf = (task: number) => ({ id: guidOf('app', task % APPS), name: `App ${task % APPS}` })
const owner = { userId: 'anna', userDirectory: 'LAB', name: 'Anna Lindqvist' }
const STREAM = { id: guidOf('stream', 1), name: 'Finance' }

/** Changed by `POST /behave`: the policy of all tasks, and milliseconds until the start of a task is answered. */
let behaviour = { retryPolicy: '', startMs: 0 }

const task = (n: number) => ({
  id: guidOf('task', n),
  name: `Reload of app ${n % APPS}, ${n}`,
  taskType: 0,
  enabled: true,
  maxRetries: 0,
  taskSessionTimeout: 1440,
  isManuallyTriggered: false,
  modifiedDate: '2026-01-02T03:04:05.006Z',
  modifiedByUserName: 'LAB\\anna',
  app: { ...appOf(n), stream: STREAM },
  tags: [{ id: guidOf('tag', 1), name: 'Nightly' }],
  customProperties:
    behaviour.retryPolicy === '' ? [] : [{ definition: { name: 'retryPolicy' }, value: behaviour.retryPolicy }],
  operational: {
    nextExecution: '1753-01-01T00:00:00.000Z',
    lastExecutionResult: behaviour.retryPolicy === '' ? null : lastResult(n),
  },
})

const RUNNING = 2

/** A task has failed as the execution of its own number, and runs once it was started again. */
function lastResult(n: number) {
  const { id, status, startTime, stopTime } = result(n)
  return { id, status: starts.some(({ task }) => task === n) ? RUNNING : status, startTime, stopTime }
}

const app = (n: number) => ({
  ...appOf(n),
  description: 'One of many',
  fileSize: 1_234_567,
  lastReloadTime: '2026-01-02T03:04:05.006Z',
  published: true,
  publishTime: '2026-01-02T03:04:05.006Z',
  stream: STREAM,
  owner: { id: guidOf('user', n % 10), ...owner },
  tags: [],
  customProperties: [],
})

const user = (n: number) => ({
  id: guidOf('user', n),
  ...owner,
  attributes: [{ attributeType: 'email', attributeValue: `owner${n}@bench.test` }],
})

const result = (n: number) => ({
  id: guidOf('result', n),
  executionID: guidOf('execution', n),
  taskID: guidOf('task', n % tasks),
  status: 8,
  executingNodeName: 'qlik1.bench.test',
  startTime: new Date(Date.now() - 61_000).toISOString(),
  stopTime: new Date(Date.now() - 1000).toISOString(),
  duration: 60_000,
  fileReferenceID: guidOf('log', n),
  scriptLogAvailable: true,
  scriptLogSize: 4000,
  details: [
    { detailsType: 2, message: 'Changing task state to Started', detailCreatedDate: '2026-01-02T03:04:05.006Z' },
    { detailsType: 2, message: 'Changing task state to FinishedFail', detailCreatedDate: '2026-01-02T03:05:05.006Z' },
  ],
})

const LOG_LINES = Array.from(
  { length: 40 },
  (_, line) =>
    `20260302T0700${String(line).padStart(2, '0')}.902+0100      ${line} LOAD a, b, c FROM [lib://Data/f${line}.qvd] (qvd)`,
)
const scriptLog = (n: number) => [...LOG_LINES, `Error: table of execution ${n} not found`].join('\r\n')

type Answer = (numbers: readonly number[]) => Response | Promise<Response>

/** Tasks that were started, and when: milliseconds since 1970. */
const starts: { readonly task: number; readonly at: number }[] = []
async function startOf(task: number): Promise<Response> {
  starts.push({ task, at: Date.now() })
  if (behaviour.startMs > 0) await Bun.sleep(behaviour.startMs)
  // Executions far beyond those that tests end.
  return Response.json({ value: guidOf('execution', 1e9 + starts.length) })
}

/** By the begin of the path below `/qrs/`, and the kind of the id in its rest or filter. */
const ANSWERS: readonly (readonly [path: string, kind: Parameters<typeof numbersIn>[1], answer: Answer])[] = [
  ['task/full', 'task', counted('task', (n) => Response.json(n.map(task)))],
  ['task?', 'task', (numbers) => Response.json(numbers.map((n) => ({ id: guidOf('task', n) })))],
  ['task/', 'task', ([n = 0]) => startOf(n)],
  ['app/full', 'app', counted('app', (n) => Response.json(n.map(app)))],
  ['user/', 'user', counted('user', ([n = 0]) => Response.json(user(n)))],
  ['executionresult/full', 'execution', counted('result', (n) => Response.json(n.map(result)))],
  ['executionresult/full', 'result', counted('result', (n) => Response.json(n.map(result)))],
  ['reloadtask/', 'result', counted('ticket', ([n = 0]) => Response.json({ value: guidOf('log', n) }))],
  ['download/reloadtask/', 'log', counted('log', ([n = 0]) => new Response(scriptLog(n)))],
]

function counted(what: keyof typeof tallies, answer: Answer): Answer {
  return (numbers) => {
    requests += 1
    for (const n of numbers) count(what, n)
    return answer(numbers)
  }
}

/** Ids of tasks, in pages. */
function rowsOf(query: URLSearchParams): string[][] {
  const [skip, take] = [Number(query.get('skip')), Number(query.get('take'))]
  const page = Array.from({ length: Math.max(0, Math.min(take, tasks - skip)) }, (_, n) => skip + n)
  return page.map((n) => [guidOf('task', n)])
}

/** Anything else is answered as by a site where nothing else goes on. */
function answer(url: string): Response | Promise<Response> {
  const path = decodeURIComponent(url.slice(url.indexOf('/qrs/') + 5))
  for (const [begin, kind, respond] of ANSWERS) {
    const numbers = path.startsWith(begin) ? numbersIn(path, kind) : []
    if (numbers.length > 0) return respond(numbers)
  }
  others += 1
  if (path.startsWith('task/count')) return Response.json({ value: tasks })
  if (path.startsWith('task/table')) return Response.json({ rows: rowsOf(new URLSearchParams(path.split('?')[1])) })
  if (path.startsWith('about')) return Response.json({ buildVersion: '1.0.0' })
  return Response.json(/^[a-z]+\/count/.test(path) ? { value: 0 } : [])
}

const qrs = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  tls: {
    ca: certificates.ca.pem,
    cert: certificates.server.cert.pem,
    key: certificates.server.key.pem,
    requestCert: true,
    rejectUnauthorized: true,
  },
  fetch: (request) => answer(request.url),
})

const socket = createSocket('udp4')

function datagram(n: number, now: number): Buffer {
  const of = n % tasks
  return Buffer.from(
    [
      '/scheduler-task-failed/',
      'QLIK1',
      task(of).name,
      appOf(of).name,
      'INTERNAL\\sa_scheduler',
      guidOf('task', of),
      appOf(of).id,
      time.logDate(now),
      'INFO',
      guidOf('execution', n),
      'Max retries reached',
    ].join(';'),
  )
}

interface Wish {
  readonly port: number
  readonly perSecond: number
  readonly count: number
  /** Number of the first execution. */
  readonly first: number
}

/** Sends at an even pace; resolves with the milliseconds that it took. */
async function send({ port, perSecond, count, first }: Wish): Promise<number> {
  const started = performance.now()
  for (let sent = 0; sent < count; ) {
    const due = Math.min(count, Math.ceil(((performance.now() - started) / 1000) * perSecond))
    const now = Date.now()
    for (const end = Math.min(due, sent + MAX_STEP); sent < end; sent++) {
      socket.send(datagram(first + sent, now), port, '127.0.0.1')
    }
    await Bun.sleep(sent < due ? 0 : STEP_MS)
  }
  return performance.now() - started
}

function largest(numbers: Iterable<number>): number {
  let found = 0
  for (const number of numbers) found = Math.max(found, number)
  return found
}

const counts = () => ({
  others,
  requests,
  ...Object.fromEntries(
    Object.entries(tallies).map(([what, { asked, times, shortestMs }]) => [
      what,
      { asked, most: largest(times.values()), shortestMs: Number.isFinite(shortestMs) ? shortestMs : null },
    ]),
  ),
})

const control = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  idleTimeout: 0,
  async fetch(request) {
    const { pathname } = new URL(request.url)
    if (pathname === '/send') return Response.json({ tookMs: await send((await request.json()) as Wish) })
    if (pathname === '/behave') {
      behaviour = { ...behaviour, ...((await request.json()) as Partial<typeof behaviour>) }
      return Response.json(behaviour)
    }
    if (pathname === '/starts') return Response.json(starts)
    return pathname === '/counts' ? Response.json(counts()) : new Response('not found', { status: 404 })
  },
})
console.log(JSON.stringify({ qrs: qrs.port, control: control.port }))
