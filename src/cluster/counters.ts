/** Counts of the cluster's work on this node; they only grow while the process lives. */
import type { ClusterCounters } from './types.ts'

type CountedRows = Pick<ClusterCounters, 'shippedRows' | 'appliedRows'>

export interface CounterWriter {
  addOffers(result: 'new' | 'known', messages: number): void
  addTakeover(reason: string): void
  addCommand(result: string): void
  addFenced(): void
  addAlone(ms: number): void
  addDuplicates(events: number): void
  addRewind(): void
  /** A build of the app has ended, which counted these. */
  addRows(rows: CountedRows): void
  /** With those of the build that runs. */
  read(now: CountedRows): ClusterCounters
}

export function createCounters(): CounterWriter {
  const offers = { new: 0, known: 0 }
  const takeovers: Record<string, number> = {}
  const commands: Record<string, number> = {}
  const sums = { shippedRows: 0, appliedRows: 0, fenced: 0, aloneMs: 0, duplicateEvents: 0, rewinds: 0 }

  return {
    addOffers(result, messages) {
      offers[result] += messages
    },
    addRows({ shippedRows, appliedRows }) {
      sums.shippedRows += shippedRows
      sums.appliedRows += appliedRows
    },
    addTakeover(reason) {
      takeovers[reason] = (takeovers[reason] ?? 0) + 1
    },
    addCommand(result) {
      commands[result] = (commands[result] ?? 0) + 1
    },
    addFenced() {
      sums.fenced += 1
    },
    addAlone(ms) {
      sums.aloneMs += ms
    },
    addDuplicates(events) {
      sums.duplicateEvents += events
    },
    addRewind() {
      sums.rewinds += 1
    },
    read(now) {
      const { aloneMs, ...rest } = sums
      return {
        ...rest,
        shippedRows: sums.shippedRows + now.shippedRows,
        appliedRows: sums.appliedRows + now.appliedRows,
        offers: { ...offers },
        takeovers: { ...takeovers },
        commands: { ...commands },
        aloneSeconds: aloneMs / 1000,
      }
    },
  }
}
