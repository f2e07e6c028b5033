/** `footman console`: opens the console in the browser, signed in. */
import { spawn } from 'node:child_process'
import { SIGN_IN_LINK } from '../../console/contract.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { OLD, withRemote } from './client.ts'
import type { CONSOLE } from './commands.ts'

export function runConsole(options: OptionsOf<typeof CONSOLE>, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { path, expiresAt } = await remote.ask(SIGN_IN_LINK, { what: 'console', switchedOff: OLD })
    const url = remote.url.replace(/\/$/, '') + path
    if (options.json) {
      io.out(JSON.stringify({ url, expiresAt }))
      return EXIT.ok
    }
    io.out(url)
    if (expiresAt !== null) io.out('The link signs in once, within a minute.')
    if (options.open) openBrowser(url)
    return EXIT.ok
  })
}

const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly [program: string, ...args: string[]]>>> = {
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
  darwin: ['open'],
}

/** A machine without a browser is no error: the address has been printed. */
function openBrowser(url: string): void {
  const [program, ...args] = OPENERS[process.platform] ?? ['xdg-open']
  const child = spawn(program!, [...args, url], { stdio: 'ignore', detached: true, shell: false })
  child.on('error', () => {})
  child.unref()
}
