/** Registration of `footman service`. */
import { type Command, InvalidArgumentError } from 'commander'
import { processIo } from '../io.ts'

const INSTALL_HELP = `
Linux: writes a systemd unit with a sandbox made from the configuration, enables and starts it.
A system account is made when --user (default: footman) does not exist.
Windows: makes a real service with WinSW (WinSW-x64.exe beside footman.exe, or --winsw), or a
task that starts with the machine. It runs as its own account "NT SERVICE\\<name>", a task as
LocalService.
Call it again after changes. Administrators (root) only.

Exit codes
  0 done   1 wrong arguments or configuration   2 refused by the system   3 WinSW is missing

Examples
  footman service install -c footman.yaml --print
  sudo footman service install -c /opt/footman/config/footman.yaml
  footman service install -c C:\\footman\\config\\footman.yaml --firewall
  footman service install -c C:\\footman\\config\\footman.yaml --task-scheduler`

const DEFAULT_LINES = 50

export function addService(program: Command, done: (code: number) => void): void {
  const service = program
    .command('service')
    .description('run Footman as a service: systemd on Linux, WinSW or the Task Scheduler on Windows')

  named(service, 'install', 'make a service of Footman with a configuration file, and start it')
    .option('-c, --configfile <file>', 'configuration file')
    .option('--user <account>', 'account that it runs as (default: footman; Windows: an account of its own)')
    .option(
      '--directory <folder>',
      'where the files of the entry are written (default: /etc/systemd/system; Windows: beside footman.exe)',
    )
    .option('--winsw <file>', 'Windows: the WinSW executable')
    .option('--task-scheduler', 'Windows: make a task, which needs no download')
    .option('--nssm', 'Windows: print the commands for NSSM')
    .option('--firewall', 'also make firewall rules for the ports that others connect to')
    .option('--no-start', 'only install')
    .option('--print', 'show what would be written and run, change nothing')
    .option('--dry-run', 'the same as --print')
    .addHelpText('after', INSTALL_HELP)
    .action(async (options) => {
      const { runInstall } = await import('./install.ts')
      done(await runInstall(options, processIo, await here()))
    })

  named(service, 'uninstall', 'stop and remove the service; configuration, data and logs stay')
    .option('--directory <folder>', 'where its files were written')
    .option('--print', 'show what would be removed and run, change nothing')
    .option('--dry-run', 'the same as --print')
    .addHelpText(
      'after',
      '\nExit codes\n  0 removed   2 refused   3 not installed\n\nExample\n  footman service uninstall --print',
    )
    .action(async (options) => {
      const { runUninstall } = await import('./install.ts')
      done(await runUninstall(options, processIo, await here()))
    })

  named(service, 'status', 'whether the service runs')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nExit codes\n  0 it runs   2 the service manager cannot be asked   3 stopped or not installed\n\nExample\n  footman service status --json',
    )
    .action(async (options) => {
      const { runStatus } = await import('./watch.ts')
      done(await runStatus(options, processIo, await here()))
    })

  named(service, 'logs', 'the log of the service')
    .option('-c, --configfile <file>', 'Windows: configuration file (default: that of the service)')
    .option('--directory <folder>', 'Windows: where the files of the entry were written')
    .option('--lines <n>', `so many lines (default: ${DEFAULT_LINES})`, toLines, DEFAULT_LINES)
    .option('--follow', 'go on with what is written from now on, until Ctrl-C')
    .addHelpText('after', '\nExample\n  footman service logs --lines 200 --follow')
    .action(async (options) => {
      const { runLogs } = await import('./watch.ts')
      done(await runLogs(options, processIo, await here()))
    })
}

const here = async () => (await import('./host.ts')).processHost()

const named = (parent: Command, name: string, description: string): Command =>
  parent
    .command(name)
    .description(description)
    .option('--name <name>', 'name of the service (default: footman; Windows: Footman)')

function toLines(text: string): number {
  const lines = Number(text)
  if (Number.isInteger(lines) && lines >= 0 && lines <= 100_000) return lines
  throw new InvalidArgumentError(`"${text}" is not a number of lines (0-100000)`)
}
