/** Changes a database in steps of which the last never ends; to be killed. */
import { createLogger } from '../../src/platform/log.ts'
import { upgradeDatabases } from '../../src/platform/upgrade.ts'
import { ENDLESS, FIRST, SECOND } from './upgrade-steps.ts'

const [file = '', backupDirectory = ''] = process.argv.slice(2)
upgradeDatabases(
  { log: createLogger({ level: 'info', format: 'text', console: true }), now: Date.now },
  {
    databases: [{ name: 'footman', file, migrations: [FIRST, SECOND, ENDLESS] }],
    backupDirectory,
    version: '2.0.0',
  },
)
