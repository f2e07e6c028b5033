/**
 * Three nodes by the rules of `part.ts`, with a database, clocks and a network that are simulated: hours of faults in any order.
 * The same as with real nodes holds at each moment, and everything works again soon after the last fault.
 */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Fitness, Lacks } from '../../../src/cluster/fitness.ts'
import {
  awaitedSince,
  type Effect,
  initial,
  next,
  type Rules,
  type Seen,
  type State,
} from '../../../src/cluster/part.ts'

const LEASE_MS = 12_000
const BELIEVED_MS = LEASE_MS - LEASE_MS / 6
const TICK_MS = 250
const BUILD_MS = 500
const CATCH_UP_MS = 300
const LATENCY_MS = 40
const TIMEOUT_MS = 5000

interface Lease {
  token: number
  node: string
  expiresAt: number
}

/** The shared database: answers only while it runs. */
interface Database {
  isUp: boolean
  head: number
  history: number
  lease: Lease
}

interface World {
  now: number
  tokens: number
  readonly database: Database
  readonly nodes: readonly Node[]
}

interface App {
  readonly part: State['part']
  readonly caughtUpAt: number
}

class Node {
  state: State
  app: App
  building: { readonly at: number } | null = null
  term: { readonly token: number; readonly history: number; sentAt: number } | null = null
  /** The answer that it waits for. */
  answer: { readonly at: number; readonly take: () => void } | null = null
  catchingUp: { readonly at: number; readonly token: number } | null = null
  lookAt = 0
  lostSince: number | null = null
  isDead = false
  isFrozen = false
  isCutOff = false
  isRefused = false
  isDiskFull = false
  isAnswerLost = false
  lacks: Lacks = {}
  seenAt = 0

  constructor(
    readonly name: string,
    readonly world: World,
    readonly rules: Rules,
    readonly clockAheadMs: number,
  ) {
    this.state = initial(this.now, { timeline: 1, history: null })
    this.app = { part: 'follower', caughtUpAt: world.now + CATCH_UP_MS }
  }

  /** Of its own clock, which nothing else is compared with. */
  get now(): number {
    return this.world.now + this.clockAheadMs
  }

  get believesToLead(): boolean {
    const holds = this.term !== null && this.now - this.term.sentAt < BELIEVED_MS
    return !this.isDead && holds && this.state.part === 'leader' && this.app.part === 'leader' && this.building === null
  }

  get isCaughtUp(): boolean {
    return this.app.part === 'leader' || this.world.now >= this.app.caughtUpAt
  }

  restart(): void {
    const { timeline, history } = this.state
    this.state = initial(this.now, { timeline, history })
    this.app = { part: 'follower', caughtUpAt: this.world.now + CATCH_UP_MS }
    this.building = null
    this.term = null
    this.answer = null
    this.catchingUp = null
    this.lookAt = 0
    this.isDead = false
    this.isFrozen = false
  }

  fitness(): Fitness {
    const others = this.world.nodes
      .filter(
        ({ name, state, seenAt }) => name !== this.name && state.mode !== 'alone' && this.world.now - seenAt < 10_000,
      )
      .map(({ lacks }) => lacks)
    return { own: this.lacks, since: { disk: this.lostSince ?? this.now }, others }
  }

  noteDisk(): void {
    this.lacks = this.isDiskFull ? { disk: 'full' } : {}
    this.lostSince = this.isDiskFull ? (this.lostSince ?? this.now) : null
  }

  tell(seen: Seen): void {
    const facts = { now: this.now, databaseMs: this.world.now, canWrite: this.lacks.disk === undefined }
    const turn = next(this.state, seen, facts, this.rules)
    this.state = turn.state
    for (const effect of turn.effects) this.carryOut(effect)
  }

  carryOut(effect: Effect): void {
    switch (effect.do) {
      case 'build':
        if (this.lacks.disk !== undefined && !this.state.isHandingOver)
          throw new Error('built on a disk that cannot be written')
        this.building = { at: this.world.now + BUILD_MS }
        return
      case 'drop':
        this.term = null
        return
      case 'release':
        if (this.term && this.reaches()) this.release(this.term.token)
        this.term = null
        return
      case 'try':
        this.noteDisk()
        this.tell({ is: 'tried', fitness: this.fitness(), awaited: this.awaited() })
        return
      case 'acquire':
        if (this.state.mode !== 'follower' || this.isDiskFull) throw new Error(`${this.name} takes the lead in vain`)
        this.acquire()
    }
  }

  awaited(): number {
    const since = awaitedSince(this.state, this.now)
    return since === null ? 0 : this.world.nodes.filter((one) => !one.isDead && one.seenAt < since).length
  }

  reaches(): boolean {
    return this.world.database.isUp && !this.isCutOff && !this.isRefused
  }

  release(token: number): void {
    const { lease } = this.world.database
    if (lease.token === token) lease.expiresAt = Number.NEGATIVE_INFINITY
  }

  acquire(): void {
    const { world } = this
    const { lease } = world.database
    if (!this.reaches()) return
    if (lease.expiresAt >= world.now && lease.node !== this.name) return
    world.tokens += 1
    Object.assign(lease, { token: world.tokens, node: this.name, expiresAt: world.now + LEASE_MS })
    if (this.isAnswerLost) {
      this.isAnswerLost = false
      return
    }
    this.term = { token: world.tokens, history: world.database.history, sentAt: this.now }
    this.catchingUp = { at: world.now + CATCH_UP_MS, token: world.tokens }
  }

  look(): void {
    this.noteDisk()
    this.tell({ is: 'looking', fitness: this.fitness() })
    const { world } = this
    if (!this.reaches()) {
      const isRefused = this.isRefused && world.database.isUp && !this.isCutOff
      const at = world.now + (isRefused ? LATENCY_MS : TIMEOUT_MS)
      this.answer = { at, take: () => this.tell({ is: 'failed', reason: 'away', isRefused }) }
      return
    }
    this.seenAt = world.now
    const { head, history } = world.database
    const found = { head, history: String(history), timeline: 1, knownRev: 0 }
    const { term } = this
    const sentAt = this.now
    const answered = term === null ? this.foundLease(found) : this.renewed(term, sentAt, found)
    const isLost = this.isAnswerLost
    this.isAnswerLost = false
    const take = isLost ? () => this.tell({ is: 'failed', reason: 'reset', isRefused: false }) : answered
    this.answer = { at: world.now + LATENCY_MS, take }
  }

  foundLease(found: { head: number; history: string; timeline: number; knownRev: number }): () => void {
    const { lease } = this.world.database
    const isFree = lease.expiresAt < this.world.now
    const leads = !isFree && lease.node === this.name
    return () => {
      this.tell({ is: 'lease', isFree, leads, ...found, isCaughtUp: this.isCaughtUp })
      this.tell({ is: 'answered' })
    }
  }

  renewed(
    term: NonNullable<Node['term']>,
    sentAt: number,
    found: { head: number; history: string; timeline: number; knownRev: number },
  ): () => void {
    const { lease } = this.world.database
    const isHeld = lease.token === term.token
    if (isHeld) lease.expiresAt = this.world.now + LEASE_MS
    return () => {
      if (this.term?.token !== term.token) return this.tell({ is: 'answered' })
      if (isHeld) this.term.sentAt = sentAt
      else this.term = null
      this.tell({ is: 'renewal', isHeld, ...found, isCaughtUp: this.isCaughtUp })
      this.tell({ is: 'answered' })
    }
  }

  tick(): void {
    if (this.isDead || this.isFrozen) return
    const { world } = this
    this.tell({ is: 'alive' })
    if (this.answer && this.answer.at <= world.now) {
      const { take } = this.answer
      this.answer = null
      this.lookAt = world.now + (this.state.part === 'leader' ? LEASE_MS / 4 : 1000)
      take()
    }
    if (this.catchingUp && this.catchingUp.at <= world.now) {
      const { token } = this.catchingUp
      this.catchingUp = null
      if (this.term?.token === token) this.tell({ is: 'caught up' })
    }
    if (this.building && this.building.at <= world.now) this.build()
    if (this.answer === null && this.lookAt <= world.now) this.look()
  }

  build(): void {
    this.building = null
    this.tell({ is: 'built' })
    this.app = { part: this.state.part, caughtUpAt: this.world.now + CATCH_UP_MS }
  }

  stepDown(): void {
    if (this.isDead || this.isFrozen) return
    this.tell({ is: 'step down' })
    this.tell({ is: 'finished' })
  }
}

const FAULTS = {
  kill: (node: Node) => {
    node.isDead = true
  },
  start: (node: Node) => (node.isDead ? node.restart() : undefined),
  freeze: (node: Node) => {
    node.isFrozen = true
  },
  thaw: (node: Node) => {
    node.isFrozen = false
  },
  cutOff: (node: Node) => {
    node.isCutOff = true
  },
  reconnect: (node: Node) => {
    node.isCutOff = false
  },
  refuse: (node: Node) => {
    node.isRefused = true
  },
  admit: (node: Node) => {
    node.isRefused = false
  },
  fillDisk: (node: Node) => {
    node.isDiskFull = true
  },
  freeDisk: (node: Node) => {
    node.isDiskFull = false
  },
  loseAnswer: (node: Node) => {
    node.isAnswerLost = true
  },
  stepDown: (node: Node) => node.stepDown(),
  databaseDown: ({ world }: Node) => {
    world.database.isUp = false
  },
  databaseUp: ({ world }: Node) => {
    world.database.isUp = true
  },
  putBack: ({ world }: Node) => {
    world.database.history += 1
    world.database.lease.expiresAt = Number.NEGATIVE_INFINITY
  },
} as const

const fault = fc.record({
  what: fc.constantFrom(...(Object.keys(FAULTS) as (keyof typeof FAULTS)[])),
  node: fc.nat(2),
  /** Milliseconds until the next fault. */
  after: fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 60_000 })),
})
const rules = fc.record({
  whenDatabaseDown: fc.constantFrom('alert' as const, 'wait' as const),
  dutiesWhenDatabaseDown: fc.constantFrom('stop' as const, 'lastLeader' as const),
  aloneAfterMs: fc.constantFrom(20_000, 60_000),
})

function newWorld(wish: Pick<Rules, 'whenDatabaseDown' | 'dutiesWhenDatabaseDown' | 'aloneAfterMs'>): World {
  const nodes: Node[] = []
  const lease = { token: 0, node: '', expiresAt: Number.NEGATIVE_INFINITY }
  const world: World = { now: 0, tokens: 0, nodes, database: { isUp: true, head: 1, history: 1, lease } }
  const all: Rules = { candidate: true, leaseMs: LEASE_MS, refusedAfterMs: 300_000, ...wish }
  for (const [at, name] of ['a', 'b', 'c'].entries()) nodes.push(new Node(name, world, all, at * 12_345))
  return world
}

function pass(world: World, ms: number, steps: { count: number }): void {
  const until = world.now + ms
  while (world.now < until) {
    world.now += TICK_MS
    for (const node of world.nodes) node.tick()
    steps.count += world.nodes.length
    // The leader before a backup was put back believes in its lease until it asks; its writes are refused.
    const leaders = world.nodes.filter((node) => node.believesToLead && node.term?.history === world.database.history)
    if (leaders.length > 1) throw new Error(`${leaders.map(({ name }) => name)} lead at ${world.now}`)
    for (const { name, state } of world.nodes) {
      if (state.part === 'leader' && state.mode !== 'leader') throw new Error(`${name} leads as ${state.mode}`)
      if (state.keepsDuties && state.part === 'leader') throw new Error(`${name} keeps duties that it has`)
    }
  }
}

function heal(world: World): void {
  world.database.isUp = true
  for (const node of world.nodes) {
    for (const what of ['start', 'thaw', 'reconnect', 'admit', 'freeDisk'] as const) FAULTS[what](node)
  }
}

/** Take-over, joining and building anew one after the other, after the longest outage. */
const CALM_MS = 90_000

describe('three nodes', () => {
  const steps = { count: 0 }

  test('never lead at once, and work again after any faults', () => {
    fc.assert(
      fc.property(rules, fc.array(fault, { maxLength: 60 }), (wish, faults) => {
        const world = newWorld(wish)
        for (const { what, node, after } of faults) {
          FAULTS[what](world.nodes[node]!)
          pass(world, after, steps)
        }
        heal(world)
        pass(world, CALM_MS, steps)
        const modes = world.nodes.map(({ state }) => state.mode).toSorted()
        expect(modes).toEqual(['follower', 'follower', 'leader'])
        for (const { state, app, building } of world.nodes) {
          expect(app.part).toBe(state.part)
          expect(building).toBeNull()
          expect(state).toMatchObject({
            owed: null,
            outage: null,
            isHandingOver: false,
            isBuilding: false,
            forgotten: null,
          })
        }
        expect(world.nodes.filter((node) => node.believesToLead)).toHaveLength(1)
      }),
      { numRuns: 1000, includeErrorInReport: true },
    )
    expect(steps.count).toBeGreaterThan(1_000_000)
  })
})
