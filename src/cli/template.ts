/** `footman template`: the source of a built-in template, and what a template makes of a sample or of a stored event. */

import { writeFile } from 'node:fs/promises'
import { mailView } from '../alerts/destinations/email/view.ts'
import { parseObject } from '../alerts/destinations/json-text.ts'
import { EVENT } from '../alerts/history/contract.ts'
import { sampleEvent } from '../alerts/sample-event.ts'
import { type ContextLinks, type ContextSettings, contextLinks, templateContext } from '../alerts/template-context.ts'
import {
  BUILTIN_TEMPLATES,
  type BuiltinTemplate,
  EMAIL_PARTS,
  SLACK_TEMPLATE,
  TEAMS_TEMPLATE,
} from '../alerts/templates/builtin.ts'
import {
  createTemplateEngine,
  type TemplateContext,
  type TemplateEngine,
  type TemplateRef,
} from '../alerts/templates/engine.ts'
import type { Target } from '../alerts/templates/escape.ts'
import { TemplateError } from '../alerts/templates/source.ts'
import { unknownText, unknownVariables } from '../alerts/templates/unknown-variables.ts'
import { createTimeFormatter } from '../alerts/times.ts'
import { loadConfig } from '../app/config/load.ts'
import type { Config } from '../app/schema.ts'
import { createPathResolver } from '../config/paths.ts'
import { renderProblem, sortProblems } from '../config/problems.ts'
import type { EventOutcome, EventType } from '../events/types.ts'
import { VERSION } from '../platform/version.ts'
import type { OptionsOf } from './command.ts'
import type { TEMPLATE_PREVIEW } from './commands.ts'
import { type CommandIo, EXIT } from './io.ts'
import { CommandFailure, OLD, withRemote } from './remote/client.ts'
import { wholeId } from './remote/names.ts'

export type PreviewOptions = OptionsOf<typeof TEMPLATE_PREVIEW>

interface Found {
  readonly ref: TemplateRef
  readonly target: Target
}

/** Default outcome of a sample, by type of event. */
const TYPICAL: Partial<Record<EventType, EventOutcome>> = { service: 'stopped', license: 'expiring', self: 'raised' }
const SAMPLE_LINKS: ContextLinks = {
  qlikSenseUrls: {
    qmc: 'https://qlik.sample.example/qmc',
    hub: 'https://qlik.sample.example/hub',
    appBaseUrl: 'https://qlik.sample.example/sense/app',
  },
  cloudUrls: {
    qmc: 'https://sample.eu.qlikcloud.com/console',
    hub: 'https://sample.eu.qlikcloud.com/analytics/home',
  },
  genericUrls: [],
}

/** 0 rendered, 1 arguments, 2 Footman not reached, 3 an error in the template or no such event. */
export async function runTemplatePreview(name: string, options: PreviewOptions, io: CommandIo): Promise<number> {
  try {
    const { engine, context } = await surroundings(options)
    const template = await findTemplate(engine, name, options)
    const record = options.event === undefined ? sampleRecord(options, context) : null
    if (record) return await finish(engine, template, record, options, io)
    return await withRemote(options, io, async (remote) => {
      const { record } = await remote.ask(EVENT, {
        params: { id: await wholeId(remote, 'event', options.event!) },
        what: `event ${options.event}`,
        switchedOff: OLD,
        missing: { code: 'EVENT_NOT_FOUND', why: 'Footman has no such event (any more)' },
      })
      return finish(engine, template, record, options, io)
    })
  } catch (error) {
    return report(error, io)
  }
}

function report(error: unknown, io: CommandIo): number {
  if (error instanceof CommandFailure) {
    io.err(`error: ${error.what}: ${error.message}`)
    return error.exitCode
  }
  if (!(error instanceof TemplateError)) throw error
  io.err(`error: template error: ${error.message}`)
  return EXIT.missing
}

async function finish(
  engine: TemplateEngine,
  { ref, target }: Found,
  record: TemplateContext,
  { output, json }: PreviewOptions,
  io: CommandIo,
): Promise<number> {
  if (ref.kind === 'found') {
    for (const unknown of unknownVariables(ref.source, Object.keys(record))) {
      io.err(`warning: ${ref.source.file}: ${unknownText(unknown)}`)
    }
  }
  try {
    const isMail = target === 'html' || target === 'text'
    const text = engine.render(ref, isMail ? { ...record, view: mailView(record) } : record, target)
    if (target === 'slack' || target === 'teams') parseObject(text, nameOf(ref))
    const shown = json ? JSON.stringify({ target, text }) : text.trimEnd()
    if (output === undefined) io.out(shown)
    else await write(output, `${shown}\n`)
    return EXIT.ok
  } catch (error) {
    return report(error, io)
  }
}

async function write(output: string, text: string): Promise<void> {
  await writeFile(output, text).catch((error: Error) => {
    throw new CommandFailure(EXIT.badInput, '--output', error.message)
  })
}

function nameOf(ref: TemplateRef): string {
  return ref.kind === 'found' ? ref.source.file : ref.name
}

/** The configuration when there is one, for links, time zone and folders; a named one must be good. */
async function surroundings({ configfile }: PreviewOptions) {
  const file = configfile ?? process.env.FOOTMAN_CONFIGFILE
  const cwd = process.cwd()
  const { config, problems, directory } = await loadConfig({
    file,
    env: process.env,
    cwd,
    overrides: { qlikConnection: false },
  })
  if (!config && file !== undefined) {
    throw new CommandFailure(EXIT.badInput, file, sortProblems(problems).map(renderProblem).join('\n'))
  }
  const paths = createPathResolver({ configDirectory: directory, cwd })
  const engine = createTemplateEngine({
    candidates: (path) => paths.candidates(path),
    ...(config ? { templateDirectory: config.footman.templateDirectory } : {}),
  })
  const timeZone = config?.footman.timezone
  const times = createTimeFormatter(timeZone ? { timeZone } : {})
  return { engine, context: { ...linksOf(config), version: VERSION, times, now: Date.now() } }
}

/** Those of the configuration, and samples where it has none. */
function linksOf(config: Config | null | undefined): ContextLinks {
  if (!config) return SAMPLE_LINKS
  const own = contextLinks(config)
  return {
    qlikSenseUrls: own.qlikSenseUrls.hub ? own.qlikSenseUrls : SAMPLE_LINKS.qlikSenseUrls,
    cloudUrls: own.cloudUrls?.hub || own.cloudUrls?.qmc ? own.cloudUrls : SAMPLE_LINKS.cloudUrls!,
    genericUrls: own.genericUrls,
  }
}

/** A file wins over a built-in template of the same name. */
async function findTemplate(engine: TemplateEngine, name: string, { as }: PreviewOptions): Promise<Found> {
  const file = await engine.findFile(name)
  if (file?.kind === 'found') return { ref: file, target: as ?? guessTarget(name, file.source.text) }
  const builtin = builtinTemplate(name)
  if (builtin === null) {
    const why = `there is no such file (it must end in .eta, .handlebars or .hbs), and the built-in templates are ${BUILTIN_NAMES.join(', ')}`
    throw new CommandFailure(EXIT.badInput, `template ${name}`, why)
  }
  const target = as ?? guessTarget(name, '')
  return { ref: 'mail' in builtin ? await engine.findBuiltin(builtin.mail) : builtin.chat, target }
}

function sampleRecord({ type = 'reload', outcome, lines }: PreviewOptions, context: ContextSettings): TemplateContext {
  const event = sampleEvent('sample', outcome ?? TYPICAL[type] ?? 'failed', context.now, type)
  return templateContext(event, context, { headLines: lines, tailLines: lines }, 'slash')
}

/** Slack's blocks; Adaptive Cards have none. */
const BLOCKS = /"blocks"\s*:|"text"\s*:\s*"/

/**
 * By folder or file name (`slack/`, `teams_templates/`, `.txt.eta`), else by content: what begins like a JSON object is
 * a chat message, everything else an HTML mail.
 */
function guessTarget(name: string, source: string): Target {
  const path = name.toLowerCase().replaceAll('\\', '/')
  if (/\.txt(\.\w+)?$/.test(path)) return 'text'
  if (/slack/.test(path)) return 'slack'
  if (/teams/.test(path)) return 'teams'
  if (!/^\s*\{(?!\{)/.test(withoutTags(source))) return 'html'
  return BLOCKS.test(source) ? 'slack' : 'teams'
}

/** Without what a template does before it writes something. */
function withoutTags(source: string): string {
  return source.replace(/^(?:\s*(?:<%[\s\S]*?%>|\{\{!(?:--[\s\S]*?--|[\s\S]*?)\}\}))+/, '')
}

const CHAT = { 'slack/alert': SLACK_TEMPLATE, 'teams/alert': TEAMS_TEMPLATE } as const

/** Templates that can be rendered. */
const BUILTIN_NAMES: readonly string[] = [...Object.keys(BUILTIN_TEMPLATES), ...Object.keys(CHAT)]

/** Templates that can be shown. */
const BUILTIN_SOURCES: ReadonlyMap<string, string> = new Map([
  ...[...EMAIL_PARTS].map(([name, text]) => [`email/${name}`, text] as const),
  ...Object.entries(CHAT).map(([name, { source }]) => [name, source] as const),
])

/** Null when there is none of that name. */
function builtinTemplate(name: string): { readonly mail: BuiltinTemplate } | { readonly chat: TemplateRef } | null {
  const short = name.replace(/\.eta$/, '')
  if (short in BUILTIN_TEMPLATES) return { mail: short as BuiltinTemplate }
  return short in CHAT ? { chat: CHAT[short as keyof typeof CHAT].ref } : null
}

export function runTemplateShow(name: string, io: CommandIo): number {
  const source = BUILTIN_SOURCES.get(name.replace(/\.eta$/, ''))
  if (source !== undefined) {
    io.out(source.trimEnd())
    return EXIT.ok
  }
  io.err(
    `error: template ${name}: there is no built-in template of this name; there are ${[...BUILTIN_SOURCES.keys()].join(', ')}`,
  )
  return EXIT.badInput
}
