// `node scripts/bun.mjs FILE ARGS...`: sets the clone up, then runs FILE with the Bun of this repository.
import process from 'node:process'
import { runInForeground } from './run.mjs'
import { setup } from './setup.mjs'

runInForeground(setup(), ['--no-env-file', ...process.argv.slice(2)])
