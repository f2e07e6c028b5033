/** What all commands have in common that talk to a running Footman. */
import { type CommandIo, EXIT } from '../io.ts'
import { createRemote, type Remote } from './client.ts'
import { CommandFailure } from './failure.ts'
import { findPlace, type PlaceOptions, type Surroundings } from './place.ts'

export interface RemoteOptions extends PlaceOptions {
  readonly json?: boolean
  /** Milliseconds. */
  readonly timeout: number
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
      io.err(`error: ${error.what}: ${error.message}`)
      return error.exitCode
    }
    io.err(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    return EXIT.unreachable
  } finally {
    remote?.close()
  }
}
