/** Debian's Chromium, without a window and without calls of its own. */
import { type Browser, chromium } from 'playwright-core'
import { findExecutable } from './servers.ts'

/** Rejects when Chromium is not installed. */
export function startBrowser(): Promise<Browser> {
  const executablePath = findExecutable('chromium')
  if (!executablePath) throw new Error('chromium is not installed')
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}
