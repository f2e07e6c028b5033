/** `footman cluster sql`: SQL for the administrator of the shared database. */
import { loadConfig } from '../../app/config/load.ts'
import { defaults } from '../../app/schema.ts'
import type { ClusterConfig } from '../../cluster/config.ts'
import { migrationSql, setupSql } from '../../cluster/sql.ts'
import { renderProblem, sortProblems } from '../../config/problems.ts'
import { VERSION } from '../../platform/version.ts'
import type { OptionsOf } from '../command.ts'
import type { CLUSTER_SQL } from '../commands.ts'
import { type CommandIo, EXIT } from '../io.ts'

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** 0 = printed, 1 = the configuration has errors. */
export async function runClusterSql(
  options: OptionsOf<typeof CLUSTER_SQL>,
  io: CommandIo,
  { env, cwd }: Surroundings,
): Promise<number> {
  const file = options.configfile ?? env.FOOTMAN_CONFIGFILE
  const section = await sectionOf(file, { env, cwd }, io)
  if (!section) {
    io.err('error: cluster sql: the configuration has errors: correct them (footman check lists them)')
    return EXIT.badInput
  }
  io.out(options.migrate ? migrationSql(section, VERSION) : setupSql(section))
  return EXIT.ok
}

/** That of the file; the usual names where there is no file at all. Null when the file has errors. */
async function sectionOf(
  file: string | undefined,
  { env, cwd }: Surroundings,
  io: CommandIo,
): Promise<ClusterConfig | null> {
  const options = { ...(file ? { file } : {}), env, cwd, withoutSecrets: true }
  const { config, problems, file: found } = await loadConfig(options)
  if (config) return config.footman.cluster
  if (!file && found === null) return defaults().footman.cluster
  for (const problem of sortProblems(problems)) if (problem.severity === 'error') io.err(renderProblem(problem))
  return null
}
