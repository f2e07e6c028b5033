/** The commands about schedules. */
import { type Command, InvalidArgumentError } from 'commander'
import { processIo } from '../io.ts'

type Done = (code: number) => void
type Remote = (program: Command, nameAndArguments: string, description: string) => Command

const EXIT_CODES = `
Exit codes
  0 done             2 Footman cannot be reached, or refuses
  1 wrong arguments  3 there is no such schedule`

const DEFAULT_RUNS = 20
const DEFAULT_COUNT = 10

export function addScheduleCommands(program: Command, remote: Remote, done: Done): void {
  const schedules = program.command('schedules').description('schedules and their runs')

  remote(schedules, 'list', 'list the schedules, their next and their last runs')
    .addHelpText('after', EXIT_CODES)
    .action(async (options) => {
      const { runSchedulesList } = await import('./schedules.ts')
      done(await runSchedulesList(options, processIo))
    })

  remote(schedules, 'runs <id>', 'show the runs of a schedule, newest first')
    .option('--limit <n>', `so many at most (default: ${DEFAULT_RUNS})`, toCount(500), DEFAULT_RUNS)
    .addHelpText('after', EXIT_CODES)
    .action(async (id: string, options) => {
      const { runScheduleRuns } = await import('./schedules.ts')
      done(await runScheduleRuns(id, options, processIo))
    })

  remote(schedules, 'preview <cron>', 'say in words when a cron expression fires, and the next times')
    .option('--timezone <zone>', 'IANA time zone (default: that of this computer)')
    .option('--count <n>', `so many times (default: ${DEFAULT_COUNT})`, toCount(100), DEFAULT_COUNT)
    .addHelpText(
      'after',
      `${EXIT_CODES}\n\nExample\n  footman schedules preview "0 6 * * 1-5" --timezone Europe/Stockholm`,
    )
    .action(async (cron: string, options) => {
      const { runSchedulePreview } = await import('./schedules.ts')
      done(await runSchedulePreview(cron, options, processIo))
    })

  remote(schedules, 'run <id>', 'run a schedule now, also when it is stopped')
    .addHelpText('after', EXIT_CODES)
    .action(async (id: string, options) => {
      const { runScheduleRun } = await import('./schedules.ts')
      done(await runScheduleRun(id, options, processIo))
    })
}

const toCount =
  (most: number) =>
  (text: string): number => {
    const count = Number(text)
    if (Number.isInteger(count) && count >= 1 && count <= most) return count
    throw new InvalidArgumentError(`"${text}" is not a number from 1 to ${most}`)
  }
