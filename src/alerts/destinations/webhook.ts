/** Any HTTP API: the whole event as JSON, or the output of a template; signed when the settings hold a secret. */

import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { choice, file, requiredHttpUrl, text } from '../../config/fields.ts'
import { offsetOfFault } from '../../platform/json.ts'
import { runOf } from '../../qlik/qrs/execution.ts'
import { STATUS_TEXTS } from '../../qlik/qrs/status.ts'
import { NEVER, type QrsCustomProperty } from '../../qlik/qrs/types.ts'
import { appIdOf, appNameOf, taskNameOf } from '../message-text/labels.ts'
import type { AlertText } from '../message-text/writer.ts'
import type { TemplateEngine, TemplateRef } from '../templates/engine.ts'
import { placeOf, TemplateError } from '../templates/source.ts'
import { hostOf, httpDestination, secretsOfUrl } from './http.ts'
import { httpHeaders, problemsIn, type SettingsOf } from './settings.ts'
import { type DestinationDeps, type HttpRenderInput, TEXT_NEEDS } from './types.ts'

const config = () => ({
  url: requiredHttpUrl('Address to call.').meta({
    label: 'Address',
    hint: 'Called with each message; the documentation of the receiver has it.',
    secret: true,
  }),
  method: choice('HTTP method.', ['POST', 'PUT', 'PATCH'], 'POST').meta({
    label: 'HTTP method',
    hint: 'POST, unless the receiver wants another one.',
    advanced: true,
  }),
  headers: httpHeaders(),
  contentType: text('Content type of the body.', 'application/json').meta({
    label: 'Content type',
    hint: 'Of the body, like application/json or text/plain.',
    advanced: true,
  }),
  body: text('Template of the body.', '', { defaultText: 'the whole event as JSON' }).meta({
    label: 'Body',
    hint: 'A template, like {"text": "{{title}}"}; empty = the whole event as JSON.',
    control: 'area',
    advanced: true,
  }),
  template: file('File with the template of the body.').meta({
    label: 'File with the body',
    hint: 'A template on this machine. Only the configuration file may name one.',
    advanced: true,
  }),
  signingSecret: z
    .string()
    .refine((value) => value === '' || /^whsec_[A-Za-z0-9+/]+=*$/.test(value), {
      error: 'must be whsec_ followed by base64',
    })
    .default('')
    .meta({
      description: 'Secret of the Standard Webhooks signature.',
      label: 'Signing secret',
      hint: 'Signs each call (Standard Webhooks): whsec_ followed by base64.',
      secret: true,
      advanced: true,
    }),
})
type Settings = SettingsOf<typeof config>

export const webhook = httpDestination({
  title: 'Webhook',
  about: 'A call of any HTTP API, with the whole event or a body of your own.',
  purpose: 'alert',
  config,
  problem: ({ body, template }) =>
    body && template ? ['template', 'is not used beside body: remove one of them'] : null,
  check: (settings, { engine, name, sample }) =>
    problemsIn(settings.body ? 'body' : 'template', async () => {
      await templateBody(await sample(), settings, engine, name)
    }),
  server: ({ url }) => ['url', url],
  create: (settings, deps, name) => {
    const { url, method, headers, contentType, signingSecret } = settings
    return {
      needs: TEXT_NEEDS,
      // A program reads it: JSON and the template escape the values.
      escaped: (text) => text,
      target: hostOf(url),
      secrets: [...secretsOfUrl(url), ...Object.values(headers), signingSecret],
      async render(input) {
        const body = await bodyOf(input, settings, deps, name)
        const type = { 'Content-Type': contentType, ...headers }
        if (!signingSecret) return { url, method, headers: type, body }
        const seconds = Math.floor(deps.clock.now() / 1000)
        return { url, method, headers: { ...type, ...signature(signingSecret, input.deliveryId, seconds, body) }, body }
      },
    }
  },
})

/** The three headers of Standard Webhooks; `seconds` since 1970. The secret is `whsec_` and base64. */
export function signature(secret: string, id: string, seconds: number, body: string): Record<string, string> {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const digest = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${digest}` }
}

/** A template that fails, or makes broken JSON, is replaced by the whole event, which says so. */
async function bodyOf(
  input: HttpRenderInput,
  settings: Settings,
  deps: DestinationDeps,
  name: string,
): Promise<string> {
  if (input.note?.body !== undefined) return input.note.body
  try {
    const body = await templateBody(input, settings, deps.engine, name)
    return body ?? JSON.stringify(wholeEvent(input, input.text))
  } catch (error) {
    return JSON.stringify(wholeEvent(input, deps.texts.withProblem(input.text, error)))
  }
}

/** The output of the settings' template; null when there is none. Rejects when it fails or makes broken JSON. */
async function templateBody(
  input: HttpRenderInput,
  settings: Settings,
  engine: TemplateEngine,
  name: string,
): Promise<string | null> {
  const template = await templateOf(settings, engine, name)
  if (!template) return null
  const isJson = /\bjson\b/i.test(settings.contentType)
  const body = engine.render(template, templateVariables(input), isJson ? 'teams' : 'text')
  if (isJson) mustBeJson(body, name)
  return body
}

function mustBeJson(text: string, name: string): void {
  try {
    JSON.parse(text)
  } catch {
    const place = placeOf(`body of destination ${name} (rendered)`, text, offsetOfFault(text))
    throw new TemplateError(place, 'the rendered text is not valid JSON')
  }
}

async function templateOf(settings: Settings, engine: TemplateEngine, name: string): Promise<TemplateRef | null> {
  const { body, template } = settings
  if (body) return { kind: 'inline', name: `body of destination ${name}`, text: body }
  if (!template) return null
  const found = await engine.findFile(template)
  if (!found) throw new Error(`there is no template ${template} (it must end in .eta, .handlebars or .hbs)`)
  return found
}

function templateVariables(input: HttpRenderInput) {
  return { ...wholeEvent(input, input.text), ...input.text.variables }
}

/** Members are only ever added, at the end. */
function wholeEvent(input: HttpRenderInput, text: AlertText) {
  const { event, deliveryId, kind, severity, rule, suppressed, note } = input
  return {
    version: 1,
    id: deliveryId,
    eventId: event.id,
    kind,
    type: event.type,
    outcome: event.outcome,
    severity,
    key: text.key,
    route: rule.name,
    time: iso(event.receivedAt),
    title: text.title,
    text: text.text,
    host: event.host,
    user: String(text.variables.user ?? ''),
    message: event.logMessage,
    task: taskOf(input),
    app: appOf(input),
    execution: executionOf(input),
    consecutiveFailures: event.history?.consecutiveFailures ?? 0,
    suppressedCount: suppressed,
    retry: event.retry && { attempt: event.retry.attempt, max: event.retry.max, nextAt: iso(event.retry.nextAt) },
    chain: note?.chain ?? null,
    missingParts: event.missingParts,
    links: text.links,
    ...(kind === 'summary' && ABOUT_NOTHING),
    ...(kind === 'summary' && { key: `footman:summary:${rule.name}` }),
  }
}

/** A summary is about many subjects: the fields of the last event are empty. */
const ABOUT_NOTHING = {
  type: null,
  outcome: null,
  host: '',
  user: '',
  message: '',
  task: null,
  app: null,
  execution: null,
  consecutiveFailures: 0,
  suppressedCount: 0,
  retry: null,
  chain: null,
  missingParts: [],
  links: [],
}

function taskOf({ event }: HttpRenderInput) {
  if (!event.taskId) return null
  const { taskId: id, task } = event
  const tags = (task?.tags ?? []).map((tag) => tag.name)
  return { id, name: taskNameOf(event), tags, customProperties: properties(task?.customProperties) }
}

function properties(list: readonly QrsCustomProperty[] = []) {
  return list.map(({ definition, value }) => ({ name: definition.name, value }))
}

function appOf({ event, text }: HttpRenderInput) {
  const id = appIdOf(event)
  if (!id) return null
  const owner = event.app?.owner
  return {
    id,
    name: appNameOf(event),
    stream: event.app?.stream?.name ?? null,
    owner: owner ? `${owner.userDirectory}\\${owner.userId}` : null,
    url: String(text.variables.appUrl ?? ''),
  }
}

function executionOf({ event }: HttpRenderInput) {
  const { executionId: id, execution } = event
  if (!id) return null
  const run = execution && runOf(execution)
  return {
    id,
    node: execution?.executingNodeName ?? event.node ?? null,
    statusText: execution ? (STATUS_TEXTS[execution.status] ?? null) : null,
    startedAt: known(run?.startTime),
    stoppedAt: known(run?.stopTime),
    durationMs: run?.durationMs ?? null,
  }
}

function known(time: string | undefined): string | null {
  return time && time !== NEVER ? time : null
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
