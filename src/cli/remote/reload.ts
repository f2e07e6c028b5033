/** `footman reload`: takes a changed configuration file into use. */
import { type CommandIo, EXIT } from '../io.ts'
import { OLD, type RemoteOptions, withRemote } from './client.ts'

interface ReloadOptions extends RemoteOptions {
  readonly dryRun?: boolean
}

interface ReloadView {
  readonly changed: readonly string[]
  readonly needsRestart: readonly string[]
  /** Absent in the answer of older versions. */
  readonly inUseSince?: string
}

export function runReload(options: ReloadOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { dryRun = false, json } = options
    const call = { method: 'POST', path: '/v4/config/reload', body: { dryRun }, what: 'reload' } as const
    const { text } = await remote.call({ ...call, switchedOff: OLD })
    if (json) {
      io.out(text)
      return EXIT.ok
    }
    const { changed, needsRestart, inUseSince } = JSON.parse(text) as ReloadView
    for (const path of changed) io.out(`${dryRun ? 'would change' : 'changed'}: ${path}`)
    for (const path of needsRestart) io.out(`needs a restart: ${path}`)
    if (changed.length + needsRestart.length === 0) {
      io.out(`Nothing has changed${inUseSince ? `: these settings are in use since ${inUseSince}` : ''}.`)
    }
    return EXIT.ok
  })
}
