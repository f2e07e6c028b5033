/**
 * Preloaded into the executable: SIGUSR2 collects garbage and tells the size of what is left in bytes: of the objects, and of
 * the code compiled for functions that run often, which grows with the time and not with what is kept.
 */
import { heapStats } from 'bun:jsc'
import process from 'node:process'
import { isMainThread } from 'node:worker_threads'

interface Snapshot {
  /** Four numbers a node: id, size, index of the class name, flags. */
  readonly nodes: readonly number[]
  readonly nodeClassNames: readonly string[]
}

function codeSize(): number {
  const { nodes, nodeClassNames } = Bun.generateHeapSnapshot() as unknown as Snapshot
  let sum = 0
  for (let at = 0; at < nodes.length; at += 4) {
    if (/CodeBlock$/.test(nodeClassNames[nodes[at + 2] ?? -1] ?? '')) sum += nodes[at + 1] ?? 0
  }
  return sum
}

if (isMainThread) {
  process.on('SIGUSR2', () => {
    Bun.gc(true)
    const { heapSize } = heapStats()
    const code = codeSize()
    process.stderr.write(`heap ${heapSize - code} ${code}\n`)
  })
}
