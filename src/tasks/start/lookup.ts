/** Finds tasks in QRS with few requests: one `or` filter per kind of selector, in chunks that fit into a URL. */
import { and, compare, customProperty, eq, guid, or } from '../../qlik/qrs/filter.ts'
import type { QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import type { CustomPropertySelector } from './types.ts'

const IDS_PER_REQUEST = 30
const NAMES_PER_REQUEST = 10

/** Tasks by lower-case id; ids that QRS does not know are missing. All ids must be GUIDs. */
export async function tasksById(qrs: QrsClient, ids: readonly string[]): Promise<Map<string, QrsTask>> {
  const wanted = [...new Set(ids.map((id) => id.toLowerCase()))]
  const found = await anyOf(
    qrs,
    wanted.map((id) => guid('id', id)),
    IDS_PER_REQUEST,
  )
  return new Map(found.map((task) => [task.id.toLowerCase(), task]))
}

/** Candidates only: QRS compares without case. */
export function tasksByTag(qrs: QrsClient, tags: readonly string[]): Promise<readonly QrsTask[]> {
  return anyOf(qrs, [...new Set(tags)].map(tagFilter), NAMES_PER_REQUEST)
}

/** Candidates only: QRS checks name and value on their own. */
export function tasksByProperty(
  qrs: QrsClient,
  properties: readonly CustomPropertySelector[],
): Promise<readonly QrsTask[]> {
  return anyOf(qrs, [...new Set(properties.map(propertyFilter))], NAMES_PER_REQUEST)
}

/** Candidates only: tasks whose names hold the longest literal part of a glob. */
export function tasksByName(qrs: QrsClient, globs: readonly string[]): Promise<readonly QrsTask[]> {
  return anyOf(qrs, [...new Set(globs.map(nameFilter))], NAMES_PER_REQUEST)
}

/** Candidates for carrying all of these; at least one must be given. */
export function tasksWithAll(
  qrs: QrsClient,
  tags: readonly string[],
  properties: readonly CustomPropertySelector[],
  globs: readonly string[],
): Promise<readonly QrsTask[]> {
  const parts = [...tags.map(tagFilter), ...properties.map(propertyFilter)].slice(0, NAMES_PER_REQUEST)
  return parts.length > 0 ? qrs.tasks(and(...parts)) : tasksByName(qrs, globs)
}

const tagFilter = (tag: string): string => eq('tags.name', tag)
const propertyFilter = ({ name, value }: CustomPropertySelector): string => customProperty(name, value)

/** QRS has no word for "all". */
const EVERY_TASK = or(eq('enabled', true), eq('enabled', false))

function nameFilter(glob: string): string {
  if (!/[*?]/.test(glob)) return eq('name', glob)
  const literal = glob.split(/[*?]+/).reduce((longest, part) => (part.length > longest.length ? part : longest), '')
  return literal === '' ? EVERY_TASK : compare('name', 'so', literal)
}

async function anyOf(qrs: QrsClient, parts: readonly string[], perRequest: number): Promise<readonly QrsTask[]> {
  const found: QrsTask[] = []
  for (let from = 0; from < parts.length; from += perRequest) {
    const chunk = parts.slice(from, from + perRequest)
    found.push(...(await qrs.tasks(or(...chunk))))
  }
  return found
}
