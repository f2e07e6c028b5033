/** Runs until something ends it; a program for the tests of signals and uncaught errors. */
import { createLogger } from '../../src/platform/log.ts'
import { watchProcess } from '../../src/platform/process-events.ts'

const [way = ''] = process.argv.slice(2)
const log = createLogger({ level: 'info', format: 'text', console: true })
const alive = setInterval(() => {}, 1000)
const events = watchProcess({
  log,
  stop: () => (way === 'hang' ? new Promise(() => {}) : Promise.resolve()),
  onHangup: () => log.info('read again'),
})
log.info('ready')
if (way === 'reject') {
  void Promise.reject(new Error('cause of the rejection'))
  setTimeout(() => events.end(0), 50)
}
if (way === 'throw') {
  setTimeout(() => {
    throw new Error('cause of the exception')
  }, 10)
}
const exitCode = await events.finished
clearInterval(alive)
log.info(`finished with ${exitCode}`)
await log.close()
process.exitCode = exitCode
events.release()
