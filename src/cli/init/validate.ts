/** Whether answers make a configuration that Footman accepts. */
import { parse } from 'yaml'
import { isEmailAddress } from '../../alerts/recipients.ts'
import { parseConfig } from '../../app/config/parse.ts'
import type { Config } from '../../app/schema.ts'
import { isHost } from '../../config/fields/network.ts'
import { findingsOf } from '../../config/issues.ts'
import { FIELDS, type InitAnswers, SMTP_TLS } from './answers.ts'
import { configurationText } from './configuration.ts'

export interface AnswerProblem {
  readonly key: keyof InitAnswers
  readonly message: string
}

/** Control characters and what else is no part of one line. */
const NO_LINE = /[\p{Cc}\p{Cs}\u2028\u2029\ufeff]/u

/** Everything that is wrong, in the order of the table; empty = nothing. */
export function answerProblems(answers: InitAnswers): AnswerProblem[] {
  const unwritable = FIELDS.filter(({ key }) => [answers[key]].flat().some((value) => NO_LINE.test(String(value))))
  if (unwritable.length > 0) return unwritable.map(({ key }) => ({ key, message: 'must be one line of text' }))
  const found = [...essentials(answers), ...addresses(answers), ...ofSchema(answers)]
  return FIELDS.flatMap(({ key }) => found.filter((problem) => problem.key === key).slice(0, 1))
}

/** Null when there are problems. */
export function configOf(answers: InitAnswers): Config | null {
  const parsed = parsedConfig(answers)
  return 'config' in parsed ? parsed.config : null
}

function* essentials(answers: InitAnswers): Generator<AnswerProblem> {
  const { qsHost, footmanHost, mailTo, smtpHost, smtpUser, smtpPassword } = answers
  if (qsHost === '') yield { key: 'qsHost', message: 'is needed: the host name of the central Qlik Sense node' }
  if (footmanHost === '') yield { key: 'footmanHost', message: 'is needed: Qlik Sense sends its messages to it' }
  else if (!isHost(footmanHost))
    yield { key: 'footmanHost', message: `must be a host or an address, found "${footmanHost}"` }
  if (!SMTP_TLS.includes(answers.smtpTls)) yield { key: 'smtpTls', message: `must be ${SMTP_TLS.join(', ')}` }
  if (mailTo.length > 0 && smtpHost === '') yield { key: 'smtpHost', message: 'is needed to send mails' }
  if (smtpUser !== '' && !/^(env|credential):[A-Za-z0-9._-]+$|^file:./.test(smtpPassword)) {
    yield { key: 'smtpPassword', message: 'must be credential:NAME, env:NAME or file:PATH, not the password itself' }
  }
}

/** The schema takes any scheme; channels are reached over HTTP. */
const isWebhook = (text: string): boolean => text === '' || /^https?:\/\/[^/]|^(env|file|credential):./i.test(text)

function* addresses({ mailTo, mailFrom, slackUrl, teamsUrl }: InitAnswers): Generator<AnswerProblem> {
  for (const [key, url] of Object.entries({ slackUrl, teamsUrl } as const)) {
    if (isWebhook(url)) continue
    yield {
      key: key as 'slackUrl' | 'teamsUrl',
      message: `must be an https address, or env:NAME, file:PATH or credential:NAME, found "${url}"`,
    }
  }
  const wrong = mailTo.find((address) => !isEmailAddress(address))
  if (wrong !== undefined) yield { key: 'mailTo', message: `"${wrong}" is not a mail address` }
  const sender = /<([^<>]*)>\s*$/.exec(mailFrom)?.[1] ?? mailFrom
  if (mailTo.length > 0 && !isEmailAddress(sender)) {
    yield { key: 'mailFrom', message: `"${mailFrom}" holds no mail address` }
  }
}

function ofSchema(answers: InitAnswers): AnswerProblem[] {
  const parsed = parsedConfig(answers)
  if ('config' in parsed) return []
  return findingsOf(parsed.issues).flatMap(({ path, message }) => {
    const written = path.filter((step) => typeof step === 'string').join('.')
    const field = FIELDS.find(({ paths }) =>
      paths.some((known) => written === known || written.startsWith(`${known}.`)),
    )
    // An answer that no field stands for would be a mistake of the generator; it must not go unnoticed.
    return [{ key: field?.key ?? 'qsHost', message: field ? message : `${written} ${message}` }]
  })
}

function parsedConfig(answers: InitAnswers) {
  const { Butler } = parse(configurationText(withoutPlaceholders(answers))) as { readonly Butler: unknown }
  return parseConfig(Butler)
}

/** Placeholders become values when Footman starts: a webhook is taken for one here. */
function withoutPlaceholders(answers: InitAnswers): InitAnswers {
  const url = (text: string) => (/^(env|file|credential):/.test(text) ? 'https://placeholder.example' : text)
  return { ...answers, slackUrl: url(answers.slackUrl), teamsUrl: url(answers.teamsUrl) }
}
