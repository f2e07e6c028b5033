/** Counts of the cluster's work on this node; they only grow while the process lives. */
import type { ClusterCounters } from './types.ts'

export interface CounterWriter {
  addOffers(result: 'new' | 'known', messages: number): void
  addShipped(rows: number): void
  addApplied(rows: number): void
  addTakeover(reason: string): void
  addCommand(result: string): void
  addFenced(): void
  addAlone(ms: number): void
  addDuplicates(events: number): void
  addRewind(): void
  read(): ClusterCounters
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
    addShipped(rows) {
      sums.shippedRows += rows
    },
    addApplied(rows) {
      sums.appliedRows += rows
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
    read() {
      const { aloneMs, ...rest } = sums
      return {
        ...rest,
        offers: { ...offers },
        takeovers: { ...takeovers },
        commands: { ...commands },
        aloneSeconds: aloneMs / 1000,
      }
    },
  }
}
