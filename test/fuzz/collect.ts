/** Preloaded into the executable: SIGUSR2 collects garbage and tells the size of what is left, in bytes. */
import { heapStats } from 'bun:jsc'
import process from 'node:process'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) {
  process.on('SIGUSR2', () => {
    Bun.gc(true)
    process.stderr.write(`heap ${heapStats().heapSize}\n`)
  })
}
