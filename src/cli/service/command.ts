/** The commands `footman service`. */
import { command, option, preset } from '../command.ts'
import { toNumber, whole } from '../io.ts'

const NAME = option('--name <name>', 'name of the service (default: footman; Windows: Footman)')
const DRY_RUN = option('--dry-run', 'the same as --print')

export const SERVICE_INSTALL = command({
  name: 'install',
  description: 'make a service of Footman with a configuration file, and start it',
  options: [
    NAME,
    option('-c, --configfile <file>', 'configuration file'),
    option('--user <account>', 'account that it runs as (default: footman; Windows: an account of its own)'),
    option(
      '--directory <folder>',
      'where the files of the entry are written (default: /etc/systemd/system; Windows: beside footman.exe)',
    ),
    option('--winsw <file>', 'Windows: the WinSW executable'),
    option('--task-scheduler', 'Windows: make a task, which needs no download'),
    option('--nssm', 'Windows: print the commands for NSSM'),
    option('--firewall', 'also make firewall rules for the ports that others connect to'),
    option('--no-start', 'only install'),
    option('--print', 'show what would be written and run, change nothing'),
    DRY_RUN,
  ],
  help: `
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
  footman service install -c C:\\footman\\config\\footman.yaml --task-scheduler`,
})

export const SERVICE_UNINSTALL = command({
  name: 'uninstall',
  description: 'stop and remove the service; configuration, data and logs stay',
  options: [
    NAME,
    option('--directory <folder>', 'where its files were written'),
    option('--print', 'show what would be removed and run, change nothing'),
    DRY_RUN,
  ],
  help: '\nExit codes\n  0 removed   2 refused   3 not installed\n\nExample\n  footman service uninstall --print',
})

export const SERVICE_STATUS = command({
  name: 'status',
  description: 'whether the service runs',
  options: [NAME, option('--json', 'as JSON')],
  help: '\nExit codes\n  0 it runs   2 the service manager cannot be asked   3 stopped or not installed\n\nExample\n  footman service status --json',
})

export const SERVICE_LOGS = command({
  name: 'logs',
  description: 'the log of the service',
  options: [
    NAME,
    option('-c, --configfile <file>', 'Windows: configuration file (default: that of the service)'),
    option('--directory <folder>', 'Windows: where the files of the entry were written'),
    preset(
      '--lines <n>',
      'so many lines (default: 50)',
      toNumber(whole(0, 100_000), (text) => `"${text}" is not a number of lines (0-100000)`),
      50,
    ),
    option('--follow', 'go on with what is written from now on, until Ctrl-C'),
  ],
  help: '\nExample\n  footman service logs --lines 200 --follow',
})
