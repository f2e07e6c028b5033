/** `--help` of every command: groups, order of the options, width. */
import { describe, expect, test } from 'bun:test'
import type { Command } from 'commander'
import { addOtherCommands } from '../../../src/cli/other-commands.ts'
import { createProgram } from '../../../src/cli/program.ts'

const done = () => undefined
const program = addOtherCommands(createProgram(done), done)

const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)]
const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()

/** With the texts below the options. */
function helpOf(command: Command): string {
  const shown: string[] = []
  command.configureOutput({ writeOut: (text) => void shown.push(text) })
  command.outputHelp()
  return shown.join('')
}

const COMMANDS = all(program).map((command) => [pathOf(command), command] as const)

test.each(COMMANDS)('%s: no line is longer than 100 columns', (_, command) => {
  expect(
    helpOf(command)
      .split('\n')
      .filter((line) => line.length > 100),
  ).toEqual([])
})

describe('the groups', () => {
  test('stand in this order, and hold every command', () => {
    const headings = helpOf(program).match(/^[A-Z][a-z ]+:$/gm)
    expect(headings).toEqual(['Options:', 'Start:', 'Set up:', 'Look:', 'Act:', 'Administer:'])
  })
})

test('options of the connection come last', () => {
  const events = COMMANDS.find(([path]) => path === 'footman events list')![1]
  const text = helpOf(events)
  const [connection, limit, end] = ['Connection:', '--limit', 'Example'].map((part) => text.indexOf(part))
  expect([connection! > limit!, connection! < end!]).toEqual([true, true])
})
