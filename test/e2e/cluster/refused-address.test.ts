/** A node whose address a line of `pg_hba.conf` keeps out. */
import { refusedNodeTest } from '../../support/cluster/refused-node.ts'
import { needs } from '../../support/servers.ts'

needs('postgres')

refusedNodeTest('a line of pg_hba.conf', {
  refuse: { hba: 'host footman footman 127.0.0.1/32 reject' },
  reason: /refuses this node: .*pg_hba\.conf rejects connection/,
  fix: /pg_hba\.conf/,
})
