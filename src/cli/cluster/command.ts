/** Registration of `footman cluster`: several nodes that work as one. */
import process from 'node:process'
import type { Command } from 'commander'
import { processIo } from '../io.ts'

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
}
