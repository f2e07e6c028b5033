/** Registration of `footman doctor`. */
import { type Command, Option } from 'commander'
import { processIo, toTimeout } from '../io.ts'

const DEFAULT_TIMEOUT_MS = 10_000
/** Open connections keep the process alive for at most this time after the report. */
const REST_MS = 300

const HELP = `
Nothing is sent, changed or started: servers are greeted and logins tried, no message leaves.

Exit codes
  0 in order, or warnings only   3 something is broken, or the configuration keeps a feature off
  1 wrong arguments, or the configuration forbids the start or breaks the connection to Qlik Sense

Examples
  footman doctor -c footman.yaml
  footman doctor -c footman.yaml --only smtp influxdb
  footman doctor -c footman.yaml --only appender --appender LocalLogConfig.xml
  footman doctor -c footman.yaml --only udp --listen 60s
  footman doctor -c footman.yaml --json > doctor.json`

export function addDoctor(program: Command, done: (code: number) => void): void {
  program
    .command('doctor')
    .description('test every connection, certificate, port and folder of a configuration file, and say what to do')
    .option('-c, --configfile <file>', 'configuration file')
    .option('--json', 'findings as JSON')
    .option('--only <group...>', 'only these groups, like qrs, smtp, ports')
    .option('--no-qs-connection', 'leave Qlik Sense out')
    .option('--appender <file>', 'examine this log appender file (LocalLogConfig.xml of a Qlik Sense node)')
    .addOption(
      new Option(
        '--listen <time>',
        'wait this long for messages of Qlik Sense, and list the nodes that send',
      ).argParser(toTimeout),
    )
    .addOption(
      new Option('--timeout <time>', 'give up a connection after this time')
        .argParser(toTimeout)
        .default(DEFAULT_TIMEOUT_MS, '10s'),
    )
    .addHelpText('after', HELP)
    .action(async (options) => {
      const { runDoctor } = await import('./index.ts')
      done(await runDoctor(options, processIo))
      // Not before everything is written.
      process.stdout.write('', () => void setTimeout(() => process.exit(), REST_MS).unref())
    })
}
