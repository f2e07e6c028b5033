/** Registration of `footman cluster`: several nodes that work as one. */
import process from 'node:process'
import type { Command } from 'commander'
import { processIo } from '../io.ts'
import { remote } from '../remote/commands.ts'

const SQL_HELP = `
Prints SQL with the names of Butler.footman.cluster, or the usual ones without a configuration
file; nothing is connected to. Without --migrate: role, database, schemas and the line of
pg_hba.conf, once. With --migrate: the tables, for sites where the role of the nodes may not
make any; run it before the first start and before each upgrade.

Examples
  footman cluster sql -c footman.yaml
  footman cluster sql -c footman.yaml --migrate > tables.sql`

export function addCluster(program: Command, done: (code: number) => void): void {
  const cluster = program.command('cluster').description('several nodes that work as one over a shared database')

  cluster
    .command('sql')
    .description('print the SQL that the administrator of the database runs')
    .option('-c, --configfile <file>', 'configuration file')
    .option('--migrate', 'the tables instead of role, database and schemas')
    .addHelpText('after', SQL_HELP)
    .action(async (options) => {
      const { runClusterSql } = await import('./sql.ts')
      done(await runClusterSql(options, processIo, { env: process.env, cwd: process.cwd() }))
    })

  const running = () => import('./running.ts')
  remote(cluster, 'status', 'show the nodes, who leads, and what is wrong')
    .addHelpText('after', '\nExit code 0: a node leads and the database answers; 2: not.')
    .action(async (options) => done(await (await running()).runClusterStatus(options, processIo)))
  remote(cluster, 'step-down', 'let another node lead, before an upgrade of the leader')
    .addHelpText('after', '\nWaits until another node leads, at most 30 seconds.')
    .action(async (options) => done(await (await running()).runStepDown(options, processIo)))
  remote(cluster, 'leave', 'wait until this node has everything, to go on as a single node')
    .addHelpText('after', '\nAfterwards set Butler.footman.cluster.enable: false and restart this node.')
    .action(async (options) => done(await (await running()).runLeave(options, processIo)))
  remote(cluster, 'remove <name>', 'take a node that is gone off the list')
    .addHelpText('after', '\nStop it first: a node that runs comes back with its next sign of life.')
    .action(async (name: string, options) => done(await (await running()).runRemoveNode(name, options, processIo)))
}
