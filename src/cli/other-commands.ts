/** All commands besides `run`, each in its own file and loaded when called. */
import { type Command, InvalidArgumentError } from 'commander'
import { addCluster } from './cluster/command.ts'
import { addCredential, addCustomProperties, addKey, addMigrateConfig, addVersion } from './commands.ts'
import { addDoctor } from './doctor/command.ts'
import { groupCommands } from './help.ts'
import { addInit } from './init/command.ts'
import { processIo } from './io.ts'
import { addRemoteCommands, remote } from './remote/commands.ts'
import { addList } from './remote/list.ts'
import { addService } from './service/command.ts'

/** Adds them to a program; `done` gets the exit code of the one that ran. Returns the program. */
export function addOtherCommands(program: Command, done: (code: number) => void): Command {
  program
    .command('demo')
    .description('run against a built-in simulated Qlik Sense site; needs no configuration and no network')
    .option('--port <n>', 'port of the REST API (default: 8080, or a free one)', toPort)
    .option('--duration <seconds>', 'stop by itself after this time', toSeconds)
    .option('-l, --loglevel <level>', 'also show log lines of this level and above')
    .option(
      '--nodes <n>',
      'several nodes over a PostgreSQL that is installed, 2 to 5, whose leader you can kill',
      toNodes,
    )
    .action(async ({ nodes, ...options }) => {
      if (nodes !== undefined) {
        const { runNodesDemo } = await import('./demo/nodes.ts')
        done(await runNodesDemo({ ...options, nodes }, processIo))
        return
      }
      const { runDemo } = await import('./demo/index.ts')
      done(await runDemo(options, processIo))
    })

  program
    .command('check')
    .description('validate a configuration file: every problem with file, line, path and hint')
    .option('-c, --configfile <file>', 'configuration file')
    .option('--json', 'problems as JSON')
    .option('--paths', 'also list where every path of the file leads, and whether that exists')
    .option('--no-qs-connection', 'check for a run without Qlik Sense')
    .addHelpText('after', CHECK_HELP)
    .action(async (options) => {
      const { runCheck } = await import('./check.ts')
      done(await runCheck(options, processIo))
    })

  addDoctor(program, done)
  addInit(program, done)
  addCustomProperties(program, done)

  program
    .command('healthcheck')
    .description('ask the running Footman of a configuration file whether it is healthy; exit code 1 when it is not')
    .option('-c, --configfile <file>', 'configuration file')
    .addHelpText(
      'after',
      `
Prints healthy, degraded or unhealthy, and the parts that are down or degraded. The exit code
of degraded is 0. Asks the health listener (Butler.dockerHealthCheck), or the REST API where
that is off: for service managers, monitoring and the health checks of containers.

Example
  footman healthcheck -c footman.yaml`,
    )
    .action(async (options) => {
      const { runHealthcheck } = await import('./healthcheck.ts')
      done(await runHealthcheck(options, processIo))
    })

  program
    .command('test-email')
    .argument('<address>', 'who gets the mail')
    .description('send one test mail and print what the mail server says')
    .option('-c, --configfile <file>', 'configuration file')
    .option('--from <address>', 'sender (default: that of the alerts about failed reloads)')
    .action(async (address, options) => {
      const { runTestEmail } = await import('./test-email.ts')
      done(await runTestEmail(address, options, processIo))
    })

  program
    .command('schema')
    .description('print the JSON Schema of the configuration file')
    .action(async () => {
      const { runSchema } = await import('./schema.ts')
      done(runSchema(processIo))
    })

  program
    .command('openapi')
    .description(
      'print the description of the REST API (OpenAPI 3.1): every endpoint, or those of a configuration file',
    )
    .option('-c, --configfile <file>', 'configuration file')
    .option('--yaml', 'as YAML')
    .action(async (options) => {
      const { runOpenApi } = await import('./openapi.ts')
      done(await runOpenApi(options, processIo))
    })

  addMigrateConfig(program, done)
  addRemoteCommands(program, done)
  addCluster(program, done)
  addList(addKey(program, done), remote, 'key list', done)
  addCredential(program, done)
  addVersion(program, done)
  addService(program, done)

  groupCommands(program)
  return program
}

function toPort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port
  throw new InvalidArgumentError(`"${text}" is not a port (0-65535)`)
}

function toNodes(text: string): number {
  const nodes = Number(text)
  if (Number.isInteger(nodes) && nodes >= 2 && nodes <= 5) return nodes
  throw new InvalidArgumentError('it must be 2 to 5')
}

function toSeconds(text: string): number {
  const seconds = Number(text)
  if (Number.isFinite(seconds) && seconds > 0) return seconds
  throw new InvalidArgumentError(`"${text}" is not a number of seconds`)
}

const CHECK_HELP = `
An error forbids the start, or keeps one feature off while the rest runs; then it says which one
stays off. Warnings change nothing about the start.

Exit codes
  0 no errors; 1 an error forbids the start; 3 errors keep features off

Example
  footman check -c footman.yaml`
