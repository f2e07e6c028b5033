/** Finds the regular expressions of source files, and those whose search may take longer than the text is long. */
import type { SourceFile } from './source.ts'

export interface FoundRegExp {
  readonly path: string
  readonly pattern: string
  readonly flags: string
}

const BEFORE_LITERAL = /(?:^|[(,=:[!&|?{};+\-*%~^>]|\b(?:return|typeof|case|of|in|yield|await|else|do))$/
const LITERAL = /\/((?:\[(?:\\.|[^\]\\\n])*\]|\\.|[^/\\[\n])+)\/([a-z]*)/y
const SKIPPED = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/y

/** The literals of a file, also those inside of `${}`. */
export function regExpsOf({ path, text }: SourceFile): FoundRegExp[] {
  const found: FoundRegExp[] = []
  /** Depth of braces at which an open template goes on. */
  const templates: number[] = []
  let depth = 0
  let before = ''
  for (let at = 0; at < text.length; ) {
    const sign = text[at]!
    SKIPPED.lastIndex = at
    const skipped = SKIPPED.exec(text)
    if (skipped) {
      if (!/^\/[/*]/.test(skipped[0])) before = '"'
      at = SKIPPED.lastIndex
      continue
    }
    if (sign === '`' || (sign === '}' && templates.at(-1) === depth)) {
      if (sign === '}') templates.pop()
      at = templateEnd(text, at + 1)
      if (text[at - 1] === '{') templates.push(depth)
      before = text[at - 1] === '{' ? '(' : '"'
      continue
    }
    if (sign === '/' && text[at + 1] !== '>' && BEFORE_LITERAL.test(before.trimEnd())) {
      LITERAL.lastIndex = at
      const literal = LITERAL.exec(text)
      if (literal) {
        found.push({ path, pattern: literal[1]!, flags: literal[2]! })
        at = LITERAL.lastIndex
        before = '"'
        continue
      }
    }
    if (sign === '{') depth++
    if (sign === '}') depth--
    if (/\s/.test(sign)) before += before.endsWith(' ') || !/\w$/.test(before) ? '' : ' '
    else before = /\w/.test(sign) && /\w$/.test(before) ? before + sign : sign
    at++
  }
  return found
}

/** Behind the backtick that ends the template text at `at`, or behind the `${` that parts it. */
function templateEnd(text: string, at: number): number {
  for (let end = at; end < text.length; end++) {
    if (text[end] === '\\') end++
    else if (text[end] === '`') return end + 1
    else if (text[end] === '$' && text[end + 1] === '{') return end + 2
  }
  return text.length
}

// ------------------------------------------------------------------------------------------------ the automaton

/** The numbers of the characters that a part of a pattern may begin and end with. */
interface Part {
  readonly first: readonly number[]
  readonly last: readonly number[]
  readonly canBeEmpty: boolean
}

const EMPTY: Part = { first: [], last: [], canBeEmpty: true }
const SAMPLES = [
  ...Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)),
  '\u00a0',
  '\u00ad',
  'ä',
  'Ä',
  '\u2028',
  '売',
  '٣',
  '\ufeff',
  '\ue000',
]
const TOKEN =
  /\\[bB]|[$^]|\(\?<?[=!]|\((?:\?(?:<[^>]*>|:))?|\[(?:\\.|[^\]\\])*\]|\\k<[^>]*>|\\[1-9]\d*|\\u\{[\da-fA-F]+\}|\\u[\da-fA-F]{4}|\\x[\da-fA-F]{2}|\\[pP]\{[^}]*\}|\\.|[^\\]/suy
const QUANTIFIER = /(?:[*+?]|\{\d+(,?)(\d*)\})\??/uy

interface Automaton {
  /** Which samples each character takes. */
  readonly takes: readonly ReadonlySet<string>[]
  /** Next characters, with the number of ways there. */
  readonly next: readonly ReadonlyMap<number, number>[]
  readonly whole: Part
}

/** @param guards conditions about the text around (`$`, `(?=a)`, `\\b` behind a part) are characters that nothing can be */
function automatonOf(pattern: string, flags: string, guards = false): Automaton {
  const takes: ReadonlySet<string>[] = []
  const next: Map<number, number>[] = []
  let position = 0

  function take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = position
    const token = expression.exec(pattern)
    position += token?.[0].length ?? 0
    return token
  }
  function join(from: readonly number[], to: readonly number[]): void {
    for (const one of from) for (const other of to) next[one]!.set(other, (next[one]!.get(other) ?? 0) + 1)
  }
  function choice(): Part {
    const parts = [sequence()]
    while (pattern[position] === '|') {
      position++
      parts.push(sequence())
    }
    return {
      first: parts.flatMap(({ first }) => first),
      last: parts.flatMap(({ last }) => last),
      canBeEmpty: parts.some((part) => part.canBeEmpty),
    }
  }
  function sequence(): Part {
    let all = EMPTY
    while (position < pattern.length && pattern[position] !== '|' && pattern[position] !== ')') {
      const part = quantified()
      join(all.last, part.first)
      all = {
        first: all.canBeEmpty ? [...all.first, ...part.first] : all.first,
        last: part.canBeEmpty ? [...all.last, ...part.last] : part.last,
        canBeEmpty: all.canBeEmpty && part.canBeEmpty,
      }
    }
    return all
  }
  function term(): Part {
    const token = take(TOKEN)?.[0] ?? ''
    if (/^\(\?<?[=!]/.test(token)) {
      // The text around is looked at, not taken.
      const mute = takes.length
      choice()
      position++
      for (let at = mute; at < takes.length; at++) takes[at] = new Set()
      return guards ? nothing() : EMPTY
    }
    if (token.startsWith('(')) {
      const inner = choice()
      position++
      return inner
    }
    if (/^(\\[bBk1-9].*|[$^])$/.test(token)) return guards && token === '$' ? nothing() : EMPTY
    const one = new RegExp(`^(?:${token})$`, [...flags].filter((flag) => 'iusv'.includes(flag)).join(''))
    takes.push(new Set(SAMPLES.filter((sample) => one.test(sample))))
    next.push(new Map())
    return { first: [takes.length - 1], last: [takes.length - 1], canBeEmpty: false }
  }
  function nothing(): Part {
    takes.push(new Set())
    next.push(new Map())
    return { first: [takes.length - 1], last: [takes.length - 1], canBeEmpty: false }
  }
  function quantified(): Part {
    const part = term()
    const found = take(QUANTIFIER)
    if (!found) return part
    const [text, comma, most] = found
    // Repetitions with a limit take a limited time.
    const isEndless = /^[*+]/.test(text) || (comma === ',' && most === '')
    if (isEndless) join(part.last, part.first)
    return /^([*?]|\{0)/.test(text) ? { ...part, canBeEmpty: true } : part
  }
  const whole = choice()
  return { takes, next, whole }
}

/** The parts of a pattern between the bars outside of groups and sets. */
function alternativesOf(pattern: string): string[] {
  const parts = ['']
  let depth = 0
  for (const [token] of pattern.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|./gs)) {
    if (token === '(') depth++
    if (token === ')') depth--
    if (token === '|' && depth === 0) parts.push('')
    else parts.push(parts.pop()! + token)
  }
  return parts
}

/**
 * Whether a search that fails may try again from many places of the same run of characters: `\\s+$`, `<[^>]*>`. The run is read to
 * its end each time, which takes quadratic time over a text of it. Searches that begin at a fixed place do not.
 */
export function restarts(pattern: string, flags: string): boolean {
  if (flags.includes('y')) return false
  return alternativesOf(pattern).some(
    (one) => !(one.startsWith('^') && !flags.includes('m')) && beginsAgain(one, flags),
  )
}

function beginsAgain(pattern: string, flags: string): boolean {
  const { takes, next, whole } = automatonOf(pattern, flags, true)
  const isLoop = (at: number) => reachableFrom(next, at).has(at)
  return takes.some((run, loop) => {
    if (run.size === 0 || !isLoop(loop) || whole.last.includes(loop)) return false
    // From a place within the run, through characters of the run alone, into the loop.
    const usable = (at: number) => [...takes[at]!].some((sample) => run.has(sample))
    const begins = whole.first.filter(usable)
    const reached = new Set(
      begins.flatMap((at) => [
        at,
        ...walk([at], ([from]) => [...next[from!]!.keys()].filter(usable).map((to) => [to])).map(([to]) => to!),
      ]),
    )
    if (!reached.has(loop)) return false
    // The match ends within the run when a part of it can be the last one.
    return ![...reached].some((at) => whole.last.includes(at))
  })
}

/**
 * Why a search may take more than linear time after its first character: `nested` when the same text can be read in two ways by one
 * repetition (exponential), `adjacent` when two repetitions can share it (quadratic). Null when neither holds.
 */
export function hazardOf(pattern: string, flags: string): 'nested' | 'adjacent' | null {
  const { takes, next } = automatonOf(pattern, flags)
  const reachable = takes.map((_, from) => reachableFrom(next, from))
  const isLoop = (at: number) => reachable[at]!.has(at)
  const together = (one: number, other: number) => reachable[one]!.has(other) && reachable[other]!.has(one)
  const share = (...all: readonly number[]) => {
    const [head, ...rest] = all.map((at) => takes[at]!)
    return [...head!].some((sample) => rest.every((set) => set.has(sample)))
  }
  const loops = takes.map((_, at) => at).filter(isLoop)

  for (const start of loops) {
    const targets = (at: number) => [...next[at]!].filter(([to]) => together(start, to))
    if (targets(start).some(([, ways]) => ways > 1)) return 'nested'
    const found = walk([start, start], ([one, other]) =>
      targets(one!).flatMap(([a]) => targets(other!).flatMap(([b]) => (share(a, b) ? [[a, b]] : []))),
    )
    if (found.some(([one, other]) => one !== other && reachesPair([one!, other!], start))) return 'nested'

    function reachesPair(pair: readonly number[], goal: number): boolean {
      return walk(pair, ([one, other]) =>
        targets(one!).flatMap(([a]) => targets(other!).flatMap(([b]) => (share(a, b) ? [[a, b]] : []))),
      ).some(([one, other]) => one === goal && other === goal)
    }
  }
  for (const start of loops) {
    for (const end of loops) {
      if (start === end || !reachable[start]!.has(end) || together(start, end)) continue
      const found = walk([start, start, end], ([one, middle, last]) =>
        [...next[one!]!.keys()]
          .filter((a) => together(start, a))
          .flatMap((a) =>
            [...next[middle!]!.keys()]
              .filter((b) => b === end || reachable[b]!.has(end))
              .flatMap((b) =>
                [...next[last!]!.keys()].filter((c) => together(end, c) && share(a, b, c)).map((c) => [a, b, c]),
              ),
          ),
      )
      if (found.some(([one, middle, last]) => one === start && middle === end && last === end)) return 'adjacent'
    }
  }
  return null
}

function reachableFrom(next: Automaton['next'], start: number): ReadonlySet<number> {
  return new Set(walk([start], ([at]) => [...next[at!]!.keys()].map((to) => [to])).map(([at]) => at!))
}

/** All states behind the first one. */
function walk(start: readonly number[], steps: (state: readonly number[]) => readonly number[][]): number[][] {
  const found = new Map<string, number[]>()
  const open: (readonly number[])[] = [start]
  for (let state = open.pop(); state; state = open.pop()) {
    for (const to of steps(state)) {
      const key = to.join()
      if (found.has(key)) continue
      found.set(key, to)
      open.push(to)
    }
  }
  return [...found.values()]
}
