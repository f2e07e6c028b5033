/** Locks the directory of its first argument and holds it until it is killed. */
import { lockDirectory } from '../../src/platform/lock.ts'

lockDirectory(process.argv[2] ?? '')
// A lock that only a forgotten object holds would go with the garbage.
globalThis.gc?.()
Bun.gc(true)
console.log('locked')
setInterval(() => {}, 1000)
