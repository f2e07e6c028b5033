/** What the texts of a route show, as far as that can be told from the texts alone. */
import type { Need } from '../../events/types.ts'
import { syntaxOfText } from '../templates/source.ts'
import type { MessageTexts } from '../types.ts'

/** Variables that come from the execution or its script log, or that tell what is missing of them. */
const OF_EXECUTION = /^(?:execution(?!Id$)|executing|scriptLog|errorText$|missingParts$|missingReasons$|absentParts$)/

const TAGS = { handlebars: /\{\{([\s\S]*?)\}\}\}?/g, eta: /<%([\s\S]*?)%>/g } as const
/** An expression that is a variable and nothing else, perhaps asked about; its group is the name. */
const PLAIN = {
  handlebars: /^\{?(?:#(?:if|unless)\s+)?([A-Za-z]\w*)(?:\.\w+)*$/,
  eta: /^[-_]?[=~]\s*it\.([A-Za-z]\w*)(?:\.\w+)*$/,
} as const
const CLOSING = /^(?:else|\/if|\/unless)$/

/**
 * `all`, without the execution and its script log where title and body of the route are certain to do without. A built-in
 * body shows both, a template file may, and so may every expression that is more than the name of a variable.
 */
export function textNeeds(texts: MessageTexts | null, all: readonly Need[]): readonly Need[] {
  const { title = '', body = '' } = texts ?? {}
  if (body === '' || !doesWithout(title) || !doesWithout(body)) return all
  return all.filter((need) => need !== 'execution' && need !== 'scriptLog')
}

function doesWithout(text: string): boolean {
  const syntax = syntaxOfText(text)
  const expressions = [...text.matchAll(TAGS[syntax])].map(([, inner = '']) => inner.trim())
  const rest = text.replace(TAGS[syntax], '')
  return !/\{\{|<%/.test(rest) && expressions.every((one) => isHarmless(one, PLAIN[syntax]))
}

function isHarmless(expression: string, plain: RegExp): boolean {
  if (CLOSING.test(expression)) return true
  const name = plain.exec(expression)?.[1]
  return name !== undefined && name !== 'this' && !OF_EXECUTION.test(name)
}
