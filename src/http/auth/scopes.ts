/** Scopes: `<group>:<verb>`, `*` for any group or verb; `admin` is everything, `*:*` everything except that. */

const GROUPS = ['task', 'app', 'kv', 'schedule', 'file', 'message', 'event', 'report', 'metrics']
const SCOPE = new RegExp(`^(?:admin|(?:${GROUPS.join('|')}|\\*):(?:read|run|write|\\*))$`)

export const isScope = (text: string): boolean => SCOPE.test(text)

/** A function that tells whether these scopes allow a wanted one (which holds no `*`). */
export function scopeMatcher(scopes: readonly string[]): (wanted: string) => boolean {
  const held = new Set(scopes)
  if (held.has('admin')) return () => true
  return (wanted) => {
    if (wanted === 'admin') return false
    const [group, verb] = wanted.split(':')
    return held.has(wanted) || held.has(`${group}:*`) || held.has(`*:${verb}`) || held.has('*:*')
  }
}
