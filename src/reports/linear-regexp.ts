/**
 * Regular expressions whose search takes time in proportion to text and pattern. The built-in engine may run for minutes
 * on one short text and cannot be interrupted on its thread (measured: a time limit of `node:vm` has no effect on it), so
 * this search steps through all alternatives at once and watches the clock.
 */

interface LinearRegExp {
  /** Whether the pattern occurs in the text. Throws when that takes longer than `budgetMs`. */
  test(text: string, budgetMs: number): boolean
}

type Test = (char: string) => boolean
/** Character before and after a position; '' at the ends of the text. */
type Assertion = (before: string, after: string) => boolean

type Node =
  | { readonly kind: 'char'; readonly test: Test }
  | { readonly kind: 'assertion'; readonly holds: Assertion }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number }

type Instruction =
  | { readonly op: 'char'; readonly test: Test }
  | { readonly op: 'assertion'; readonly holds: Assertion }
  | { readonly op: 'split'; readonly targets: readonly number[] }
  | { readonly op: 'match' }

/** Repetitions such as `(a{100}){100}` are written out; above this size a pattern is refused. */
const MAX_INSTRUCTIONS = 10_000
/** Parts that are written out; repeats of nothing make no instructions, but work all the same. */
const MAX_PARTS = 4 * MAX_INSTRUCTIONS
const MAX_DEPTH = 200
const STEPS_PER_LOOK = 1024

/**
 * A JavaScript pattern with the flags `iu`, without back references and look-around. Throws an `Error` that names the
 * mistake.
 */
export function linearRegExp(pattern: string): LinearRegExp {
  // Finds mistakes of the syntax, so that the parser below meets valid patterns only.
  new RegExp(pattern, 'iu')
  const program = compile(parse(pattern))
  return { test: (text, budgetMs) => search(program, [...text], budgetMs) }
}

const isWord = (char: string): boolean => char !== '' && /^\w$/iu.test(char)

const ASSERTIONS: Readonly<Record<string, Assertion>> = {
  '^': (before) => before === '',
  $: (_before, after) => after === '',
  '\\b': (before, after) => isWord(before) !== isWord(after),
  '\\B': (before, after) => isWord(before) === isWord(after),
}

/** Parts of a pattern that are read as one: assertions, groups, sets, escapes, single characters. */
const TOKEN =
  /\\[bB]|[$^]|\(\?<?[=!]|\((?:\?(?:<[^>]*>|[^)]*?:))?|\[(?:\\.|[^\]\\])*\]|\\k<[^>]*>|\\[1-9]\d*|\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|\\u\{[\da-fA-F]+\}|\\u[\da-fA-F]{4}|\\x[\da-fA-F]{2}|\\c[A-Za-z]|\\[pP]\{[^}]*\}|\\.|[^\\]/suy
const QUANTIFIER = /(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/uy

function parse(pattern: string): Node {
  let position = 0
  let depth = 0

  function take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = position
    const found = expression.exec(pattern)
    position += found?.[0].length ?? 0
    return found
  }

  function choice(): Node {
    const parts = [sequence()]
    while (pattern[position] === '|') {
      position += 1
      parts.push(sequence())
    }
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts }
  }

  function sequence(): Node {
    const parts: Node[] = []
    while (position < pattern.length && pattern[position] !== '|' && pattern[position] !== ')') {
      parts.push(quantified(term()))
    }
    return { kind: 'sequence', parts }
  }

  function term(): Node {
    const token = take(TOKEN)?.[0] ?? ''
    if (/^\(\?<?[=!]/.test(token)) throw new Error('look-around is not supported')
    if (/^\\(?:[1-9]|k)/.test(token)) throw new Error('back references are not supported')
    if (/^\(\?[^:<]/.test(token)) throw new Error('flags inside of a pattern are not supported')
    const holds = ASSERTIONS[token]
    if (holds) return { kind: 'assertion', holds }
    if (!token.startsWith('(')) return { kind: 'char', test: charTest(token) }
    if (++depth > MAX_DEPTH) throw new Error('the groups of the pattern are nested too deeply')
    const inner = choice()
    depth -= 1
    position += 1
    return inner
  }

  function quantified(part: Node): Node {
    const found = take(QUANTIFIER)
    if (!found) return part
    const [text, min, comma, max] = found
    if (text.startsWith('*')) return { kind: 'repeat', part, min: 0, max: Number.POSITIVE_INFINITY }
    if (text.startsWith('+')) return { kind: 'repeat', part, min: 1, max: Number.POSITIVE_INFINITY }
    if (text.startsWith('?')) return { kind: 'repeat', part, min: 0, max: 1 }
    const most = comma === '' ? Number(min) : max === '' ? Number.POSITIVE_INFINITY : Number(max)
    return { kind: 'repeat', part, min: Number(min), max: most }
  }

  return choice()
}

/** The built-in engine decides on single characters: sets, classes, case folding. */
function charTest(source: string): Test {
  const one = new RegExp(`^(?:${source})$`, 'iu')
  const known = new Map<string, boolean>()
  return (char) => {
    const before = known.get(char)
    if (before !== undefined) return before
    const result = one.test(char)
    known.set(char, result)
    return result
  }
}

function compile(root: Node): readonly Instruction[] {
  const program: Instruction[] = []

  let parts = 0

  function add(instruction: Instruction): number {
    if (program.length >= MAX_INSTRUCTIONS) throw tooMany()
    return program.push(instruction) - 1
  }

  function emit(node: Node): void {
    if (++parts > MAX_PARTS) throw tooMany()
    switch (node.kind) {
      case 'char':
        add({ op: 'char', test: node.test })
        return
      case 'assertion':
        add({ op: 'assertion', holds: node.holds })
        return
      case 'sequence':
        for (const part of node.parts) emit(part)
        return
      case 'choice':
        emitChoice(node.parts)
        return
      case 'repeat':
        emitRepeat(node)
    }
  }

  function emitChoice(parts: readonly Node[]): void {
    const starts: number[] = []
    const ends: number[][] = []
    add({ op: 'split', targets: starts })
    for (const part of parts) {
      starts.push(program.length)
      emit(part)
      const end: number[] = []
      ends.push(end)
      add({ op: 'split', targets: end })
    }
    for (const end of ends) end.push(program.length)
  }

  function emitRepeat({ part, min, max }: Extract<Node, { kind: 'repeat' }>): void {
    for (let count = 0; count < min; count++) emit(part)
    if (max === Number.POSITIVE_INFINITY) {
      const targets: number[] = []
      const start = add({ op: 'split', targets })
      emit(part)
      add({ op: 'split', targets: [start] })
      targets.push(start + 1, program.length)
      return
    }
    const exits: number[][] = []
    for (let count = min; count < max; count++) {
      const targets: number[] = []
      targets.push(add({ op: 'split', targets }) + 1)
      exits.push(targets)
      emit(part)
    }
    for (const targets of exits) targets.push(program.length)
  }

  emit(root)
  add({ op: 'match' })
  return program
}

const tooMany = (): Error => new Error('the repetitions of the pattern are too many')

/** Keeps the set of instructions that all beginnings of a match have reached, and moves it on by one character a time. */
function search(program: readonly Instruction[], text: readonly string[], budgetMs: number): boolean {
  const deadline = performance.now() + budgetMs
  const reached = new Uint32Array(program.length)
  let steps = 0
  let waiting: number[] = []

  for (let position = 0; position <= text.length; position++) {
    const [before = '', after = ''] = [text[position - 1], text[position]]
    const open = [...waiting, 0]
    const chars: number[] = []
    while (open.length > 0) {
      if (++steps % STEPS_PER_LOOK === 0 && performance.now() > deadline) {
        throw new Error(`the search took longer than ${budgetMs} ms`)
      }
      const at = open.pop()!
      if (reached[at] === position + 1) continue
      reached[at] = position + 1
      const instruction = program[at]!
      if (instruction.op === 'match') return true
      if (instruction.op === 'char') chars.push(at)
      else if (instruction.op === 'split') open.push(...instruction.targets)
      else if (instruction.holds(before, after)) open.push(at + 1)
    }
    waiting = chars.filter((at) => isChar(program[at], after)).map((at) => at + 1)
  }
  return false
}

const isChar = (instruction: Instruction | undefined, char: string): boolean =>
  char !== '' && instruction?.op === 'char' && instruction.test(char)
