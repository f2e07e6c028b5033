/** What all commands have in common that talk to a running Footman. */
import { visibleBlock } from '../../platform/visible.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { createRemote, type Remote } from './client.ts'
import { CommandFailure } from './failure.ts'
import { findPlace, type PlaceOptions, type Surroundings } from './place.ts'

export interface RemoteOptions extends PlaceOptions {
  readonly json?: boolean
  /** Milliseconds. */
  readonly timeout: number
  /** As it was typed, like `kv export`; for errors. */
  readonly command?: string
}

/** Runs the command with a connection; prints what goes wrong and turns it into an exit code. */
export async function withRemote(
  options: RemoteOptions,
  io: CommandIo,
  command: (remote: Remote) => Promise<number>,
  surroundings: Surroundings = { env: process.env, cwd: process.cwd() },
): Promise<number> {
  let remote: Remote | null = null
  try {
    remote = createRemote(await findPlace(options, surroundings), { timeoutMs: options.timeout })
    return await command(remote)
  } catch (error) {
    if (error instanceof CommandFailure) {
      io.err(visibleBlock(`error: ${placeOf(options.command, error.what)}: ${error.message}`))
      return error.exitCode
    }
    io.err(visibleBlock(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`))
    return EXIT.unreachable
  } finally {
    remote?.close()
  }
}

/** The command, and what it was about unless one of them says both. */
function placeOf(command: string | undefined, what: string): string {
  if (command === undefined || what === command || what.startsWith(`${command} `)) return what
  return command.split(' ').includes(what) ? command : `${command}: ${what}`
}
