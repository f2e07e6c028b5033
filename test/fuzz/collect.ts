/** Preloaded into the executable: SIGUSR2 collects garbage, so that what is left is what is kept. */
import process from 'node:process'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) process.on('SIGUSR2', () => Bun.gc(true))
