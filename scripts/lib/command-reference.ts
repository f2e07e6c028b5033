/** The reference of all commands in `docs/command-line.md`, made of their definitions. */
import { type Argument, type Command, Help, type Option } from 'commander'
import { CONNECTION } from '../../src/cli/help.ts'
import { addOtherCommands } from '../../src/cli/other-commands.ts'
import { createProgram } from '../../src/cli/program.ts'

const INTRODUCTION = `# Command line

This page is made of the program (\`npm run docs\`); do not edit it.

\`footman -c FILE\` means \`footman run -c FILE\`. \`footman COMMAND --help\` shows what stands here.

| Exit code | Meaning |
| --- | --- |
| 0 | done; stopped as asked |
| 1 | wrong arguments or configuration |
| 2 | could not start, or Footman (or the server behind it) is unreachable or refuses |
| 3 | the thing was not found, is not started or not healthy |
| 4 | it failed |
| 5 | time over |

Errors go to standard error as \`error: <what>: <why and what to do>\`; results go to standard output, \`--json\` prints them
for programs. Commands that talk to a running Footman find it by the configuration file (\`-c\`), by \`--url\`, or by
\`FOOTMAN_URL\`; on the same machine they need no key, from elsewhere they take \`--key\` or \`FOOTMAN_KEY\`.

Listings fit the terminal, or 100 columns without one; \`--wide\` shows all columns and whole texts. Times are local, and
in UTC with \`--utc\`. Ids are shortened: a unique beginning names an event, a delivery, an execution, a snooze or a
schedule, and \`latest\` the newest event, delivery or execution. \`--from\` and \`--to\` take \`2h\` (ago), \`22:00\` (the last
one), \`yesterday\`, \`yesterday 18:00\` or an ISO 8601 time, which is local without a zone.
`

/** Markdown with one section per command, in the order of \`footman --help\`. */
export function commandReference(): string {
  const done = () => undefined
  const program = addOtherCommands(createProgram(done), done)
  const commands = program.commands.filter((command) => command.name() !== 'help')
  const list = commands.map(
    (command) => `| [${command.name()}](#${anchor(command)}) | ${cell(command.description())} |`,
  )
  return [
    INTRODUCTION,
    ['| Command | Does |', '| --- | --- |', ...list].join('\n'),
    '',
    ...commands.flatMap((command) => sections(command)),
  ].join('\n')
}

const help = new Help()

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()
}

const anchor = (command: Command): string => pathOf(command).replaceAll(' ', '-')

/** A command that only holds others has no section of its own options. */
function sections(command: Command): string[] {
  const inner = command.commands.filter((one) => one.name() !== 'help')
  const own = `## ${pathOf(command)}\n\n${sentence(command.description())}\n`
  if (inner.length > 0 && command.options.length === 0) return [own, ...inner.flatMap((one) => sections(one))]
  return [own, usage(command), ...table(command), ...afterText(command), ...inner.flatMap((one) => sections(one))]
}

function usage(command: Command): string {
  const usual = command.parent ? pathOf(command.parent) : ''
  return `\`\`\`text\n${usual} ${command.name()} ${command.usage()}\n\`\`\`\n`
}

function table(command: Command): string[] {
  const rows = [
    ...command.registeredArguments.map((one) => row(`<${one.name()}>`, argumentText(one))),
    ...ordered(command).map((option) => row(option.flags, optionText(option))),
  ]
  return rows.length === 0 ? [] : [['| Option | Meaning |', '| --- | --- |', ...rows, ''].join('\n')]
}

/** Those of the connection last, as in `--help`. */
function ordered({ options }: Command): readonly Option[] {
  const shown = options.filter(({ hidden }) => !hidden)
  const isLast = ({ helpGroupHeading }: Option) => helpGroupHeading === CONNECTION
  return [...shown.filter((option) => !isLast(option)), ...shown.filter(isLast)]
}

const row = (name: string, meaning: string): string => `| \`${name.replaceAll('|', '\\|')}\` | ${cell(meaning)} |`
const argumentText = (argument: Argument): string => help.argumentDescription(argument)
const optionText = (option: Option): string => help.optionDescription(option).replace(/ \(default: \[\]\)$/, '')

/** The text below the options: notes, exit codes, examples. */
function afterText(command: Command): string[] {
  const shown: string[] = []
  command.configureOutput({ writeOut: (text) => void shown.push(text) })
  command.outputHelp()
  const after = shown.join('').replace(command.helpInformation(), '').trim()
  return after === '' ? [] : [`\`\`\`text\n${after}\n\`\`\`\n`]
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
