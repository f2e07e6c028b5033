/** The command `footman doctor`. */
import { command, option, parsed, preset } from '../command.ts'
import { toTimeout } from '../io.ts'

export const DOCTOR = command({
  name: 'doctor',
  description: 'test every connection, certificate, port and folder of a configuration file, and say what to do',
  options: [
    option('-c, --configfile <file>', 'configuration file'),
    option('--json', 'findings as JSON'),
    option('--only <group...>', 'only these groups, like qrs, smtp, ports'),
    option('--no-qs-connection', 'leave Qlik Sense out'),
    option('--appender <file>', 'examine this log appender file (LocalLogConfig.xml of a Qlik Sense node)'),
    parsed('--listen <time>', 'wait this long for messages of Qlik Sense, and list the nodes that send', toTimeout),
    preset('--timeout <time>', 'give up a connection after this time', toTimeout, 10_000, '10s'),
  ],
  help: `
Nothing is sent, changed or started: servers are greeted and logins tried, no message leaves.

Exit codes
  0 in order, or warnings only   3 something is broken, or the configuration keeps a feature off
  1 wrong arguments, or the configuration forbids the start or breaks the connection to Qlik Sense

Examples
  footman doctor -c footman.yaml
  footman doctor -c footman.yaml --only smtp influxdb
  footman doctor -c footman.yaml --only appender --appender LocalLogConfig.xml
  footman doctor -c footman.yaml --only udp --listen 60s
  footman doctor -c footman.yaml --json > doctor.json`,
})
