/** `footman test-email ADDRESS`: one mail, and what the server says to it. */
import { sendTestEmail } from '../alerts/destinations/email/test-email.ts'
import { loadConfig } from '../app/config/load.ts'
import { renderProblem, sortProblems } from '../config/problems.ts'
import type { OptionsOf } from './command.ts'
import type { TEST_EMAIL } from './commands.ts'
import { type CommandIo, EXIT } from './io.ts'

/** 0 when the server has accepted the mail, 1 for a bad configuration, 2 when it was not accepted. */
export async function runTestEmail(to: string, options: OptionsOf<typeof TEST_EMAIL>, io: CommandIo): Promise<number> {
  const { config, problems } = await loadConfig({
    file: options.configfile ?? process.env.FOOTMAN_CONFIGFILE,
    env: process.env,
    cwd: process.cwd(),
    overrides: { qlikConnection: false },
  })
  if (!config) {
    for (const problem of sortProblems(problems)) io.err(renderProblem(problem))
    return EXIT.badInput
  }
  const { accepted, answer } = await sendTestEmail(config, { to, from: options.from })
  if (accepted) io.out(`accepted: ${answer}`)
  else io.err(`error: the test mail to ${to} was not accepted: ${answer}`)
  return accepted ? EXIT.ok : EXIT.cannotStart
}
