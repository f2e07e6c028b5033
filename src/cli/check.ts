/** `footman check`: what is wrong with a configuration file, without starting anything. */
import { inactiveLine, loadConfig } from '../app/config/load.ts'
import { createPathResolver } from '../config/paths.ts'
import { consequenceOf, type Problem, renderProblem, switchedOff } from '../config/problems.ts'
import { inspect } from './inspection.ts'
import { type CommandIo, EXIT } from './io.ts'

interface CheckOptions {
  readonly configfile?: string
  readonly json?: boolean
  /** False with --no-qs-connection. */
  readonly qsConnection?: boolean
}

interface CheckSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly execPath: string
}

/** Prints every problem. Returns 1 when one forbids the start, 3 when one switches a feature off, else 0. */
export async function runCheck(
  options: CheckOptions,
  io: CommandIo,
  { env, cwd, execPath }: CheckSurroundings = { env: process.env, cwd: process.cwd(), execPath: process.execPath },
): Promise<number> {
  const file = options.configfile ?? env.FOOTMAN_CONFIGFILE
  const overrides = { qlikConnection: options.qsConnection !== false }
  const result = await loadConfig({ ...(file ? { file } : {}), env, cwd, overrides })
  const paths = createPathResolver({ configDirectory: result.directory, cwd, execPath })
  const problems = await inspect(result, paths)
  const off = switchedOff(problems)
  const starts = !problems.some((problem) => consequenceOf(problem) === 'forbids-start')
  if (options.json) {
    const told = problems.map((problem) => ({ ...problem, consequence: consequenceOf(problem) }))
    const valid = starts && off.length === 0
    io.out(
      JSON.stringify({ file: result.file, valid, starts, off, inactive: result.inactive, problems: told }, null, 2),
    )
  } else {
    for (const problem of problems) io.out(renderProblem(problem))
    const inactive = inactiveLine(result.inactive)
    if (inactive) io.out(inactive)
    io.out(summary(result.file ?? file ?? 'configuration', problems))
  }
  if (!starts) return EXIT.badInput
  return off.length > 0 ? EXIT.missing : EXIT.ok
}

function summary(file: string, problems: readonly Problem[]): string {
  const count = (severity: Problem['severity'], what: string) => {
    const found = problems.filter((problem) => problem.severity === severity).length
    return `${found} ${what}${found === 1 ? '' : 's'}`
  }
  const off = switchedOff(problems)
  const stays = off.length === 0 ? '' : `, ${off.join(', ')} off`
  const starts = !problems.some((problem) => consequenceOf(problem) === 'forbids-start')
  const verdict = starts ? (off.length === 0 ? 'valid' : 'starts') : 'not valid'
  return `${file}: ${verdict}${stays}, ${count('error', 'error')}, ${count('warning', 'warning')}`
}
