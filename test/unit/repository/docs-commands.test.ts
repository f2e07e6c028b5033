/** Every command in README.md and docs/ is one that the command line knows, with options that it has. */
import { describe, expect, test } from 'bun:test'
import type { Command } from 'commander'
import { addOtherCommands } from '../../../src/cli/other-commands.ts'
import { createProgram } from '../../../src/cli/program.ts'
import { type DocCommand, docCommands, words } from '../../support/docs.ts'

/** The real command line with nothing behind it. */
function parser(): Command {
  const done = () => {}
  const program = addOtherCommands(createProgram(done), done)
  const silence = (command: Command): void => {
    command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} })
    // One does something by itself and has a command below it.
    if (command.commands.length === 0 || command.name() === 'audit') command.action(() => {})
    for (const one of command.commands) silence(one)
  }
  silence(program)
  return program
}

/** What the command line says against it; null = nothing. */
function complaint({ args, inText }: DocCommand): string | null {
  try {
    parser().parse([...args], { from: 'user' })
    return null
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (['commander.help', 'commander.helpDisplayed', 'commander.version'].includes(code ?? '')) return null
    // In running text `footman events replay` is the name of a command.
    if (inText && /^commander\.(missing|optionMissing)/.test(code ?? '')) return null
    return message
  }
}

const commands = docCommands()

test('words are those of a shell', () => {
  expect(words('fire --task "Sales ETL hourly" --x \'a b\' C:\\a\\b > file.txt')).toEqual([
    'fire',
    '--task',
    'Sales ETL hourly',
    '--x',
    'a b',
    'C:\\a\\b',
  ])
  expect(words('reload --dry-run          # what would change?')).toEqual(['reload', '--dry-run'])
  expect(words('history --format csv | more')).toEqual(['history', '--format', 'csv'])
})

test('there are commands in the guide', () => {
  expect(commands.filter(({ inText }) => !inText).length).toBeGreaterThan(100)
})

describe.each([...new Set(commands.map(({ page }) => page))])('%s', (page) => {
  test('shows commands that exist', () => {
    const wrong = commands
      .filter((command) => command.page === page)
      .map((command) => ({ place: command.place, text: command.text, complaint: complaint(command) }))
      .filter((found) => found.complaint !== null)
    expect(wrong).toEqual([])
  })
})
