/**
 * Programs of other projects that some tests run against: servers, a browser, tools. They are found, never installed. A test
 * file declares those that it uses in one line, `needs('influxd')`; the runner reads that line and skips the file where one is
 * missing.
 */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { postgresPrograms } from './postgres-files.ts'

/** The loader of executables that are built for musl. */
export const MUSL_LOADER = '/lib/ld-musl-x86_64.so.1'

interface Program {
  readonly name: string
  /** Debian's packages that bring it. */
  readonly packages: string
  /** Where it is not on PATH under its own name. */
  readonly find?: () => string | null
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

export const SERVERS = [
  { name: 'mosquitto', packages: 'mosquitto' },
  { name: 'postgres', packages: 'postgresql', find: postgresPrograms },
  { name: 'influxd', packages: 'influxdb' },
  { name: 'victoria-metrics', packages: 'victoria-metrics' },
  { name: 'prometheus', packages: 'prometheus' },
  { name: 'promtool', packages: 'prometheus' },
  // The browser without a window takes a third of the processor time of the one with windows that are not shown.
  {
    name: 'chromium',
    packages: 'chromium-headless-shell',
    find: () => findExecutable('chromium-headless-shell') ?? findExecutable('chromium'),
  },
  { name: 'systemd-analyze', packages: 'systemd' },
  { name: 'minisign', packages: 'minisign' },
  { name: 'unzip', packages: 'unzip' },
  { name: 'curl', packages: 'curl' },
  { name: 'pdftotext', packages: 'poppler-utils' },
  { name: 'qpdf', packages: 'qpdf' },
  { name: 'soffice', packages: 'libreoffice-calc libreoffice-writer libreoffice-impress' },
  { name: 'ip', packages: 'iproute2' },
  { name: 'gcc', packages: 'gcc libc6-dev' },
  { name: 'musl', packages: 'musl', find: () => (isExecutable(MUSL_LOADER) ? MUSL_LOADER : null) },
  { name: 'wine', packages: 'wine wine64' },
  { name: 'x86_64-w64-mingw32-gcc', packages: 'gcc-mingw-w64-x86-64' },
] as const satisfies readonly Program[]

export type ServerName = (typeof SERVERS)[number]['name']

/** Beside the servers: `quiet` is a machine that does nothing else, for files that measure time. They run alone, at the end. */
export type Need = ServerName | 'quiet'

const declared = new Set<Need>()

/**
 * Declares what a test file uses: one line at its top level, with the names as literals, because the runner reads the source.
 * Throws where a program is missing, for a file that is run without the runner.
 */
export function needs(...names: readonly Need[]): void {
  for (const name of names) declared.add(name)
  const gaps = lackingPrograms(names)
  if (gaps.length > 0) throw new Error(`this test file needs ${gaps.join(', ')}`)
}

/** The arguments of `needs` in a source text; throws with the name when one is unknown. */
export function declaredNeeds(source: string): Need[] {
  const lines = [...source.matchAll(/^needs\(([^)]*)\)/gm)]
  const names = lines.flatMap(([, list = '']) => [...list.matchAll(/'([^']*)'/g)].map(([, name = '']) => name))
  return names.map((name) => {
    if (name !== 'quiet' && !SERVERS.some((server) => server.name === name))
      throw new Error(`needs('${name}') is unknown`)
    return name as Need
  })
}

const find = (server: Program): string | null => (server.find ? server.find() : findExecutable(server.name))

const installing = ({ packages }: Program): string => `apt-get install --no-install-recommends ${packages}`

/** The programs among the needs that this machine lacks, each with the way to get it. */
export const lackingPrograms = (names: readonly Need[]): string[] =>
  SERVERS.filter((server) => names.includes(server.name) && find(server) === null).map(
    (server) => `${server.name} (${installing(server)})`,
  )

/** Debian's packages of all programs that this machine lacks. */
export const lackingPackages = (): string[] => [
  ...new Set(SERVERS.filter((server) => find(server) === null).flatMap(({ packages }) => packages.split(' '))),
]

/** Path of a program. Throws when it is missing, and in a test file that does not declare it. */
export function program(name: ServerName): string {
  if (process.env.NODE_ENV === 'test' && !declared.has(name)) {
    throw new Error(`this test file uses ${name}: write needs('${name}') below its imports`)
  }
  const server = SERVERS.find((one) => one.name === name)!
  const path = find(server)
  if (path === null) throw new Error(`${name} is not installed (${installing(server)})`)
  return path
}
