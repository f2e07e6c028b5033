/** `footman openapi`: the description of the REST API, of a configuration file or with every endpoint there is. */
import { stringify } from 'yaml'
import { createApp } from '../app/app.ts'
import { loadConfig } from '../app/config/load.ts'
import { loadReports } from '../app/reports.ts'
import { butler, type Config } from '../app/schema.ts'
import { createPathResolver } from '../config/paths.ts'
import { renderProblem, sortProblems } from '../config/problems.ts'
import type { OpenApiDocument } from '../http/openapi/schema.ts'
import { SILENT } from '../platform/types.ts'
import type { OptionsOf } from './command.ts'
import type { OPENAPI } from './commands.ts'
import { type CommandIo, EXIT } from './io.ts'

export async function runOpenApi(options: OptionsOf<typeof OPENAPI>, io: CommandIo): Promise<number> {
  const config = options.configfile ? await configOf(options.configfile, io) : everythingOn()
  if (!config) return EXIT.badInput
  const document = await describe(config)
  io.out(options.yaml ? stringify(document, { lineWidth: 0, aliasDuplicateObjects: false }) : text(document))
  return EXIT.ok
}

const text = (document: OpenApiDocument): string => JSON.stringify(document, null, 2)

/** Built like the running product, but nothing is started and nothing is kept. */
async function describe(config: Config): Promise<OpenApiDocument> {
  const cwd = process.cwd()
  const app = createApp(
    {
      log: SILENT,
      paths: createPathResolver({ configDirectory: cwd, cwd }),
      databaseFile: ':memory:',
      reports: await loadReports(config),
    },
    { config, dataDirectory: cwd, qrsConnection: true, shadow: false, degraded: false, apiRateLimit: null },
  )
  return app.describe()
}

/** Null when the file has errors, which are printed. */
async function configOf(file: string, io: CommandIo): Promise<Config | null> {
  const { config, problems } = await loadConfig({ file, env: process.env, cwd: process.cwd() })
  if (!config) for (const problem of sortProblems(problems)) io.err(renderProblem(problem))
  return config
}

type Switches = { readonly [name: string]: boolean | Switches }

function everythingOn(): Config {
  const config = butler.parse({
    restServerConfig: { enable: true },
    mqttConfig: { enable: true },
    footman: { mqtt: { receivedTopics: ['#'] }, reportTask: { enable: true, hub: { enable: true } } },
  })
  return { ...config, restServerEndpointsEnable: allTrue(config.restServerEndpointsEnable) }
}

function allTrue<T extends Switches>(switches: T): T {
  const entries = Object.entries(switches).map(([name, value]) => [
    name,
    typeof value === 'object' ? allTrue(value) : true,
  ])
  return Object.fromEntries(entries) as T
}
