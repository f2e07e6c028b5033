/** Debian's Chromium, without a window and without calls of its own. */
import { type Browser, chromium } from 'playwright-core'
import { program } from './servers.ts'

/** Rejects when Chromium is not installed. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: program('chromium'),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // A page of a test is over before code that is compiled anew has run often enough to be worth it.
      '--js-flags=--no-opt',
    ],
  })
}
