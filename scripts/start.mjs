// `npm start`: from a fresh clone to a running demo. `npm start -- ARGS` passes ARGS to `footman demo`.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { runInForeground } from './run.mjs'
import { root, setup } from './setup.mjs'

if (process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h')) {
  console.log(`npm start [-- OPTIONS]

Sets the clone up, builds the executable and runs the demo: Footman with a simulated site.

  --port N         port of the REST API (default: 8080, or a free one)
  --duration S     stop after so many seconds
  --loglevel L     also show log lines of this level and above`)
  process.exit(0)
}

const build = spawnSync(setup(), ['--no-env-file', 'scripts/build.ts'], { cwd: root, stdio: 'inherit' })
if (build.status !== 0) process.exit(build.status ?? 1)
const binary = join(root, 'dist', process.platform === 'win32' ? 'footman.exe' : 'footman')
runInForeground(binary, ['demo', ...process.argv.slice(2)])
