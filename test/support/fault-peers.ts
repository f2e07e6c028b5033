/** The peers of destinations, each with its possible faults and the messages that it has received. */
import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { type HttpSink, type SinkAnswer, startHttpSink } from './http-sink.ts'
import { startMosquitto } from './mosquitto.ts'
import { type SmtpSink, startSmtpSink } from './smtp-sink.ts'
import { tempDirectory } from './temp.ts'

export const FAULTS = ['well', 'down', 'slow', 'refusing', 'flapping'] as const
export type Fault = (typeof FAULTS)[number]
const TROUBLES = ['down', 'slow', 'flapping'] as const

export interface Peer {
  readonly can: readonly Fault[]
  /** Brings the fault, or ends it: `well`. */
  suffer(fault: Fault): Promise<void>
  /** Task names of the messages that it has accepted, once for each time. */
  taken(): readonly string[]
  stop(): Promise<unknown> | unknown
  /** Faults that show in failed attempts: during others it is left alone, or a try may happen to succeed. */
  readonly failsWhen: readonly Fault[]
}

/** The task names of the test's events. */
const NAMES = /T\d+x\d+x/g
export const namesIn = (text: string): readonly string[] => [...new Set(text.match(NAMES))]

/** Every second time. */
function alternating(): () => boolean {
  let count = 0
  return () => count++ % 2 === 0
}

/** `failure`: the status that means "try again". */
export async function httpPeer(success: SinkAnswer, failure: number): Promise<Peer & { readonly sink: HttpSink }> {
  const sink = await startHttpSink()
  const taken: string[] = []
  let trouble: () => SinkAnswer | null = () => null
  sink.answer(({ body }) => {
    const fault = trouble()
    if (!fault) taken.push(...namesIn(body))
    return fault ?? success
  })
  const troubles: Readonly<Record<Fault, () => typeof trouble>> = {
    well: () => () => null,
    down: () => () => null,
    slow: () => () => ({ hang: true }),
    refusing: () => () => ({ status: 422 }),
    flapping: () => {
      const fails = alternating()
      return () => (fails() ? { status: failure } : null)
    },
  }
  return {
    sink,
    can: FAULTS,
    failsWhen: TROUBLES,
    async suffer(fault) {
      trouble = troubles[fault]()
      await (fault === 'down' ? sink.down() : sink.up())
    },
    taken: () => taken,
    stop: sink.stop,
  }
}

export async function mailPeer(): Promise<Peer & { readonly port: number; readonly sink: SmtpSink }> {
  const sink = await startSmtpSink()
  const fails = alternating()
  const answers = {
    well: {},
    down: {},
    slow: { hang: true },
    refusing: { rcptTo: 550 },
    flapping: {
      get data(): number {
        return fails() ? 451 : 0
      },
    },
  }
  return {
    sink,
    port: sink.port,
    can: FAULTS,
    failsWhen: TROUBLES,
    async suffer(fault) {
      sink.answer(answers[fault])
      await (fault === 'down' ? sink.down() : sink.up())
    },
    taken: () => sink.mails.flatMap(({ parsed }) => namesIn(parsed.subject ?? '')),
    stop: sink.stop,
  }
}

/** A real broker; its log shows the messages that it has received. */
export async function brokerPeer(): Promise<Peer & { readonly port: number }> {
  const broker = await startMosquitto()
  let restarts: AbortController | null = null
  let restarting: Promise<void> = Promise.resolve()
  const stops: Partial<Record<Fault, () => Promise<void> | void>> = {
    down: broker.kill,
    slow: broker.freeze,
    flapping() {
      restarts = new AbortController()
      restarting = flap(restarts.signal)
    },
  }
  let current: Fault = 'well'

  async function flap(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await broker.kill()
      await Bun.sleep(30)
      await broker.start()
      await Bun.sleep(200)
    }
  }

  async function endFault(): Promise<void> {
    restarts?.abort()
    await restarting
    if (current === 'down') await broker.start()
    if (current === 'slow') broker.resume()
  }

  return {
    port: broker.port,
    can: ['well', 'down', 'slow', 'flapping'],
    failsWhen: ['slow'],
    async suffer(fault) {
      await endFault()
      current = fault
      await stops[fault]?.()
    },
    taken: () =>
      broker
        .log()
        .split('\n')
        .filter((line) => line.includes('Received PUBLISH'))
        .flatMap(namesIn),
    async stop() {
      await endFault()
      await broker.stop()
    },
  }
}

/** A folder that is sometimes a file. */
export function folderPeer(): Peer & { readonly path: string } {
  const directory = tempDirectory()
  const [kept, file, path] = [directory.join('kept'), directory.join('file'), directory.join('logs')]
  mkdirSync(kept)
  writeFileSync(file, '')
  let timer: ReturnType<typeof setInterval> | undefined

  /** Atomic: the link always exists. */
  function lead(target: string): void {
    symlinkSync(target, directory.join('next'))
    renameSync(directory.join('next'), path)
  }

  lead(kept)
  return {
    path,
    can: ['well', 'down', 'flapping'],
    failsWhen: ['down'],
    async suffer(fault) {
      clearInterval(timer)
      lead(fault === 'down' ? file : kept)
      const fails = alternating()
      if (fault === 'flapping') timer = setInterval(() => lead(fails() ? file : kept), 30)
    },
    taken: () =>
      readdirSync(kept, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.log'))
        .flatMap(namesIn),
    stop() {
      clearInterval(timer)
      directory.remove()
    },
  }
}
