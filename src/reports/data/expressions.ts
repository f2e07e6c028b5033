/** Expressions of an app: checked once, evaluated under the present selections. */
import { type Cell, EvaluationError } from '../types.ts'
import { asList, asObject, asText, cellOf, type OpenApp } from './app.ts'

export interface Expressions {
  /** Rejects with an `EvaluationError` that names the mistake. `labels` are names that the expression may use beside fields. */
  check(expression: string, labels?: readonly string[]): Promise<void>
  /** Rejects with an `EvaluationError` for an expression with a mistake; the engine itself would answer 0 or a text. */
  evaluate(expression: string): Promise<Cell>
}

export function createExpressions({ doc }: OpenApp): Expressions {
  const correct = new Set<string>()

  async function check(expression: string, labels: readonly string[] = []) {
    const key = JSON.stringify([expression, ...labels])
    if (correct.has(key)) return
    const result = await doc.call('CheckExpression', [expression, labels])
    const message = asText(result.qErrorMsg)
    if (message !== '') throw new EvaluationError(`${expression}: ${message}`)
    const names = asList(result.qBadFieldNames).map((position) => nameAt(expression, asObject(position)))
    const unknown: string[] = []
    for (const name of names) if (!labels.includes(name) && !(await isVariable(name))) unknown.push(name)
    if (unknown.length > 0) throw new EvaluationError(`${expression}: unknown field ${unknown.join(', ')}`)
    correct.add(key)
  }

  const isVariable = async (name: string) => (await doc.child('GetVariableByName', [name])) !== null

  const calculated = async (expression: string) => asObject(await doc.value('qValue', 'EvaluateEx', [expression]))

  /**
   * The length of a text; 0 for null, and null for no value. An expression that is correct may fail while it is calculated: the
   * engine answers with the reason as a text, in its own language and without a code. Only a value has a length, so each text costs a
   * second question. A null is `-` of no length.
   */
  async function lengthOf(expression: string, text: string): Promise<number | null> {
    if (text === '') return 0
    const { qIsNumeric, qNumber } = await calculated(`=Len(${expression.replace(/^\s*=/, '')}\n)`)
    return qIsNumeric === true ? Number(qNumber) : null
  }

  return {
    check,
    async evaluate(expression) {
      await check(expression)
      const { qText, qNumber, qIsNumeric } = await calculated(expression)
      if (qIsNumeric === true) {
        const cell = cellOf(qText, qNumber)
        return formatsItself(expression) ? { ...cell, isFormatted: true } : cell
      }
      const text = asText(qText)
      const length = await lengthOf(expression, text)
      if (length === null) throw new EvaluationError(`${expression}: ${text.replace(FAILURE, '')}`)
      return cellOf(qText, null, length === 0)
    },
  }
}

/** Words, blanks, and single characters. */
const WORDS = /[$#\w]+|\s+|[^$#\w\s]/g
/** Texts, names of fields and their ends. */
const QUOTES: Readonly<Record<string, string>> = { "'": "'", '"': '"', '[': ']' }
const FORMATTING: ReadonlySet<string> = new Set(['num', 'money', 'dual'])
/** Functions whose value is one of their arguments, with its format. */
const CHOOSING: ReadonlySet<string> = new Set(['', 'if', 'alt', 'coalesce', 'pick'])

/** Whether an expression formats its value: `Num(Max(Year), '0')`, also inside of `If`. In other functions a format gets lost. */
export function formatsItself(expression: string): boolean {
  const around: boolean[] = []
  let word = ''
  let end = ''
  for (const [part] of expression.matchAll(WORDS)) {
    if (end !== '') {
      if (part === end) end = ''
      continue
    }
    const isOuter = around.at(-1) ?? true
    if (part === '(' && isOuter && FORMATTING.has(word)) return true
    if (part === '(') around.push(isOuter && CHOOSING.has(word))
    else if (part === '{') around.push(false)
    else if (part === ')' || part === '}') around.pop()
    end = QUOTES[part] ?? ''
    if (part.trim() !== '') word = /^[$#\w]/.test(part) ? part.toLowerCase() : ''
  }
  return false
}

/** The word that begins the text of a failure: `Error: `, `Fehler: `, `Erreur : `, `错误：`. */
const FAILURE = /^\p{L}+\s?[:：]\s*/u

/** The field name at a position, without its brackets or quotes. */
function nameAt(expression: string, { qFrom, qCount }: Readonly<Record<string, unknown>>): string {
  const from = Number(qFrom ?? 0)
  const name = expression.slice(from, from + Number(qCount ?? 0)).trim()
  return /^\[.*\]$|^".*"$/s.test(name) ? name.slice(1, -1) : name
}
