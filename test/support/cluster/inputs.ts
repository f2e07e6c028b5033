/** The table of inputs in the guide of several nodes: what a node does with each, by its state. */
import { readRepositoryFile } from '../source.ts'

export type State = 'leader' | 'follower' | 'alone' | 'leaving'

const rows = readRepositoryFile('docs/several-nodes.md')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
const head = rows.find((cells) => cells[1] === 'Input') ?? []

export const guideOf = (input: string, state: State): string =>
  rows.find((cells) => cells[1] === input)?.[head.indexOf(state)] ?? 'the guide has no such row'

const first = rows.indexOf(head) + 2
/** Inputs of the table, in its order. */
export const tableInputs = rows
  .slice(
    first,
    rows.findIndex((cells, index) => index > first && cells.length === 1),
  )
  .map((cells) => cells[1] ?? '')

/** Inputs for which no caller waits. */
export const UNATTENDED = [
  'MQTT start request',
  'MQTT trigger, MQTT message to keep',
  'schedule that is due',
  'report trigger',
]
