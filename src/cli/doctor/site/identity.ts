/** Who Footman is to Qlik Sense: the header `X-Qlik-User`. */

export type Identity =
  | { readonly directory: string; readonly userId: string /** `DIR\id` */; readonly name: string }
  | { readonly code: string; readonly problem: string; readonly fix: string }

/** The user that the configured headers name; or what is wrong with them. `key` is that of the headers. */
export function identityOf(
  headers: readonly { readonly name: string; readonly value: string }[],
  key: string,
): Identity {
  const fix = `write {name: X-Qlik-User, value: UserDirectory=Internal;UserId=sa_repository} into Butler.${key}`
  const header = headers.find(({ name }) => name.toLowerCase() === 'x-qlik-user')
  if (!header)
    return { code: 'user-missing', problem: 'no X-Qlik-User is sent, and Qlik Sense refuses such calls', fix }
  const match = /^\s*UserDirectory\s*=\s*([^;=]+?)\s*;\s*UserId\s*=\s*([^;]+?)\s*;?\s*$/i.exec(decoded(header.value))
  if (!match) {
    const problem = `X-Qlik-User is "${header.value}", which is not of the form UserDirectory=...;UserId=...`
    return { code: 'user-malformed', problem, fix }
  }
  const [, directory = '', userId = ''] = match
  return { directory, userId, name: `${directory}\\${userId}` }
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
