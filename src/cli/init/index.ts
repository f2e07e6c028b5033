/** `footman init`: from a few answers to the files that a new installation needs. */
import { join, resolve } from 'node:path'
import { wantedProperties } from '../../config/custom-properties.ts'
import { logAppenderFile } from '../../qlik/log-appenders.ts'
import { runCustomProperties } from '../custom-properties/index.ts'
import { propertyTable } from '../custom-properties/report.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { confirm, type Prompt, PromptEnded } from '../prompt.ts'
import { FIELDS, type InitAnswers } from './answers.ts'
import { certificatesText } from './certificates-text.ts'
import { configurationText } from './configuration.ts'
import { defaultAnswers, type Given } from './defaults.ts'
import { existing, type PlannedFile, writeFiles } from './files.ts'
import { interview } from './interview.ts'
import { appenderFile, certificateFolder, nextSteps } from './next-steps.ts'
import type { IsFree } from './ports.ts'
import { answerProblems, configOf } from './validate.ts'

export interface InitOptions {
  readonly output: string
  readonly force?: boolean
  /** Ask nothing. */
  readonly yes?: boolean
  /** Also create missing custom properties in Qlik Sense, after a question. */
  readonly createCustomProperties?: boolean
}

export interface InitSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly execPath: string
  readonly platform: NodeJS.Platform
  readonly isFree: IsFree
  /** Null where nobody can be asked. */
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
        return refuse(io, 'nothing was written, as you wished')
    }
    try {
      await writeFiles(files, options.force === true, surroundings.platform)
    } catch (error) {
      return refuse(io, `cannot write: ${(error as Error).message}: see that the folder can be written to`)
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
    // A folder of somebody's own is only named, not furnished.
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
  { isFree, platform }: InitSurroundings,
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
  io.out(`\n${nextSteps(answers, { configuration: file, appender, certificates }, wanted, platform)}`)
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
      lines.push(`${protocol} port ${port} was taken, as ${usual} is in use on this computer`)
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
  const options = { configfile: file, create: true, yes, timeout: CREATE_TIMEOUT_MS }
  return runCustomProperties([], options, io, { ...surroundings, confirm: ask })
}

const CREATE_TIMEOUT_MS = 30_000
