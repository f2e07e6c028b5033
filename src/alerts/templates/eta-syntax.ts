/** Finds the tag that makes an Eta template unreadable; the JavaScript engine itself names no place. */
import { Eta } from 'eta/core'
import { messageOf, type TemplatePlace } from './errors.ts'

interface Tag {
  readonly code: string
  readonly statement: boolean
  readonly line: number
}

const CLOSING: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' }
/** Texts, templates and comments, in which brackets mean nothing. */
const QUIET = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g

/** `error` is what Eta threw when it compiled `text`. */
export function syntaxErrorPlace(file: string, text: string, error: unknown): { place: TemplatePlace; reason: string } {
  const message = messageOf(error)
  const located = / at line (\d+) col (\d+):/.exec(message)
  if (located) {
    const place = { file, line: Number(located[1]), column: Number(located[2]) }
    return { place, reason: message.slice(0, located.index) }
  }
  const tag = brokenTag(tagsOf(text))
  if (!tag) return { place: { file }, reason: reasonOf(message) }
  return { place: { file, line: tag.line, column: columnOf(text, tag) }, reason: reasonOf(message) }
}

function tagsOf(text: string): readonly Tag[] {
  return new Eta({ debug: true })
    .parse(text)
    .filter((node) => typeof node !== 'string')
    .map((node) => ({ code: node.val, statement: node.t === 'e', line: node.lineNo ?? 1 }))
}

/** The first tag after which the template cannot be completed by closing the open brackets, else the last open one. */
function brokenTag(tags: readonly Tag[]): Tag | null {
  let code = ''
  const open: { close: string; tag: Tag }[] = []
  for (const tag of tags) {
    code += tag.statement ? `${tag.code}\n` : `void (${tag.code}\n);\n`
    for (const sign of tag.code.replace(QUIET, '')) {
      if (sign in CLOSING) open.push({ close: CLOSING[sign]!, tag })
      else if (sign === open.at(-1)?.close) open.pop()
    }
    const closing = open.map(({ close }) => close).reverse()
    if (!isReadable(code + closing.join('\n'))) return tag
  }
  return open.at(-1)?.tag ?? null
}

function isReadable(code: string): boolean {
  try {
    new Function('it', 'options', code)
    return true
  } catch {
    return false
  }
}

function columnOf(text: string, tag: Tag): number {
  const line = text.split('\n')[tag.line - 1] ?? ''
  const code = tag.code.split('\n')[0]!.trim()
  return Math.max(0, line.lastIndexOf('<%', line.indexOf(code))) + 1
}

/** The engine's own words, without the generated program that Eta appends. */
function reasonOf(message: string): string {
  const [, , reason = message] = message.split('\n')
  return reason
}
