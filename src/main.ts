/** The entry of every thread: the program on the main thread, a role of it in a worker. */
import { servePackedChunks } from './platform/assets.ts'
import { workerRole } from './platform/worker.ts'

servePackedChunks()
// Imported when needed: a worker thread loads only what its role uses.
const role = workerRole()
if (role) {
  const { runRole } = await import('./app/roles.ts')
  await runRole(role)
} else {
  const { runProgram } = await import('./cli/program.ts')
  await runProgram(process.argv.slice(2))
}
