/** The way to services on the system that Footman runs on. */
import { createSystemdReader } from './systemd-reader.ts'
import type { ServiceReader } from './types.ts'
import { createWindowsReader, type WindowsReaderDeps } from './windows-reader.ts'

const READERS: Readonly<Record<string, (deps: WindowsReaderDeps) => ServiceReader>> = {
  win32: createWindowsReader,
  linux: createSystemdReader,
}

/** `platform`: as `process.platform` has it. */
export function createServiceReader(deps: WindowsReaderDeps, platform: string): ServiceReader {
  return READERS[platform]?.(deps) ?? nothingToRead(platform)
}

function nothingToRead(platform: string): ServiceReader {
  const refusal = `services cannot be read on ${platform}`
  const refuse = () => Promise.reject(new Error(refusal))
  return { refusal: () => refusal, states: refuse, info: refuse }
}
