/** The scopes of the table in docs/security.md#access-to-the-rest-api, and what each of them opens. */

const GROUPS = ['task', 'app', 'kv', 'schedule', 'file', 'message', 'event', 'report', 'metrics', '*']

/** Every scope that a key may hold alone. */
export const SCOPES = [
  'admin',
  ...GROUPS.flatMap((group) => ['read', 'run', 'write', '*'].map((verb) => `${group}:${verb}`)),
]

/** `*` stands for any group or verb, `admin` for everything. */
export function opens(held: string, wanted: string): boolean {
  if (held === wanted || held === 'admin' || wanted === 'any') return true
  const [heldGroup = '', heldVerb = ''] = held.split(':')
  const [group = '', verb = ''] = wanted.split(':')
  return wanted !== 'admin' && [group, '*'].includes(heldGroup) && [verb, '*'].includes(heldVerb)
}
