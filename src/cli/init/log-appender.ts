/** `footman log-appender`: the log appender file for a configuration that is there already. */
import { resolve } from 'node:path'
import { loadConfig } from '../../app/config/load.ts'
import { isHost } from '../../config/fields/network.ts'
import { renderProblem } from '../../config/problems.ts'
import { errorText } from '../../platform/errors.ts'
import { logAppenderFile } from '../../qlik/log-appenders.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { ownAddress } from './answers.ts'
import type { LOG_APPENDER } from './command.ts'
import { writeFiles } from './index.ts'

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly platform: NodeJS.Platform
}

/** 0 = written, 1 = arguments or configuration. */
export async function runLogAppender(
  options: OptionsOf<typeof LOG_APPENDER>,
  io: CommandIo,
  at: Surroundings,
): Promise<number> {
  const file = options.configfile ?? at.env.FOOTMAN_CONFIGFILE
  const { config, problems } = await loadConfig({
    ...(file ? { file } : {}),
    env: at.env,
    cwd: at.cwd,
    overrides: { qlikConnection: false },
  })
  if (!config) {
    for (const problem of problems) if (problem.severity === 'error') io.err(renderProblem(problem))
    return EXIT.badInput
  }
  const { enable, portTaskFailure: port } = config.udpServerConfig
  if (!enable) io.err('warning: Butler.udpServerConfig.enable is false: Footman does not listen for these messages')
  const address = options.address ?? ownAddress()
  if (!isHost(address)) return refuse(io, `--address: "${address}" is no host name and no IP address`)
  const [secret] = config.footman.udp.sharedSecrets
  const text = logAppenderFile({ address, port, secret })
  if (options.output === undefined) {
    io.out(text.trimEnd(), 'as-is')
    return EXIT.ok
  }
  const path = resolve(at.cwd, options.output)
  try {
    // A shared secret stands in it.
    await writeFiles([{ path, text, isPrivate: secret !== undefined }], options.force === true, at.platform)
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST'
    return refuse(io, isThere ? `${path} is there already: give --force` : `cannot write: ${errorText(error)}`)
  }
  io.out(`${path}: messages go to ${address}, UDP port ${port}`)
  return EXIT.ok
}

function refuse(io: CommandIo, why: string): number {
  io.err(`error: log-appender: ${why}`)
  return EXIT.badInput
}
