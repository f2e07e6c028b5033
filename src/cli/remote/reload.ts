/** `footman reload`: takes a changed configuration file into use. */
import { RELOAD_CONFIG } from '../../console/contract.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { OLD, withRemote } from './client.ts'
import type { RELOAD } from './commands.ts'

export function runReload(options: OptionsOf<typeof RELOAD>, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { dryRun = false, json } = options
    const result = await remote.ask(RELOAD_CONFIG, { body: { dryRun }, what: 'reload', switchedOff: OLD })
    if (json) {
      io.out(JSON.stringify(result))
      return EXIT.ok
    }
    const { changed, needsRestart, inUseSince } = result
    for (const path of changed) io.out(`${dryRun ? 'would change' : 'changed'}: ${path}`)
    for (const path of needsRestart) io.out(`needs a restart: ${path}`)
    if (changed.length + needsRestart.length === 0) {
      io.out(`Nothing has changed: these settings are in use since ${inUseSince}.`)
    }
    return EXIT.ok
  })
}
