/** `footman check`: what is wrong with a configuration file, without starting anything. */
import { inactiveLine, loadConfig } from '../config/load.ts'
import { createPathResolver } from '../config/paths.ts'
import { type Problem, renderProblem } from '../config/problems.ts'
import { inspect } from './inspection.ts'
import { type CommandIo, EXIT } from './io.ts'

export interface CheckOptions {
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

/** Prints every problem and returns 0 when none is an error, else 1. */
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
  const valid = !problems.some(({ severity }) => severity === 'error')
  if (options.json) {
    io.out(JSON.stringify({ file: result.file, valid, inactive: result.inactive, problems }, null, 2))
  } else {
    for (const problem of problems) io.out(renderProblem(problem))
    const inactive = inactiveLine(result.inactive)
    if (inactive) io.out(inactive)
    io.out(summary(result.file ?? file ?? 'configuration', problems))
  }
  return valid ? EXIT.ok : EXIT.badInput
}

function summary(file: string, problems: readonly Problem[]): string {
  const count = (severity: Problem['severity'], what: string) => {
    const found = problems.filter((problem) => problem.severity === severity).length
    return `${found} ${what}${found === 1 ? '' : 's'}`
  }
  const errors = count('error', 'error')
  return `${file}: ${errors.startsWith('0 ') ? 'valid' : 'not valid'}, ${errors}, ${count('warning', 'warning')}`
}
