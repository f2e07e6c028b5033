/** A node that does not know the new password of the role. */
import { refusedNodeTest } from '../../support/cluster/refused-node.ts'
import { needs } from '../../support/servers.ts'

needs('postgres')

refusedNodeTest('a new password', {
  refuse: { role: `PASSWORD 'another'` },
  reason: /refuses this node: .*password authentication failed/,
  fix: /ALTER ROLE footman PASSWORD/,
})
