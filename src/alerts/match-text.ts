/** A match of a rule, a snooze or a maintenance in words. */

type Match = Readonly<Record<string, unknown>>

/** Fields as lists name them; the others as the configuration does. */
const FIELD_WORDS: Readonly<Record<string, string>> = { taskId: 'task', appId: 'app', host: 'node' }

/** `task Sales*, node QS1 or QS2`: all fields, any of the values of each. Ids are shown by name where it is known. */
export const matchText = (match: Match | null, names: ReadonlyMap<string, { readonly name: string }> = new Map()) =>
  Object.entries(match ?? {})
    .map(
      ([field, value]) =>
        `${FIELD_WORDS[field] ?? field} ${[value]
          .flat()
          .map((one) =>
            typeof one === 'object' ? JSON.stringify(one) : (names.get(String(one).toLowerCase())?.name ?? String(one)),
          )
          .join(' or ')}`,
    )
    .join(', ')

/** The ids of tasks and apps that matches name. */
export function matchedIds(matches: readonly (Match | null)[]) {
  const idsOf = (field: string) => matches.flatMap((match) => [match?.[field] ?? []].flat().map(String))
  return { taskId: idsOf('taskId'), appId: idsOf('appId') }
}
