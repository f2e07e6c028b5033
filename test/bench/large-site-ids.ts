/** Ids of the large site: everything is known by its number. */

/** Tasks of the site unless it is started with another number. */
export const TASKS = 500
export const APPS = 100

const PREFIXES = {
  task: 'a500',
  app: 'a900',
  user: '0500',
  stream: '5700',
  tag: '7a90',
  execution: 'e500',
  result: 'e700',
  log: '0f00',
} as const
type Kind = keyof typeof PREFIXES

const begin = (kind: Kind) => `${PREFIXES[kind]}0000-0000-4000-8000-`

export function guidOf(kind: Kind, n: number): string {
  return begin(kind) + n.toString(16).padStart(12, '0')
}

/** The number of the first id of a kind in a text; null when there is none. */
export function numberIn(text: string, kind: Kind): number | null {
  return numbersIn(text, kind)[0] ?? null
}

/** The numbers of all ids of a kind in a text. */
export function numbersIn(text: string, kind: Kind): number[] {
  const ids = text.split(begin(kind)).slice(1)
  return ids.map((rest) => Number.parseInt(rest.slice(0, 12), 16))
}
