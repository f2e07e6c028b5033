/** The words of a node that may show something else than the others. */
import { expect, test } from 'bun:test'
import { clusterBanner } from '../../../src/console/banners.tsx'
import type { NodeState } from '../../../src/console/page.ts'

const STATE: NodeState = { mode: 'follower', leader: 'qs-a', behindMs: 0, runsDuties: false, database: 'up' }
const alone = { mode: 'alone', behindMs: 60_000 }

test.each<[Partial<NodeState>, RegExp | null]>([
  [{}, null],
  [{ behindMs: 9000 }, /^This node is 9\.0 s behind the other nodes/],
  [
    { ...alone, database: 'away' },
    /^This node works alone, as the database .* has not answered for .*schedules and retries rest/,
  ],
  [{ ...alone, database: 'away', runsDuties: true }, /^This node works alone(?!.*retries rest)/],
  [{ ...alone, database: 'keeps' }, /has not let this node in for .* keeps what it receives and sends nothing: /],
  [{ ...alone, database: 'refuses' }, /^This node works alone, as the database .* has not let it in for /],
])('%j: %p', (changes, words) => {
  const [shown = null] = clusterBanner({ ...STATE, ...changes })
  if (words === null) expect(shown).toBeNull()
  else expect(String(shown)).toMatch(words)
})
