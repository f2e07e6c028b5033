/** Messages about the issues that zod finds in a configuration file. */
import type { z } from 'zod'
import { isHost } from './fields/network.ts'
import { nearest } from './nearest.ts'

export interface Finding {
  readonly path: readonly (string | number)[]
  readonly message: string
  readonly hint?: string
}

type Issue = z.core.$ZodIssue

/** One finding for each wrong value; of a union, those of the branch that fits best. */
export function findingsOf(issues: readonly Issue[]): Finding[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'invalid_union' && issue.errors.length > 0) return ofUnion(issue)
    return [{ path: issue.path as (string | number)[], ...describe(issue) }]
  })
}

function ofUnion(issue: Extract<Issue, { code: 'invalid_union' }>): Finding[] {
  const branches = branchesOf(issue)
  const best = [...branches].sort((a, b) => score(b) - score(a))[0] ?? []
  const onlyTypes = branches.every((branch) => branch.every((inner) => inner.path.length === 0 && isTypeIssue(inner)))
  if (onlyTypes) {
    const wanted = branches.flatMap((branch) => branch.flatMap((inner) => expectation(inner)))
    const message = `must be ${either([...new Set(wanted)])}, found ${show(issue.input)}`
    return [{ path: issue.path as (string | number)[], message }]
  }
  return findingsOf(best).map((finding) => ({
    ...finding,
    path: [...(issue.path as (string | number)[]), ...finding.path],
  }))
}

/** The branches of nested unions in one list. */
function branchesOf(issue: Extract<Issue, { code: 'invalid_union' }>): readonly Issue[][] {
  return (issue.errors as Issue[][]).flatMap((branch) => {
    const [only] = branch
    const nested =
      branch.length === 1 && only?.code === 'invalid_union' && only.path.length === 0 && only.errors.length > 0
    return nested ? branchesOf(only) : [branch]
  })
}

/** Rates a branch: one that failed deep inside fits better than one that failed at its root by type. */
function score(branch: readonly Issue[]): number {
  const first = branch[0]
  if (!first) return 0
  if (first.code === 'invalid_type' && first.path.length === 0) return 0
  return first.code === 'custom' || first.path.length > 0 ? 3 : 2
}

function isTypeIssue(issue: Issue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value'
}

function describe(issue: Issue): { message: string; hint?: string } {
  const found = show(issue.input)
  switch (issue.code) {
    case 'invalid_type':
      return ofType(issue, found)
    case 'invalid_value': {
      const values = issue.values.map(String)
      const similar = typeof issue.input === 'string' ? nearest(issue.input, values) : undefined
      const message = `must be ${either(values)}, found ${found}`
      return similar ? { message, hint: `did you mean ${similar}?` } : { message }
    }
    case 'too_small':
      return { message: tooSmall(issue, found) }
    case 'too_big':
      if (!issue.message.startsWith('Too big')) return { message: issue.message }
      return { message: `must ${issue.origin === 'array' ? 'have' : 'be'} at most ${issue.maximum}, found ${found}` }
    case 'invalid_key':
      return { message: issue.issues[0]?.message ?? 'is not a name' }
    case 'invalid_union':
      return { message: unknownVariant(issue) }
    default:
      return ofText(issue)
  }
}

/** Adds a hint when a URL is given instead of a host name. */
function ofText({ message, input }: Issue): { message: string; hint?: string } {
  if (!message.startsWith('must be a host name') || typeof input !== 'string') return { message }
  const bare = input.replace(/^[a-z][a-z\d+.-]*:\/\//i, '').replace(/[:/?#].*$/s, '')
  return isHost(bare) ? { message, hint: `write ${bare}; the port has a key of its own` } : { message }
}

function ofType(issue: Extract<Issue, { code: 'invalid_type' }>, found: string): { message: string; hint?: string } {
  if (issue.input === undefined) return { message: 'is missing' }
  if (!issue.message.startsWith('Invalid input')) return { message: issue.message }
  const message = `must be ${expectation(issue)[0]}, found ${found}`
  const hint = hintForType(issue)
  return hint ? { message, hint } : { message }
}

function hintForType({ expected, input }: Extract<Issue, { code: 'invalid_type' }>): string | undefined {
  if (input === null) return 'give it a value or remove the line'
  if (expected === 'boolean' && typeof input === 'string') {
    const word = input.trim().toLowerCase()
    if (/^(yes|on|1)$/.test(word)) return 'write true'
    if (/^(no|off|0)$/.test(word)) return 'write false'
    if (/^(true|false)$/.test(word)) return `write ${word} without quotes`
  }
  const wantsNumber = expected === 'number' || expected === 'int'
  if (wantsNumber && typeof input === 'string' && /^\d+(\.\d+)?$/.test(input)) return `write ${input} without quotes`
  if (expected === 'string' && (typeof input === 'number' || typeof input === 'boolean'))
    return `write "${input}" in quotes`
  if (expected === 'array') return 'write a list: each item on its own line after "- "'
  return undefined
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a section with keys',
  record: 'a section with keys',
}

function expectation(issue: Issue): string[] {
  if (issue.code === 'invalid_type') return [TYPE_NAMES[issue.expected] ?? issue.expected]
  return issue.code === 'invalid_value' ? issue.values.map((value) => String(value)) : []
}

function tooSmall(issue: Extract<Issue, { code: 'too_small' }>, found: string): string {
  if (!issue.message.startsWith('Too small')) return issue.message
  if (issue.origin === 'string') return 'must not be empty'
  if (issue.origin === 'array') return `must have at least ${issue.minimum} item${issue.minimum === 1 ? '' : 's'}`
  return `must be at least ${issue.minimum}, found ${found}`
}

function unknownVariant(issue: Extract<Issue, { code: 'invalid_union' }>): string {
  const { discriminator, options } = issue as { discriminator?: string; options?: readonly unknown[] }
  if (!discriminator) return issue.message
  const found = (issue.input as Record<string, unknown> | undefined)?.[discriminator]
  const wanted = `must be ${either((options ?? []).map(String))}`
  return found === undefined ? `is missing; ${wanted}` : `${wanted}, found ${show(found)}`
}

function either(values: readonly string[]): string {
  if (values.length < 2) return values.join('')
  return `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`
}

/** A value for a message; long ones are cut. */
export function show(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a section'
  if (typeof value !== 'string') return String(value)
  return value.length > 60 ? `"${value.slice(0, 57)}..."` : `"${value}"`
}
