import { ZERO_GUID } from '../site.ts'
import type { SimTask } from '../types.ts'
import { type Call, empty, json, parseBody, Refusal, type Route, text } from './context.ts'

function task(call: Call): SimTask {
  const found = call.site.tasks.get(call.params[0] ?? '')
  if (!found) throw new Refusal(empty(404))
  return found
}

function taskByName(call: Call): SimTask {
  const name = call.query.get('name')?.toLowerCase()
  for (const one of call.site.tasks.values()) if (one.name.toLowerCase() === name) return one
  throw new Refusal(empty(404))
}

/** An asynchronous start says 204 whether or not anything begins. */
function start(call: Call, ...tasks: readonly SimTask[]) {
  for (const one of tasks) call.scheduler.start(one, call.caller.name)
  return empty(204)
}

/** The all-zero GUID means that nothing began. */
function startSynchronously(call: Call, one: SimTask) {
  return json(201, { value: call.scheduler.start(one, call.caller.name), schemaPath: 'Value' })
}

function startMany(call: Call) {
  const ids = parseBody(call)
  if (!Array.isArray(ids)) throw new Refusal(text(400, 'Invalid body'))
  const tasks = ids.map((id) => call.site.tasks.get(String(id).toLowerCase()))
  if (tasks.some((one) => one === undefined)) throw new Refusal(empty(404))
  return start(call, ...(tasks as SimTask[]))
}

function stop(call: Call) {
  call.scheduler.abort(task(call).id, call.caller.name)
  return empty(204)
}

/** Step one of the script log, in the form before (`reference`) and since May 2025 (`execution`). */
function scriptLogTicket(call: Call, by: 'reference' | 'execution') {
  const id = call.query.get(by === 'reference' ? 'filereferenceid' : 'executionresultid') ?? ''
  const ticket = task(call) && id !== ZERO_GUID ? call.scriptLogs.ticket(by, id) : null
  return ticket ? json(200, { value: ticket, schemaPath: 'Value' }) : empty(404)
}

function download(call: Call) {
  const log = call.scriptLogs.download(call.params[0] ?? '')
  if (log === null) return empty(404)
  return { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: log }
}

/** Start, stop and script logs. */
export const TASK_ROUTES: readonly Route[] = [
  { method: 'POST', path: 'task/<id>/start', handle: (call) => start(call, task(call)) },
  { method: 'POST', path: 'task/<id>/start/synchronous', handle: (call) => startSynchronously(call, task(call)) },
  { method: 'POST', path: 'task/start', handle: (call) => start(call, taskByName(call)) },
  { method: 'POST', path: 'task/start/synchronous', handle: (call) => startSynchronously(call, taskByName(call)) },
  { method: 'POST', path: 'task/start/many', handle: startMany },
  { method: 'POST', path: 'task/<id>/stop', handle: stop },
  {
    method: 'GET',
    path: 'reloadtask/<id>/scriptlog',
    everyone: true,
    handle: (call) => scriptLogTicket(call, 'reference'),
  },
  {
    method: 'GET',
    path: 'reloadtask/<id>/scriptlogfile',
    everyone: true,
    handle: (call) => scriptLogTicket(call, 'execution'),
  },
  { method: 'GET', path: 'download/reloadtask/<id>/<*>', everyone: true, handle: download },
]
