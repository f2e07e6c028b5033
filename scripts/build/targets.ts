/** The platforms that executables are made for. */
import process from 'node:process'

export interface Target {
  /** The name in file names: `linux-x64-musl`. */
  readonly name: string
  /** Bun's name for it. */
  readonly bun: Bun.Build.CompileTarget
  /** npm package that holds the runtime; version and checksum stand in package-lock.json. */
  readonly runtime: string
  readonly windows: boolean
  /** True where the test suite runs the executable; the others are built only. */
  readonly tested: boolean
}

const posix = (name: string, runtime: string, tested = false): Target => ({
  name,
  bun: `bun-${name}` as Bun.Build.CompileTarget,
  runtime: `@oven/bun-${runtime}`,
  windows: false,
  tested,
})

export const TARGETS: readonly Target[] = [
  { name: 'windows-x64', bun: 'bun-windows-x64', runtime: '@oven/bun-windows-x64', windows: true, tested: true },
  posix('linux-x64', 'linux-x64', true),
  posix('linux-arm64', 'linux-aarch64'),
  posix('linux-x64-musl', 'linux-x64-musl', true),
  posix('linux-arm64-musl', 'linux-aarch64-musl'),
  posix('darwin-x64', 'darwin-x64'),
  posix('darwin-arm64', 'darwin-aarch64'),
]

/** `footman-linux-x64`, `footman-windows-x64.exe`. */
export const executableName = ({ name, windows }: Target): string => `footman-${name}${windows ? '.exe' : ''}`

/** Name of the target that this machine is; for one without a target too. */
export function hostTarget(platform = process.platform, arch = process.arch, musl = isMusl()): string {
  const system = platform === 'win32' ? 'windows' : platform
  return `${system}-${arch}${platform === 'linux' && musl ? '-musl' : ''}`
}

function isMusl(): boolean {
  if (process.platform !== 'linux') return false
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return !header.glibcVersionRuntime
}

/** The target of that name. Throws with the names that exist. */
export function targetNamed(name: string): Target {
  const target = TARGETS.find((entry) => entry.name === name)
  if (target) return target
  throw new Error(`no target is called ${name}; there are ${TARGETS.map((entry) => entry.name).join(', ')}`)
}
