/** Finds problems in the settings of mails by rendering a sample; sends nothing. */

import { errorText } from '../../platform/errors.ts'
import { isEmailAddress, splitAddresses } from '../../platform/mail-addresses.ts'
import { addressOf, variantOf } from '../destinations/email/mailer.ts'
import { mailView } from '../destinations/email/view.ts'
import type { SettingProblem } from '../destinations/settings.ts'
import { sampleEvent } from '../sample-event.ts'
import { contextLinks, templateContext } from '../template-context.ts'
import type { TemplateContext, TemplateEngine, TemplateRef } from '../templates/engine.ts'
import type { Target } from '../templates/escape.ts'
import { inlineSource, isPlainText } from '../templates/source.ts'
import { unknownText, unknownVariables } from '../templates/unknown-variables.ts'
import { TRIAL_TIMES } from '../times.ts'
import { type EmailDestinationConfig, type Mail, mailsOf } from './email-sections.ts'

/** Problems of the sections that are switched on; none of them stops an alert from being sent in plain words. */
export async function emailProblems(
  engine: TemplateEngine,
  config: EmailDestinationConfig,
): Promise<readonly SettingProblem[]> {
  if (!config.emailNotification.enable) return []
  const enabled = mailsOf(config).filter(({ on }) => on)
  const found = await Promise.all(enabled.map((mail) => problemsOf(mail, engine, config)))
  return [...testModeProblems(config), ...found.flat()]
}

async function problemsOf(mail: Mail, engine: TemplateEngine, config: EmailDestinationConfig) {
  const base = mail.place
  const record = sampleRecord(mail, config)
  const { subject, recipients, fromAddress } = mail.settings
  return [
    ...addressProblems(base, recipients, fromAddress),
    ...renderProblems(engine, `${base}.subject`, inline(`${base}.subject`, subject), record, 'line'),
    ...(await bodyProblems(mail, base, engine, record)),
  ]
}

async function bodyProblems({ settings }: Mail, base: string, engine: TemplateEngine, record: TemplateContext) {
  const { bodyFileDirectory, htmlTemplateFile } = settings
  const path = `${base}.htmlTemplateFile`
  try {
    if (!bodyFileDirectory) return await replacedProblems(engine, record)
    const found = await engine.findEmail(bodyFileDirectory, htmlTemplateFile)
    if (!found) {
      const folders = engine.searched(bodyFileDirectory).join(', ')
      const message = `there is no template "${htmlTemplateFile}" in "${bodyFileDirectory}" (looked in ${folders}); the built-in one is used`
      return [problem('warning', path, message, 'put the file there, or correct the folder or the name')]
    }
    return [
      ...renderProblems(engine, path, found.html, record, 'html'),
      ...(found.text ? renderProblems(engine, path, found.text, record, 'text') : []),
    ]
  } catch (error) {
    return [problem('error', path, errorText(error))]
  }
}

/** Problems of the files in the template directory that replace parts of the built-in mail. */
async function replacedProblems(engine: TemplateEngine, record: TemplateContext): Promise<readonly SettingProblem[]> {
  const variant = variantOf(record)
  const html = await engine.findBuiltin('email/alert', [variant])
  const text = await engine.findBuiltin('email/alert.txt', [`${variant}.txt`])
  const path = 'Butler.footman.templateDirectory'
  if (html.kind === 'builtin' && text.kind === 'builtin') return []
  const variables = { ...record, view: mailView(record) }
  return [
    ...(html.kind === 'found' ? renderProblems(engine, path, html, variables, 'html') : []),
    ...(text.kind === 'found' ? renderProblems(engine, path, text, variables, 'text') : []),
  ]
}

function renderProblems(
  engine: TemplateEngine,
  path: string,
  ref: TemplateRef,
  record: TemplateContext,
  target: Target,
) {
  if (ref.kind === 'inline' && isPlainText(ref.text, record)) return []
  try {
    engine.render(ref, record, target)
    return unknownProblems(path, ref, record)
  } catch (error) {
    return [problem('error', path, errorText(error), 'alerts go out as plain text until this is repaired')]
  }
}

/** Misspelt variables: the message goes out with a gap. */
function unknownProblems(path: string, ref: TemplateRef, record: TemplateContext): readonly SettingProblem[] {
  if (ref.kind === 'builtin') return []
  const source = ref.kind === 'found' ? ref.source : inlineSource(ref.name, ref.text)
  const place = ref.kind === 'found' ? `${source.file}: ` : ''
  return unknownVariables(source, Object.keys(record)).map((unknown) =>
    problem('warning', path, `${place}${unknownText(unknown)}`, 'it is empty in every message'),
  )
}

function addressProblems(base: string, recipients: readonly string[], fromAddress: string): SettingProblem[] {
  const invalid = recipients.flatMap((recipient, index) =>
    splitAddresses([recipient])
      .filter((address) => !isEmailAddress(address))
      .map((address) => ({ address, index })),
  )
  return [
    ...invalid.map(({ address, index }) =>
      problem(
        'error',
        `${base}.recipients[${index}]`,
        `"${address}" is not a valid e-mail address`,
        'write it like ops@example.com',
      ),
    ),
    ...(isEmailAddress(addressOf(fromAddress))
      ? []
      : [problem('warning', `${base}.fromAddress`, 'holds no e-mail address; many mail servers refuse such mails')]),
  ]
}

function testModeProblems({ footman }: EmailDestinationConfig): SettingProblem[] {
  const { enable, address } = footman.email.testMode
  if (!enable || isEmailAddress(address)) return []
  return [problem('error', 'Butler.footman.email.testMode.address', `"${address}" is not a valid e-mail address`)]
}

function sampleRecord({ kind, settings }: Mail, config: EmailDestinationConfig) {
  const { headScriptLogLines: headLines = 0, tailScriptLogLines: tailLines = 0 } = settings
  const context = { ...contextLinks(config), version: '', times: TRIAL_TIMES, now: 0 }
  const event = sampleEvent('sample', kind.outcomes[0]!, 0, kind.type)
  return templateContext(event, context, { headLines, tailLines }, kind.userForm)
}

function inline(name: string, text: string): TemplateRef {
  return { kind: 'inline', name, text }
}

function problem(severity: SettingProblem['severity'], path: string, message: string, hint?: string): SettingProblem {
  return { severity, path, message, ...(hint ? { hint } : {}) }
}
