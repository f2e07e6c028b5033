/** Sinks, folders and events that tests of named destinations share. */
import { type HttpSink, type SinkAnswer, startHttpSink } from './http-sink.ts'
import { exampleEvent, inputFor } from './named.ts'
import { type TempDirectory, tempDirectory } from './temp.ts'

const open: (() => Promise<void> | void)[] = []

/** For `afterEach`: closes what a test has opened. */
export async function closeSinks(): Promise<void> {
  for (const close of open.splice(0)) await close()
}

export async function sinkThat(answer: SinkAnswer = {}): Promise<HttpSink> {
  const sink = await startHttpSink()
  open.push(sink.stop)
  sink.answer(answer)
  return sink
}

export function folder(): TempDirectory {
  const directory = tempDirectory()
  open.push(directory.remove)
  return directory
}

export function recovered() {
  return inputFor(exampleEvent({ outcome: 'success', severity: 'info' }), { kind: 'recovery' })
}
