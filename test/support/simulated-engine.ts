import enigma from 'enigma.js'
import schema from 'enigma.js/schemas/12.612.0.json'
import { WebSocket } from 'ws'
import { loadAcme } from '../../simulator/acme/load.ts'
import { loadCertificates } from '../../simulator/certificates.ts'
import { createSimClock } from '../../simulator/clock.ts'
import { createEngineListener, type EngineSettings } from '../../simulator/engine/listener.ts'
import { createFaultTable } from '../../simulator/faults.ts'
import { createRequestLog } from '../../simulator/http-listener.ts'
import { createSite } from '../../simulator/site.ts'
import type { ListenerDeps } from '../../simulator/types.ts'
import { recordingLog } from './recording-log.ts'
import { tempDirectory } from './temp.ts'

export const APP = (number: number) => `a1000000-0000-4000-8000-0000000000${String(number).padStart(2, '0')}`
export const REPOSITORY = 'UserDirectory=Internal; UserId=sa_repository'

/** A simulated site with the data set acme, its own certificates and a clock that stands still at 2026-03-02T06:00Z. */
export async function createTestSite() {
  const directory = tempDirectory()
  const clock = createSimClock({ now: Date.UTC(2026, 2, 2, 6), speed: 0 })
  const site = createSite({ clock }, { timeZone: 'Europe/Stockholm' })
  loadAcme(site)
  const log = recordingLog()
  const tls = await loadCertificates(directory.path)
  const deps: ListenerDeps = { site, clock, tls, faults: createFaultTable(), requests: createRequestLog(), log }
  return {
    ...deps,
    log,
    deps,
    remove() {
      clock.stop()
      directory.remove()
    },
  }
}

export type TestSite = Awaited<ReturnType<typeof createTestSite>>

/** An engine listener on a free port, with the stock client and a bare socket as witnesses. */
export async function startTestEngine(settings: Partial<EngineSettings> = {}) {
  const site = await createTestSite()
  const engine = createEngineListener(site.deps, { port: 0, ...settings })
  await engine.start()
  const open: { close(): unknown }[] = []
  let identities = 0

  function socket(path: string, user: string | null = REPOSITORY, withCertificate = true): WebSocket {
    const { tls } = site
    const certificate = withCertificate ? { cert: tls.client.cert.pem, key: tls.client.key.pem } : {}
    const created = new WebSocket(`wss://localhost:${engine.port}${path}`, {
      ...certificate,
      ca: tls.ca.pem,
      headers: user === null ? {} : { 'X-Qlik-User': user },
    })
    open.push(created)
    return created
  }

  /** Opens a session with the stock client in its default settings. */
  async function stock(path: string, options: { user?: string; delta?: boolean } = {}) {
    const session = enigma.create({
      schema,
      url: `wss://localhost:${engine.port}${path}`,
      createSocket: () => socket(path, options.user) as unknown as globalThis.WebSocket,
      ...(options.delta === undefined ? {} : { protocol: { delta: options.delta } }),
    })
    const states: string[] = []
    const connected = new Promise<void>((resolve) => {
      session.on('notification:OnConnected', ({ qSessionState }: { qSessionState: string }) => {
        states.push(qSessionState)
        resolve()
      })
    })
    const global = (await session.open()) as unknown as StockObject
    await connected
    open.push({ close: () => session.close().catch(() => {}) })
    return { session, global, states }
  }

  return {
    ...site,
    engine,
    socket,
    stock,
    /** An app opened by the stock client in a session of its own. */
    async openApp(number: number, options: { noData?: boolean; user?: string; delta?: boolean } = {}) {
      const path = `/app/${APP(number)}/identity/test-${++identities}`
      const { global, session, states } = await stock(path, options)
      const doc: StockObject = await global.openDoc(APP(number), '', '', '', options.noData ?? false)
      return { global, session, doc, states }
    },
    /** A socket that speaks JSON-RPC by hand; `received` holds everything that came. */
    async raw(path: string, user: string | null = REPOSITORY) {
      const connection = socket(path, user)
      const received: RawMessage[] = []
      const waiting = new Set<() => void>()
      connection.on('message', (data) => {
        received.push(JSON.parse(String(data)))
        for (const wake of waiting) wake()
      })
      const closed = new Promise<number>((resolve) => connection.on('close', (code) => resolve(code)))
      await new Promise((resolve, reject) => {
        connection.once('open', resolve)
        connection.once('error', reject)
      })
      let id = 0
      const until = (test: (message: RawMessage) => boolean) =>
        new Promise<RawMessage>((resolve) => {
          const look = () => {
            const found = received.find(test)
            if (!found) return
            waiting.delete(look)
            resolve(found)
          }
          waiting.add(look)
          look()
        })
      return {
        received,
        closed,
        until,
        close: () => connection.close(1000),
        sendText: (text: string) => connection.send(text),
        call(handle: number, method: string, params: unknown = [], extra: Record<string, unknown> = {}) {
          const own = ++id
          connection.send(JSON.stringify({ jsonrpc: '2.0', id: own, handle, method, params, ...extra }))
          return until((message) => message.id === own)
        },
      }
    },
    async stop() {
      for (const one of open) one.close()
      await engine.stop()
      site.remove()
    },
  }
}

/** Error code of an engine call that has to fail. */
export async function codeOf(call: Promise<unknown>): Promise<number> {
  try {
    await call
  } catch (error) {
    return (error as { code: number }).code
  }
  throw new Error('The call did not fail')
}

export type TestEngine = Awaited<ReturnType<typeof startTestEngine>>

export interface RawMessage {
  readonly id?: number | null
  readonly method?: string
  readonly params?: Record<string, unknown>
  // biome-ignore lint/suspicious/noExplicitAny: tests read any member of an answer
  readonly result?: any
  readonly error?: { readonly code: number; readonly parameter: string; readonly message: string }
  readonly change?: readonly number[]
  readonly close?: readonly number[]
  readonly delta?: boolean
}

/** The stock client makes its methods from the schema at run time. */
export interface StockObject {
  readonly handle: number
  readonly id: string
  readonly genericType: string
  on(event: string, listener: () => void): void
  // biome-ignore lint/suspicious/noExplicitAny: made from the schema at run time
  readonly [method: string]: any
}
