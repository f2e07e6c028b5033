/** The commands `footman init` and `footman log-appender`. */
import { InvalidArgumentError, Option } from 'commander'
import { command, type Flag, option, preset } from '../command.ts'
import { FIELDS, type Given, type InitField, listOf, SMTP_TLS } from './answers.ts'

export const INIT = command({
  name: 'init',
  description: 'write a configuration to start with, and the files that belong to it',
  options: [
    preset('-o, --output <file>', 'the configuration file to write', (text) => text, 'config/footman.yaml'),
    ...FIELDS.map(optionOf),
    option('--create-custom-properties', 'also create what is missing in Qlik Sense; the certificates must be there'),
    option('-y, --yes', 'ask nothing'),
    option('--force', 'replace files that are there already'),
  ],
  help: `
Asks for what is not given, when standard input is a terminal; with --yes it asks nothing.
Nothing that is there already is replaced without --force. Written are the configuration,
LocalLogConfig.xml for the nodes of Qlik Sense, and a folder for the certificates, each readable
by you and administrators only; what remains to be done is printed.

Exit codes
  0 written   1 wrong answers, or a file is there already
  2, 3 as custom-properties, with --create-custom-properties

Examples
  footman init
  footman init --yes --qs-host qs1.acme.example --mail-to bi@acme.example --smtp-host mx.acme.eu
  footman init --yes --output prod.yaml --qs-host qs1.acme.example --footman-host 10.1.2.3`,
})

export const LOG_APPENDER = command({
  name: 'log-appender',
  description: 'print the log appender file, with which Qlik Sense reports tasks to Footman',
  options: [
    option('-c, --configfile <file>', 'configuration file'),
    option('--address <address>', 'address of this computer for the Qlik Sense nodes (default: its first address)'),
    option('-o, --output <file>', 'write this file instead of standard output'),
    option('--force', 'replace the file when it is there already'),
  ],
  help: `
Copy the file to C:\\ProgramData\\Qlik\\Sense\\Scheduler\\LocalLogConfig.xml on every Qlik Sense
node that runs a scheduler. The port is that of the configuration.

Examples
  footman log-appender -c footman.yaml --address 10.1.2.3 --output LocalLogConfig.xml`,
})

function optionOf({ key, kind, option, value, help }: InitField): Flag<object> {
  const flags = { text: ` <${value}>`, list: ` <${value}...>`, port: ' <port>', switch: '', tls: ` <${value}>` }[kind]
  const made = new Option(`--${option}${flags}`, help)
  if (made.attributeName() !== key) throw new Error(`--${option} would not be found as ${key}`)
  if (kind === 'port') made.argParser(toPort)
  if (kind === 'tls') made.choices(SMTP_TLS)
  return made
}

function toPort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port >= 1 && port <= 65535) return port
  throw new InvalidArgumentError(`"${text}" is not a port (1-65535)`)
}

/** The answers among the options; lists may also be written with commas. */
export function givenOf(options: Readonly<Record<string, unknown>>): Given {
  const given = FIELDS.filter(({ key }) => options[key] !== undefined).map(({ key, kind }) => {
    const value = options[key]
    return [key, kind === 'list' ? (value as string[]).flatMap(listOf) : value]
  })
  return Object.fromEntries(given) as Given
}
