/**
 * What `sc.exe` prints. Labels are translated on localised Windows, so values are found by position and by number: a
 * service begins with a line that is not indented, its values follow as indented `label : value` lines.
 */
import { type ServiceInfo, type ServiceStatus, type StartType, statusOfNumber } from './types.ts'

export interface ListedService {
  readonly name: string
  /** Null when the number is not known. */
  readonly status: ServiceStatus | null
}

interface Block {
  /** Values of the lines that are not indented: name, and display name in lists. */
  readonly heads: string[]
  /** Values of the indented lines, each with its continuation lines. */
  readonly values: string[][]
}

/** Position of the values below a service. */
const STATE = 1
const CONFIG = { startType: 1, path: 3, displayName: 6, dependencies: 7 } as const

const START_TYPES: readonly StartType[] = ['Boot', 'System', 'Automatic', 'Manual', 'Disabled']

/** `sc query`, of one service or of all. */
export function parseQuery(output: string): ListedService[] {
  return blocksOf(output).flatMap(({ heads, values }) => {
    const [name] = heads
    return name && values.length > STATE ? [{ name, status: statusOfNumber(numberIn(values[STATE]![0])) }] : []
  })
}

/** `sc qc`; null when it is no description of a service. */
export function parseConfig(output: string): ServiceInfo | null {
  const values = blocksOf(output)[0]?.values
  if (!values || values.length <= CONFIG.dependencies) return null
  const at = (index: number) => values[index]?.[0] ?? ''
  return {
    displayName: at(CONFIG.displayName),
    startType: startTypeOf(at(CONFIG.startType)),
    exePath: at(CONFIG.path),
    dependencies: values[CONFIG.dependencies]!.filter((name) => name !== ''),
  }
}

/** The number of a failure, like 1060 for a service that does not exist; null when nothing failed. */
export function failureNumber(output: string): number | null {
  const line = output.split(/\r?\n/).find((text) => text.startsWith('[SC]') && /\d+\s*[:.]*\s*$/.test(text))
  const number = /(\d+)\s*[:.]*\s*$/.exec(line ?? '')?.[1]
  return number === undefined ? null : Number(number)
}

/** Why `sc` failed, in its own words: the line with the number and the sentence below it. */
export function failureText(output: string): string {
  const lines = output.split(/\r?\n/).map((line) => line.trim())
  return lines
    .filter((line) => line !== '')
    .slice(0, 2)
    .join(' ')
}

function blocksOf(output: string): Block[] {
  const blocks: Block[] = []
  for (const line of output.split(/\r?\n/)) {
    const [, indent, label, value] = /^(\s*)([^:]*?)\s*:(.*)$/.exec(line) ?? []
    if (label === undefined || line.startsWith('[SC]')) continue
    const text = value!.trim()
    const block = blocks.at(-1)
    if (indent === '') {
      if (!block || block.values.length > 0) blocks.push({ heads: [text], values: [] })
      else block.heads.push(text)
    } else if (label !== '') block?.values.push([text])
    else block?.values.at(-1)?.push(text)
  }
  return blocks
}

const numberIn = (text: string | undefined): number => Number(/^\s*(\d+)/.exec(text ?? '')?.[1] ?? Number.NaN)

function startTypeOf(text: string): StartType {
  const type = START_TYPES[numberIn(text)] ?? ''
  // The flag stands in brackets after the word; it is the only one there is.
  return type === 'Automatic' && /\(.+\)/.test(text) ? 'Automatic (delayed start)' : type
}
