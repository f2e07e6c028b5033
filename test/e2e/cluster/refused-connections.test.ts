/** A node for which the role has no connection left. */
import { refusedNodeTest } from '../../support/cluster/refused-node.ts'
import { needs } from '../../support/servers.ts'

needs('postgres')

refusedNodeTest('a connection limit', {
  refuse: { role: 'CONNECTION LIMIT 1' },
  reason: /refuses this node: .*too many connections for role/,
  fix: /raise .*CONNECTION LIMIT/,
})
