/**
 * The part of Qlik's script language that the subs in config/qlik use, up to what they send. Not Qlik's engine: it proves
 * the logic and the escaping, with every `$(...)` in a value expanded again, which is the worst case.
 */
import { evaluate, type Value, type World } from './qlik-expression.ts'

export interface ScriptRequest {
  readonly connection: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

export interface ScriptSettings {
  readonly variables?: Readonly<Record<string, string>>
  /** Rows of tables that the script has loaded before: field to value. */
  readonly tables?: Readonly<Record<string, readonly Readonly<Record<string, Value>>[]>>
  /** The first row of the answer to each request. */
  readonly answer?: Readonly<Record<string, Value>>
}

interface Sub {
  readonly parameters: readonly string[]
  readonly body: readonly string[]
}

export interface LoadScript {
  readonly subs: ReadonlyMap<string, readonly string[]>
  /** Runs one call; the variables afterwards and the requests that were sent. */
  call(name: string, args: readonly Value[], settings?: ScriptSettings): Run
}

export interface Run {
  readonly requests: readonly ScriptRequest[]
  readonly variables: ReadonlyMap<string, Value>
}

export function loadScript(text: string): LoadScript {
  const subs = new Map<string, Sub>()
  const main: string[] = []
  let open: { name: string; parameters: string[]; body: string[] } | null = null
  for (const statement of statementsOf(text)) {
    const head = /^SUB (\w+)(?:\((.*)\))?$/i.exec(statement)
    if (head) open = { name: head[1]!, parameters: splitNames(head[2] ?? ''), body: [] }
    else if (/^END SUB$/i.test(statement) && open) {
      subs.set(open.name, open)
      open = null
    } else (open?.body ?? main).push(statement)
  }
  if (open) throw new Error(`SUB ${open.name} does not end`)
  return {
    subs: new Map([...subs].map(([name, { parameters }]) => [name, parameters])),
    call(name, args, settings = {}) {
      const machine = createMachine(subs, settings)
      machine.run(main)
      machine.call(name, args)
      return { requests: machine.requests, variables: machine.variables }
    },
  }
}

const CONTROL = /^(SUB|END SUB|IF|ELSEIF|ELSE|END IF|FOR|NEXT|CALL)\b/i

/** Control statements end with their line, the others with a semicolon outside quotes. */
function statementsOf(text: string): string[] {
  const found: string[] = []
  let rest = ''
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*\/\//.test(line)) continue
    if (rest === '' && CONTROL.test(line.trim())) {
      found.push(line.trim().replace(/;$/, ''))
      continue
    }
    rest = `${rest}\n${line}`.trim()
    if (!/;$/.test(rest)) continue
    found.push(rest.slice(0, -1))
    rest = ''
  }
  if (rest !== '') throw new Error(`not a statement: ${rest}`)
  return found
}

const splitNames = (list: string): string[] => list.split(',').flatMap((name) => name.trim() || [])

function createMachine(subs: ReadonlyMap<string, Sub>, settings: ScriptSettings) {
  const variables = new Map<string, Value>(Object.entries(settings.variables ?? {}))
  const tables = new Map(Object.entries(settings.tables ?? {}))
  const frames: Map<string, Value>[] = []
  const requests: ScriptRequest[] = []
  let connection = ''

  const scopeOf = (name: string) => (frames.at(-1)?.has(name) ? frames.at(-1)! : variables)
  const world: World = {
    variable: (name) => scopeOf(name).get(name) ?? null,
    rows: (table) => tables.get(table)?.length ?? null,
    peek: (field, row, table) => tables.get(table)?.[row]?.[field] ?? null,
  }
  const value = (text: string): Value => evaluate(text, world)

  function expand(text: string): string {
    let expanded = text
    for (let depth = 0; /\$\(/.test(expanded); depth++) {
      if (depth > 20) throw new Error(`endless expansion in ${text}`)
      expanded = expanded.replace(/\$\((\w+)\)/g, (_, name) => String(world.variable(name) ?? ''))
      if (/\$\((?!\w+\))/.test(expanded)) throw new Error(`a value is taken for a formula: ${expanded}`)
    }
    return expanded
  }

  function call(name: string, args: readonly Value[]): Map<string, Value> {
    const sub = subs.get(name)
    if (!sub) throw new Error(`no SUB ${name}`)
    const frame = new Map<string, Value>(sub.parameters.map((parameter, index) => [parameter, args[index] ?? null]))
    frames.push(frame)
    run(sub.body)
    frames.pop()
    return frame
  }

  function run(body: readonly string[]): void {
    for (let at = 0; at < body.length; at++) at = step(body, at)
  }

  /** Runs the statement, with all that belongs to it; the index of the last one. */
  function step(body: readonly string[], at: number): number {
    const raw = body[at]!
    if (/^IF\b/i.test(raw)) return branch(body, at)
    if (/^FOR\b/i.test(raw)) return loop(body, at)
    const text = expand(raw)
    const [, target, expression] = /^LET\s+(\w+)\s*=\s*(.*)$/is.exec(text) ?? []
    const [, sub, args] = /^CALL\s+(\w+)(?:\((.*)\))?$/is.exec(text) ?? []
    if (target) scopeOf(target).set(target, value(expression!))
    else if (sub) call(sub, argumentsOf(args ?? '').map(value))
    else if (/^LIB CONNECT TO/i.test(text)) connection = /'(.*)'/.exec(text)![1]!
    else if (/SQL SELECT/i.test(text)) send(text)
    else if (/^DROP TABLE (\w+)$/i.test(text)) tables.delete(text.split(' ').at(-1)!)
    else if (!/^(TRACE|\[[^\]]+\]:\s*LOAD)\b/i.test(text)) throw new Error(`unknown statement: ${text}`)
    return at
  }

  function branch(body: readonly string[], start: number): number {
    const marks = blockMarks(body, start, /^IF\b/i, /^END IF$/i, /^(ELSEIF|ELSE)\b/i)
    for (const [index, mark] of marks.slice(0, -1).entries()) {
      const condition = /^(?:IF|ELSEIF)\s+(.*)\s+THEN$/is.exec(expand(body[mark]!))?.[1]
      if (condition !== undefined && !truthy(value(condition))) continue
      run(body.slice(mark + 1, marks[index + 1]))
      break
    }
    return marks.at(-1)!
  }

  function loop(body: readonly string[], start: number): number {
    const [, end] = blockMarks(body, start, /^FOR\b/i, /^NEXT\b/i)
    const head = /^FOR\s+(\w+)\s*=\s*(.*)\s+TO\s+(.*)$/is.exec(expand(body[start]!))!
    const [, name, from, to] = head
    for (let n = Number(value(from!)); n <= Number(value(to!)); n++) {
      variables.set(name!, n)
      run(body.slice(start + 1, end))
    }
    return end!
  }

  function send(text: string): void {
    const table = /^(\w+):\s*SQL SELECT/i.exec(text)?.[1]
    const clauses = /WITH CONNECTION \(\s*([\s\S]*)\)$/.exec(text)?.[1]
    if (!table || clauses === undefined) throw new Error(`not a request: ${text}`)
    requests.push({ connection, ...clausesOf(clauses) })
    tables.set(table, [settings.answer ?? {}])
  }

  return { run, call, requests, variables }
}

const truthy = (value: Value): boolean => value !== null && value !== 0 && value !== ''

/** Indices of the opening statement, of those in between on the same level, and of the closing one. */
function blockMarks(body: readonly string[], start: number, open: RegExp, close: RegExp, between?: RegExp): number[] {
  const marks = [start]
  let depth = 0
  for (let at = start + 1; at < body.length; at++) {
    const text = body[at]!
    if (open.test(text)) depth++
    else if (close.test(text) && depth-- === 0) return [...marks, at]
    else if (depth === 0 && between?.test(text)) marks.push(at)
  }
  throw new Error(`no end of: ${body[start]}`)
}

/** Splits at commas outside quotes and parentheses. */
function argumentsOf(list: string): string[] {
  const found: string[] = []
  let depth = 0
  let quoted = false
  let current = ''
  for (const character of list) {
    if (character === "'") quoted = !quoted
    if (!quoted && character === '(') depth++
    if (!quoted && character === ')') depth--
    if (character === ',' && depth === 0 && !quoted) {
      found.push(current)
      current = ''
    } else current += character
  }
  return current.trim() === '' ? found : [...found, current]
}

const QUOTED = '"((?:[^"]|"")*)"'
const CLAUSE = new RegExp(`^\\s*(?:(URL|BODY) ${QUOTED}|HTTPHEADER ${QUOTED} ${QUOTED})\\s*(,|$)`)

function clausesOf(text: string): Omit<ScriptRequest, 'connection'> {
  const headers: Record<string, string> = {}
  let url = ''
  let body: string | null = null
  for (let rest = text.trim(); rest !== ''; ) {
    const match = CLAUSE.exec(rest)
    if (!match) throw new Error(`not a clause: ${rest}`)
    const [whole, kind, plain = '', name = '', content = ''] = match
    if (kind === 'URL') url = unquote(plain)
    else if (kind === 'BODY') body = unquote(plain)
    else headers[unquote(name)] = unquote(content)
    rest = rest.slice(whole.length).trim()
  }
  return { url, headers, body }
}

const unquote = (text: string): string => text.replaceAll('""', '"')
