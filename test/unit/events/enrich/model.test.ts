/**
 * Events by the rules of `job.ts`, with a clock, a repository and a disk that are simulated: hours of faults in any order. QRS is
 * asked about a task once at a time, every event that can be written ends at its deadline, and each ends once.
 */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type Effect,
  isOpen,
  next,
  patientUntil,
  type Seen,
  type State,
  taken,
} from '../../../../src/events/enrich/job.ts'
import { roundsOf } from '../../../../src/events/enrich/rounds.ts'

const RULES = { qrsEnabled: true, distributePollMs: 3000 }
const CAPACITY = 5
const MOST_ASKED = 3
const ANSWER_MS = 200
const PROBE_MS = 1000

type Answer = 'complete' | 'waiting' | 'taskNotFound' | 'fails' | 'away'

interface Stored {
  readonly seq: number
  readonly taskId: string
  readonly announced: 'failed' | 'distribute'
  readonly receivedAt: number
  readonly deadlineAt: number
  dueAt: number
}

interface Job {
  readonly event: Stored
  state: State
  /** Its timers end with it. */
  timers: object
}

class World {
  now = 0
  answer: Answer = 'complete'
  isDiskFull = false
  readonly pending = new Map<number, Stored>()
  readonly ended: number[] = []
  private arrived = 0
  private timers: { readonly at: number; readonly run: () => void }[] = []
  private life: object = {}
  private inHand = new Map<number, Job>()
  private ready: Job[] = []
  private busy = new Map<string, number>()
  private contact = { startedAt: 0, answeredAt: 0, isOpen: true }

  arrive(taskId: string, announced: Stored['announced'], ms: number): void {
    this.arrived += 1
    const times = { receivedAt: this.now, deadlineAt: this.now + ms, dueAt: this.now }
    this.pending.set(this.arrived, { seq: this.arrived, taskId, announced, ...times })
    this.look()
  }

  /** The process is killed and started again. */
  restart(): void {
    this.life = {}
    this.inHand = new Map()
    this.ready = []
    this.busy = new Map()
    this.contact = { startedAt: this.now, answeredAt: this.now, isOpen: true }
    this.lookOn()
  }

  pass(ms: number): void {
    const until = this.now + ms
    for (;;) {
      this.timers.sort((one, other) => one.at - other.at)
      if (!this.timers[0] || this.timers[0].at > until) break
      const timer = this.timers.shift()!
      this.now = Math.max(this.now, timer.at)
      timer.run()
      this.check()
    }
    this.now = until
  }

  /** Events on disk become due. */
  private lookOn(): void {
    this.look()
    this.in(1000, () => this.lookOn())
  }

  private in(ms: number, run: () => void): void {
    const { life } = this
    this.timers.push({ at: this.now + ms, run: () => life === this.life && run() })
  }

  private look(): void {
    const after = patientUntil(this.contact, this.now)
    for (const event of this.pending.values()) {
      if (this.inHand.has(event.seq)) continue
      const isLate = event.deadlineAt <= this.now && event.deadlineAt > after
      if (isLate || (event.dueAt <= this.now && this.inHand.size < CAPACITY)) this.take(event)
    }
    this.begin()
  }

  private take(event: Stored): void {
    const { state, effects } = taken(event, this.contact, this.now, RULES)
    const job: Job = { event, state, timers: {} }
    this.inHand.set(event.seq, job)
    for (const effect of effects) this.carryOut(job, effect)
  }

  private note(job: Job, seen: Seen): void {
    const facts = { now: this.now, isCrowded: this.inHand.size >= CAPACITY }
    const { state, effects } = next(job.state, seen, facts, RULES)
    job.state = state
    for (const effect of effects) this.carryOut(job, effect)
  }

  private timer(job: Job, ms: number, seen: Seen): void {
    const { timers } = job
    this.in(ms, () => job.timers === timers && this.note(job, seen))
  }

  private carryOut(job: Job, effect: Effect): unknown {
    switch (effect.do) {
      case 'queue':
        return this.ready.push(job)
      case 'begin':
        return this.begin()
      case 'expire':
        return this.timer(job, effect.ms, { is: 'expired' })
      case 'wait':
        return this.timer(job, effect.ms, { is: 'waited' })
      case 'finish':
      case 'ignore':
        return this.write(job, () => {
          this.pending.delete(job.event.seq)
          this.ended.push(job.event.seq)
        })
      case 'park':
        return this.write(job, () => {
          job.event.dueAt = effect.until
        })
      case 'close gate':
        this.contact.isOpen = false
        return this.in(PROBE_MS, () => this.probe())
      case 'leave':
        this.inHand.delete(job.event.seq)
        return this.look()
    }
  }

  private write(job: Job, work: () => void): void {
    job.timers = {}
    this.in(1, () => {
      if (!this.isDiskFull) work()
      this.note(job, { is: this.isDiskFull ? 'not stored' : 'stored' })
    })
  }

  private probe(): void {
    if (this.answer === 'away') this.in(PROBE_MS, () => this.probe())
    else {
      this.contact.isOpen = true
      this.look()
    }
  }

  private begin(): void {
    const still = this.ready.filter(({ state }) => state.is === 'ready')
    const asked = [...this.busy.values()].reduce((sum, n) => sum + n, 0)
    const { begun, rest } = roundsOf(still, new Set(this.busy.keys()), this.contact.isOpen ? MOST_ASKED - asked : 0)
    this.ready = rest
    for (const [taskId, jobs] of begun) {
      if (this.busy.has(taskId)) throw new Error('asked about a task twice at a time')
      this.busy.set(taskId, jobs.length)
      for (const job of jobs) this.note(job, { is: 'round' })
      this.in(ANSWER_MS, () => {
        for (const job of jobs) this.settle(job)
        this.busy.delete(taskId)
        this.begin()
      })
    }
  }

  private settle(job: Job): void {
    const { answer } = this
    if (answer === 'fails') this.note(job, { is: 'failed', reason: 'r', isUnreachable: false })
    else if (answer === 'away') this.note(job, { is: 'failed', reason: 'r', isUnreachable: true })
    else {
      this.contact.answeredAt = this.now
      this.note(job, { is: 'answered', progress: answer })
    }
  }

  private check(): void {
    for (const { state } of this.inHand.values()) {
      if (isOpen(state) && state.deadline < this.now) throw new Error('asked about after its deadline')
    }
    if (new Set(this.ended).size < this.ended.length) throw new Error('ended twice')
  }
}

const moves = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      task: fc.constantFrom('a', 'b', 'c'),
      announced: fc.constantFrom('failed', 'failed', 'distribute'),
      deadlineMs: fc.integer({ min: 100, max: 120_000 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ answer: fc.constantFrom('complete', 'waiting', 'taskNotFound', 'fails', 'away') }),
  },
  fc.record({ isDiskFull: fc.boolean() }),
  fc.constant({ restarts: true }),
)
const step = fc.tuple(fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: 120_000 })), moves)

test('every event ends once, at its deadline or before, however QRS and the disk behave', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const world = new World()
      world.restart()
      let arrivals = 0
      for (const [ms, move] of steps) {
        world.pass(ms)
        if ('task' in move) {
          arrivals += 1
          world.arrive(move.task, move.announced as Stored['announced'], move.deadlineMs)
        } else if ('answer' in move) world.answer = move.answer as Answer
        else if ('isDiskFull' in move) world.isDiskFull = move.isDiskFull
        else world.restart()
      }
      world.isDiskFull = false
      // The longest deadline, and the wait after a write that failed.
      world.pass(300_000)
      expect(world.ended.length).toBe(arrivals)
      expect(world.pending.size).toBe(0)
    }),
    { numRuns: 300 },
  )
})
