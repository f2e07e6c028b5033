/** Topic names and filters by the rules of MQTT 3.1.1, section 4.7. */

const MAX_BYTES = 65_535

/** Why a topic is not valid for publishing; null when it is. */
export function topicProblem(topic: string): string | null {
  if (topic === '') return 'the topic is empty'
  if (/[+#]/.test(topic)) return 'the topic holds a wildcard (+ or #)'
  if (topic.includes('\0')) return 'the topic holds a NUL character'
  if (Buffer.byteLength(topic) > MAX_BYTES) return 'the topic is longer than 65535 bytes'
  return null
}

/** True when messages of `topic` reach a subscription to `filter`. */
export function topicMatches(filter: string, topic: string): boolean {
  return covers(filter, topic, false)
}

/** True when a message to `topic` may reach a subscription to `filter`, be it shared (`$share/<group>/<filter>`) or not. */
export function mayReach(filter: string, topic: string): boolean {
  return filter !== '' && topicMatches(withoutGroup(filter), withoutGroup(topic))
}

const withoutGroup = (text: string): string => text.replace(/^\$share\/[^/]*\//, '')

/** True when every message that `narrow` selects is also selected by `wide`: `a/#` covers `a/+/c`, `a/b` and `a`. */
export function filterCovers(wide: string, narrow: string): boolean {
  return covers(wide, narrow, true)
}

function covers(wide: string, narrow: string, narrowIsFilter: boolean): boolean {
  // Topics with a leading $ belong to the broker: a wildcard in first place does not select them.
  if (narrow.startsWith('$') && /^[+#]/.test(wide)) return false
  const levels = wide.split('/')
  const others = narrow.split('/')
  for (const [index, level] of levels.entries()) {
    if (level === '#') return true
    const other = others[index]
    if (other === undefined || (narrowIsFilter && other === '#')) return false
    if (level !== '+' && level !== other) return false
  }
  return levels.length === others.length
}
