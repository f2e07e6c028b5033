/** Starting a task so that "started" is proven by an execution id where the server can give one. */
import { isGuid } from '../../platform/uuid.ts'
import { toValue } from './normalise.ts'
import type { QrsTransport } from './transport.ts'
import { type StartResult, ZERO_GUID } from './types.ts'

const refused = (reason: string): StartResult => ({ started: false, reason })

/** Never repeated: a start without an answer may have been carried out. */
export async function startTask(transport: QrsTransport, taskId: string, signal?: AbortSignal): Promise<StartResult> {
  if (!isGuid(taskId)) return refused('the task id is not a GUID')
  const request = {
    method: 'POST',
    path: `task/${taskId}/start/synchronous`,
    body: {},
    expected: [200, 201, 404, 405],
    signal,
  } as const
  const response = await transport.request(request)
  if (response.status === 404 || response.status === 405) return startWithoutProof(transport, taskId, signal)
  const executionId = readExecutionId(response.text())
  if (executionId === null) throw transport.unusable(request, 'the answer holds no execution id')
  if (executionId === ZERO_GUID) {
    return refused('Qlik Sense did not start the task (disabled, already running, or no scheduler is available)')
  }
  return { started: true, executionId }
}

/** For servers that lack the synchronous form; it also reports an unknown task. */
async function startWithoutProof(transport: QrsTransport, taskId: string, signal?: AbortSignal): Promise<StartResult> {
  const path = `task/${taskId}/start`
  const expected = [200, 201, 204, 404]
  const response = await transport.request({ method: 'POST', path, body: {}, expected, signal })
  return response.status === 404 ? refused('the task does not exist') : { started: true, executionId: null }
}

/** `{"value": "<guid>"}`, or the bare GUID in quotes. */
function readExecutionId(text: string): string | null {
  try {
    const json: unknown = JSON.parse(text)
    const id = typeof json === 'string' ? json : toValue(json)
    return id !== null && isGuid(id) ? id : null
  } catch {
    return null
  }
}
