/** Fits script logs into messages with a limit: whole lines, the first ones of the head and the last ones of the tail. */

import type { TemplateRecord } from '../../templates/engine.ts'
import { cleanText, mapTexts } from '../../templates/escape.ts'
import { cut, type Size } from '../../texts/cut.ts'

/** Butler 16 wrote this; people look for it. */
export const TRUNCATED = '----Script log truncated by Butler----'

/** Sizes that head and tail may have, in the units of `size`. */
export interface LogBudget {
  readonly head: number
  readonly tail: number
  readonly size: Size
}

/** Texts of several lines, in which only line feeds and tabs are left of the control characters. */
const LONG_TEXTS = [
  ...['scriptLogHead', 'scriptLogTail', 'executionDetailsConcatenated', 'executionDetailsText', 'logMessage'],
  ...['errorText', 'selfText', 'customText', 'appDescription', 'tenantComment', 'errorMessage'],
] as const

/** All of them are there, also where nobody set them. */
const NO_LONG_TEXTS: TemplateRecord = Object.fromEntries(LONG_TEXTS.map((name) => [name, '']))

/** The variables in the form that chat templates see: no strange characters, names on one line. */
export function chatVariables(variables: TemplateRecord): TemplateRecord {
  const cleaned = Object.entries({ ...NO_LONG_TEXTS, ...variables }).map(([name, value]) => {
    const clean = mapTexts(value, cleanText)
    return [name, typeof clean !== 'string' || name in NO_LONG_TEXTS ? clean : clean.replaceAll('\n', ' ')] as const
  })
  return Object.fromEntries(cleaned)
}

export function withinBudget(variables: TemplateRecord, { head, tail, size }: LogBudget): TemplateRecord {
  const { scriptLogHead, scriptLogTail } = variables
  return {
    ...variables,
    scriptLogHead: firstLines(String(scriptLogHead), head, size),
    scriptLogTail: lastLines(String(scriptLogTail), tail, size),
  }
}

function firstLines(text: string, limit: number, size: Size): string {
  if (size(text) <= limit) return text
  const kept = fitting(text.split('\n'), limit, size)
  return kept.length > 0 ? `${kept.join('\n')}\n${TRUNCATED}` : TRUNCATED
}

function lastLines(text: string, limit: number, size: Size): string {
  if (size(text) <= limit) return text
  const kept = fitting(text.split('\n').reverse(), limit, size).reverse()
  return kept.length > 0 ? `${TRUNCATED}\n${kept.join('\n')}` : TRUNCATED
}

/** At least a part of the first line when there is room for it. */
function fitting(lines: readonly string[], limit: number, size: Size): string[] {
  let room = limit - TRUNCATED.length - 1
  const kept: string[] = []
  for (const line of lines) {
    room -= size(line) + 1
    if (room < 0) break
    kept.push(line)
  }
  if (kept.length > 0) return kept
  const part = cut(lines[0] ?? '', limit - TRUNCATED.length - 1, size)
  return part === '' ? [] : [part]
}
