/** Writes many lines and exits in the way that the first argument names; a program for the tests of the log. */
import { createLogger } from '../../src/platform/log.ts'

const [way = 'exit', directory = ''] = process.argv.slice(2)
const log = createLogger({
  level: 'info',
  format: 'text',
  console: way !== 'file',
  ...(way === 'file' ? { file: { directory, maxFileSize: 1e9, keepMs: 1e12, maxTotalSize: 1e12 } } : {}),
})
for (let line = 1; line <= 20_000; line += 1) log.info(`line ${line} ${'x'.repeat(50)}`)
if (way === 'error') log.error('what went wrong')
if (way === 'close') await log.close()
process.exit(0)
