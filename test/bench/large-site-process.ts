/** The large site as the bench sees it. */
import { join } from 'node:path'
import process from 'node:process'
import { runBinary } from '../support/binary.ts'
import { repositoryRoot } from '../support/source.ts'
import { TASKS } from './large-site-ids.ts'
import type { AnySite } from './target.ts'

/** What was asked about one kind of thing. */
export interface Asked {
  readonly asked: number
  /** Of any one of them. */
  readonly most: number
  /** Between two questions about the same one, in milliseconds; null when none was asked about twice. */
  readonly shortestMs: number | null
}

export type Counts = Readonly<Record<'task' | 'app' | 'user' | 'result' | 'ticket' | 'log', Asked>> & {
  readonly others: number
  /** All requests except `others`; one may ask about many. */
  readonly requests: number
}

export interface LargeSite extends AnySite, AsyncDisposable {
  readonly pid: number
  /** Executions `first` to `first + count - 1` fail at this pace. Resolves with the milliseconds when all is sent. */
  send(wish: { port: number; perSecond: number; count: number; first: number }): Promise<number>
  counts(): Promise<Counts>
  /** From now on: the retry policy of all tasks ('' = none), and milliseconds until the start of a task is answered. */
  behave(how: { readonly retryPolicy?: string; readonly startMs?: number }): Promise<unknown>
  /** Tasks (by number) that were started so far, and when in milliseconds since 1970. */
  starts(): Promise<readonly { readonly task: number; readonly at: number }[]>
}

/** `directory` holds the certificates of a simulated site, or gets them. */
export async function startLargeSite(directory: string, tasks = TASKS): Promise<LargeSite> {
  const script = join(repositoryRoot, 'test', 'bench', 'large-site.ts')
  const running = runBinary([script, '--certificates', directory, '--tasks', String(tasks)], {
    command: process.execPath,
  })
  const [line] = await running.waitForLine(/^\{.*\}$/, 30_000)
  const { qrs, control } = JSON.parse(line) as { qrs: number; control: number }
  const ask = async <T>(path: string, body?: unknown): Promise<T> => {
    // However long the answer takes.
    const init: BunFetchRequestInit =
      body === undefined ? {} : { method: 'POST', body: JSON.stringify(body), timeout: false }
    return (await (await fetch(`http://127.0.0.1:${control}/${path}`, init)).json()) as T
  }
  return {
    pid: running.pid,
    qrsPort: qrs,
    certificates: {
      cert: join(directory, 'client.pem'),
      key: join(directory, 'client_key.pem'),
      ca: join(directory, 'root.pem'),
    },
    send: async (wish) => (await ask<{ tookMs: number }>('send', wish)).tookMs,
    counts: () => ask<Counts>('counts'),
    behave: (how) => ask('behave', how),
    starts: () => ask('starts'),
    [Symbol.asyncDispose]: () => running.kill9(),
  }
}
