/** `footman init`: from a few answers to the files that a new installation needs. */

import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type WantedProperty, wantedProperties } from '../../app/config/custom-properties.ts'
import { findConfigFile } from '../../config/find.ts'
import { errorText } from '../../platform/errors.ts'
import { createFileAtomic, writeFileAtomic } from '../../platform/files.ts'
import { writePrivateFile } from '../../platform/private-file.ts'
import { logAppenderFile } from '../../qlik/log-appenders.ts'
import type { OptionsOf } from '../command.ts'
import { propertyTable, runCustomProperties } from '../custom-properties.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { programName } from '../program-name.ts'
import { confirm, type Prompt, PromptEnded } from '../prompt.ts'
import { quote } from '../service/plan.ts'
import {
  defaultAnswers,
  dependentDefaults,
  FIELDS,
  type Given,
  type InitAnswers,
  type InitField,
  type IsFree,
  listOf,
} from './answers.ts'
import type { INIT } from './command.ts'
import { answerProblems, certificatesText, configOf, configurationText } from './configuration.ts'

type InitOptions = OptionsOf<typeof INIT>

interface InitSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly execPath: string
  readonly platform: NodeJS.Platform
  readonly isFree: IsFree
  /** Null without a terminal to ask on. */
  readonly openPrompt: (() => Prompt) | null
}

/** 0 = written, 1 = wrong answers, a file is there already, or stopped by the person; then nothing was written. */
export async function runInit(
  given: Given,
  options: InitOptions,
  io: CommandIo,
  surroundings: InitSurroundings,
): Promise<number> {
  const file = resolve(surroundings.cwd, options.output)
  if (!/\.(ya?ml|json)$/i.test(file)) return refuse(io, `--output: "${options.output}" must end in .yaml or .yml`)
  const absolute = absolutePaths(given, surroundings.cwd)
  const there = options.force
    ? []
    : existing(plan(await defaultAnswers(absolute, { file, ...surroundings }), given, file))
  if (there.length > 0)
    return refuse(io, `${there.join(', ')}: there already; give --force to replace, or another --output`)
  const prompt = options.yes || !surroundings.openPrompt ? null : surroundings.openPrompt()
  try {
    return await withPrompt(prompt)
  } catch (error) {
    if (error instanceof PromptEnded) return refuse(io, 'stopped; nothing was written')
    throw error
  } finally {
    prompt?.close()
  }

  async function withPrompt(asking: Prompt | null): Promise<number> {
    const defaults = await defaultAnswers(absolute, { file, ...surroundings })
    const deps = { say: io.err, platform: surroundings.platform }
    const answers = asking ? await interview({ prompt: asking, ...deps }, absolute, defaults) : defaults
    const problems = answerProblems(answers)
    if (problems.length > 0) {
      for (const { key, message } of problems) io.err(`error: init: ${optionOf(key)} ${message}`)
      return EXIT.badInput
    }
    const files = plan(answers, given, file)
    if (asking) {
      io.err(`\nTo be written:\n${files.map(({ path }) => `  ${path}`).join('\n')}`)
      const isNew = existing(files).length === 0
      if (!(await confirm(asking, isNew ? 'Write these files?' : 'Write these files, some anew?', isNew)))
        return refuse(io, 'nothing was written')
    }
    try {
      await writeFiles(files, options.force === true, surroundings.platform)
    } catch (error) {
      return refuse(io, `cannot write: ${errorText(error)}: see that the folder can be written to`)
    }
    await report(answers, absolute, file, io, surroundings)
    return options.createCustomProperties ? createProperties(file, options, asking, io, surroundings) : EXIT.ok
  }
}

function refuse(io: CommandIo, why: string): number {
  io.err(`error: init: ${why}`)
  return EXIT.badInput
}

const optionOf = (key: keyof InitAnswers): string => `--${FIELDS.find((field) => field.key === key)?.option}`

/** Paths on the command line are those of the shell, not of the configuration's folder. */
function absolutePaths(given: Given, cwd: string): Given {
  const { certificates, logDirectory } = given
  return {
    ...given,
    ...(certificates !== undefined && { certificates: resolve(cwd, certificates) }),
    ...(logDirectory !== undefined && { logDirectory: resolve(cwd, logDirectory) }),
  }
}

function plan(answers: InitAnswers, given: Given, file: string): PlannedFile[] {
  const { qsHost, footmanHost, udpPort } = answers
  const readme = join(certificateFolder(answers, file), 'README.txt')
  return [
    { path: file, text: configurationText(answers), isPrivate: true },
    { path: appenderFile(file), text: logAppenderFile({ address: footmanHost, port: udpPort }) },
    // A folder given by option is named in the file, and not created.
    ...(given.certificates === undefined
      ? [{ path: readme, text: certificatesText(qsHost, footmanHost), keep: true }]
      : []),
  ]
}

async function report(
  answers: InitAnswers,
  given: Given,
  file: string,
  io: CommandIo,
  { isFree, platform, execPath, cwd, env }: InitSurroundings,
): Promise<void> {
  const certificates = certificateFolder(answers, file)
  const appender = appenderFile(file)
  io.out(`Configuration   ${file}\nLog appender    ${appender}\nCertificates    ${certificates}`)
  for (const line of await portRemarks(answers, given, isFree)) io.out(line)
  const wanted = wantedProperties(configOf(answers)!)
  const required = wanted.filter((one) => one.required)
  if (required.length > 0) {
    const table = propertyTable(required, [], { width: io.columns })
    io.out(`\nCustom properties that Qlik Sense must have:\n${table}`)
  }
  const found = await findConfigFile(undefined, env, cwd)
  const isFound = found.ok && found.file.path === file
  const command = (text: string) =>
    `${programName({ execPath, cwd, env, platform })} ${text}${isFound ? '' : ` -c ${quote(file, platform)}`}`
  io.out(`\n${nextSteps(answers, { configuration: file, appender, certificates }, wanted, { command, platform })}`)
}

const PORTS = [
  { key: 'udpPort', protocol: 'UDP', usual: 9998 },
  { key: 'restPort', protocol: 'TCP', usual: 8080 },
] as const

async function portRemarks(answers: InitAnswers, given: Given, isFree: IsFree): Promise<string[]> {
  const lines: string[] = []
  for (const { key, protocol, usual } of PORTS) {
    const port = answers[key]
    if (!(await isFree(protocol, port))) {
      lines.push(
        `${protocol} port ${port} is in use on this computer now: stop what uses it, or choose ${optionOf(key)}`,
      )
    } else if (given[key] === undefined && port !== usual) {
      lines.push(`${protocol} port ${port} is used, because ${usual} is taken on this computer`)
    }
  }
  return lines
}

async function createProperties(
  file: string,
  { yes = false }: InitOptions,
  prompt: Prompt | null,
  io: CommandIo,
  surroundings: InitSurroundings,
): Promise<number> {
  io.out('')
  const ask = prompt && ((question: string) => confirm(prompt, question))
  const options = { configfile: file, create: true, qsConnection: true, yes, timeout: CREATE_TIMEOUT_MS }
  return runCustomProperties([], options, io, { ...surroundings, confirm: ask })
}

const CREATE_TIMEOUT_MS = 30_000

interface InterviewDeps {
  readonly prompt: Prompt
  readonly say: (text: string) => void
  readonly platform: NodeJS.Platform
}

/** `defaults` are all answers as they would be without questions; what is in `given` is not asked for. */
export async function interview(
  { prompt, say, platform }: InterviewDeps,
  given: Given,
  defaults: InitAnswers,
): Promise<InitAnswers> {
  let answers = defaults
  const known: Record<string, unknown> = { ...given }

  async function ask(field: InitField): Promise<void> {
    const { key, question = '' } = field
    for (;;) {
      const shown = shownDefault(answers[key])
      const text = await prompt.ask(`${question}${shown === '' ? '' : ` [${shown}]`}: `)
      const value = text === '' ? answers[key] : parsed(field, text)
      const next = { ...answers, ...dependentDefaults({ ...known, [key]: value }, platform), ...known, [key]: value }
      const wrong = answerProblems(next as InitAnswers).find((problem) => problem.key === key)
      if (!wrong) {
        known[key] = value
        answers = next as InitAnswers
        return
      }
      say(`  ${wrong.message}`)
    }
  }

  for (const field of FIELDS) {
    if (field.question === undefined || field.key in given) continue
    if (field.asked && !field.asked(answers)) continue
    await ask(field)
  }
  return answers
}

function shownDefault(value: InitAnswers[keyof InitAnswers]): string {
  if (typeof value === 'boolean') return value ? 'Y/n' : 'y/N'
  return Array.isArray(value) ? value.join(', ') : String(value)
}

/** Converts a typed text to the type of the answer. A text instead of a number stays a text, which the check refuses. */
function parsed({ kind }: InitField, text: string): unknown {
  if (kind === 'switch') return /^y(es)?$/i.test(text)
  if (kind === 'list') return listOf(text)
  if (kind === 'tls') return text.toLowerCase()
  return kind === 'port' && /^\d+$/.test(text) ? Number(text) : text
}

interface WrittenFiles {
  readonly configuration: string
  readonly appender: string
  readonly certificates: string
}

const CERTIFICATE_FILES = ['client.pem', 'client_key.pem', 'root.pem']

/** `a, b and c`. */
const listed = (names: readonly string[]): string =>
  [names.slice(0, -1).join(', '), ...names.slice(-1)].filter((text) => text !== '').join(' and ')

const SCHEDULER_FOLDER = 'C:\\ProgramData\\Qlik\\Sense\\Scheduler'

function nextSteps(
  answers: InitAnswers,
  files: WrittenFiles,
  wanted: readonly WantedProperty[],
  { command, platform }: { readonly command: (text: string) => string; readonly platform: NodeJS.Platform },
): string {
  const isExplained = existsSync(join(files.certificates, 'README.txt'))
  const missing = CERTIFICATE_FILES.filter((name) => !existsSync(join(files.certificates, name)))
  const steps = [
    ...(missing.length > 0
      ? [
          `Copy ${listed(missing)} into ${files.certificates}${isExplained ? ' (README.txt there explains how to get them)' : ''}.`,
        ]
      : []),
    ...passwordStep(answers, files.configuration, platform),
    `Copy ${files.appender} to ${SCHEDULER_FOLDER} on every node that runs a scheduler,\n     and let UDP port ${answers.udpPort} through the firewall of this computer.`,
    ...(wanted.some(({ required }) => required)
      ? [`Create the custom properties:\n       ${command('custom-properties --create')}`]
      : []),
    `Check the file and every connection; nothing is sent:\n       ${command('doctor')}`,
    `Run it, and send a test alert from a second window:\n       ${command('run')}\n       ${command('fire --wait')}\n     The console is at http://localhost:${answers.restPort}/console/ while it runs.`,
    `Install the service:\n       ${command('service install')}`,
    'Set everything else in the console: destinations, rules, holidays, keys (docs/first-hour.md).',
  ]
  return `Next:\n${steps.map((step, index) => `  ${index + 1}. ${step}`).join('\n')}`
}

/** How the password of the mail server gets where the configuration looks for it. */
function passwordStep({ smtpUser, smtpPassword }: InitAnswers, file: string, platform: NodeJS.Platform): string[] {
  if (smtpUser === '') return []
  const [source, name] = [smtpPassword.replace(/:.*$/s, ''), smtpPassword.replace(/^[a-z]+:/, '')]
  if (source === 'env')
    return [`Set the environment variable ${name} to the password of ${smtpUser}, for the account of the service.`]
  if (source === 'credential') {
    return [
      `footman credential set ${name}${platform === 'win32' ? '' : ' (explains how)'}: the password of ${smtpUser}.`,
    ]
  }
  const path = resolve(dirname(file), name)
  return [
    `Write the password of ${smtpUser} to ${path}, readable by you only (chmod 600): service install opens it to its account.`,
  ]
}

/** The folder that the answer names, absolute. */
export const certificateFolder = ({ certificates }: InitAnswers, file: string): string =>
  resolve(dirname(file), certificates)

const appenderFile = (file: string): string => join(dirname(file), 'LocalLogConfig.xml')

interface PlannedFile {
  /** Absolute. */
  readonly path: string
  /** With `\n` at the ends of lines. */
  readonly text: string
  /** Left as it is when it is there, even with --force. */
  readonly keep?: boolean
  /** Readable by its owner and administrators only; others are to be copied to other computers. */
  readonly isPrivate?: boolean
}

/** Those that are there and would be replaced. */
export const existing = (files: readonly PlannedFile[]): string[] =>
  files.filter(({ keep, path }) => !keep && existsSync(path)).map(({ path }) => path)

/** All or none of them: with the error of the first that fails, with which it rejects, new ones are taken away again. */
export async function writeFiles(
  files: readonly PlannedFile[],
  force: boolean,
  platform: NodeJS.Platform,
): Promise<void> {
  const made: string[] = []
  try {
    for (const { path, text, keep, isPrivate } of files) {
      const isThere = existsSync(path)
      if (keep && isThere) continue
      await mkdir(dirname(path), { recursive: true, mode: 0o750 })
      const content = ends(text, platform)
      if (isPrivate) await writePrivateFile(path, content, { replace: force })
      else await (force ? writeFileAtomic : createFileAtomic)(path, content)
      if (!isThere) made.push(path)
    }
  } catch (error) {
    for (const path of made) await rm(path, { force: true }).catch(() => {})
    throw error
  }
}

/** The text with the line ends that editors of the platform expect. */
const ends = (text: string, platform: NodeJS.Platform): string =>
  platform === 'win32' ? text.replaceAll('\n', '\r\n') : text
