/** Programs of other projects that some tests run against: servers, a browser, tools. They are found, never installed. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { postgresPrograms } from './postgres-files.ts'

/** The loader of executables that are built for musl. */
export const MUSL_LOADER = '/lib/ld-musl-x86_64.so.1'

export interface TestServer {
  readonly name: string
  /** How to get it, for people. */
  readonly install: string
  /** Path of the executable, or null when it is not installed. */
  find(): string | null
}

/** Path of an executable on PATH or in the directories where Debian puts daemons; null when there is none. */
export function findExecutable(name: string): string | null {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  const names = process.platform === 'win32' ? [`${name}.exe`] : [name]
  for (const directory of directories.filter((entry) => entry !== '')) {
    for (const candidate of names.map((file) => join(directory, file))) {
      if (isExecutable(candidate)) return candidate
    }
  }
  return null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const SERVERS: readonly TestServer[] = [
  { name: 'mosquitto', install: 'apt-get install mosquitto', find: () => findExecutable('mosquitto') },
  { name: 'postgres', install: 'apt-get install postgresql', find: postgresPrograms },
  { name: 'influxd', install: 'apt-get install influxdb', find: () => findExecutable('influxd') },
  {
    name: 'victoria-metrics',
    install: 'apt-get install victoria-metrics',
    find: () => findExecutable('victoria-metrics'),
  },
  { name: 'promtool', install: 'apt-get install prometheus', find: () => findExecutable('promtool') },
  { name: 'chromium', install: 'apt-get install chromium', find: () => findExecutable('chromium') },
  { name: 'systemd-analyze', install: 'apt-get install systemd', find: () => findExecutable('systemd-analyze') },
  { name: 'unzip', install: 'apt-get install unzip', find: () => findExecutable('unzip') },
  { name: 'pdftotext', install: 'apt-get install poppler-utils', find: () => findExecutable('pdftotext') },
  { name: 'qpdf', install: 'apt-get install qpdf', find: () => findExecutable('qpdf') },
  {
    name: 'soffice',
    install: 'apt-get install --no-install-recommends libreoffice-calc libreoffice-writer libreoffice-impress',
    find: () => findExecutable('soffice'),
  },
  { name: 'ip', install: 'apt-get install iproute2', find: () => findExecutable('ip') },
  { name: 'gcc', install: 'apt-get install gcc', find: () => findExecutable('gcc') },
  { name: 'musl', install: 'apt-get install musl', find: () => (isExecutable(MUSL_LOADER) ? MUSL_LOADER : null) },
]
