/** Commands for NSSM, as existing entries are made with it. Footman does not run them: they are for reading and changing. */
import { win32 } from 'node:path'
import { windowsArgument } from '../plan.ts'
import type { ServiceFacts } from '../types.ts'
import { displayName } from './winsw.ts'

const STOP_MARGIN_MS = 15_000

/** One a line, for `cmd.exe`. */
export function nssmCommands(facts: ServiceFacts, account: string): string[] {
  const { name, command, workingDirectory, graceMs } = facts
  const [program, ...args] = command
  const output = facts.outputDirectory
  const settings: readonly (readonly [string, ...string[]])[] = [
    ['AppParameters', args.map(windowsArgument).join(' ')],
    ['AppDirectory', workingDirectory],
    ['DisplayName', displayName(name)],
    ['Start', 'SERVICE_DELAYED_AUTO_START'],
    ['ObjectName', account],
    // NSSM sends Ctrl-C and waits so long before it uses force.
    ['AppStopMethodConsole', String(graceMs + STOP_MARGIN_MS)],
    ['AppRestartDelay', '5000'],
    ['AppExit', 'Default', 'Restart'],
    // 0 = stopped as asked; 1 = wrong configuration, which no restart mends.
    ['AppExit', '0', 'Exit'],
    ['AppExit', '1', 'Exit'],
    ['AppStdout', win32.join(output, `${name}.out.log`)],
    ['AppStderr', win32.join(output, `${name}.err.log`)],
    ['AppRotateFiles', '1'],
    ['AppRotateBytes', '10485760'],
  ]
  const lines = [['install', name, program], ...settings.map(([key, ...values]) => ['set', name, key, ...values])]
  return [...lines, ['start', name]].map((parts) => forCmd(['nssm', ...parts.map(windowsArgument)].join(' ')))
}

/** `cmd.exe` counts every quote, also one after a backslash: what stands outside for it is escaped in its own way. */
function forCmd(text: string): string {
  let isQuoted = false
  return text.replaceAll(/["&|<>^()]/g, (sign) => {
    if (sign === '"') isQuoted = !isQuoted
    return sign === '"' || isQuoted ? sign : `^${sign}`
  })
}
