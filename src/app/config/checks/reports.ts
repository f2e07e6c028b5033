/** Rules inside `Butler.footman.reportTask`. */
import { posix, win32 } from 'node:path'
import { isAllowedDomain, isEmailAddress } from '../../../platform/mail-addresses.ts'
import type { Check, CheckContext } from './check.ts'

const MOST_FONTS = 8

/** Tasks name a space by its id, and a relative folder would depend on where Footman was started. */
export const reportTasks: Check = (context) => {
  const { config, report } = context
  const { enable, storageSpaces, fonts, hub, defaultLocale, allowedRecipientDomains } = config.footman.reportTask
  if (!enable) return
  surroundings(context)
  if (hub.enable && hub.auth === 'trustedHeader' && hub.trustedHeader.fromAddresses.length === 0) {
    report('warning', 'footman.reportTask.hub.trustedHeader.fromAddresses', 'is empty; no one can sign in to the hub', {
      hint: 'name the address of the proxy that signs people in',
    })
  }
  if (!isLanguage(defaultLocale)) {
    report('error', 'footman.reportTask.defaultLocale', `must be a language like en-GB, found "${defaultLocale}"`)
  }
  for (const [index, domain] of allowedRecipientDomains.entries()) {
    if (isEmailAddress(`anna@${domain.trim().replace(/^@/, '')}`)) continue
    const key = `footman.reportTask.allowedRecipientDomains[${index}]`
    const hint = 'write the part behind the @, like company.com; a domain with other letters in its form xn--...'
    report('warning', key, `"${domain}" is no domain; no address fits it`, { hint })
  }
  const { testMode } = config.footman.email
  if (testMode.enable && !isAllowedDomain(testMode.address, allowedRecipientDomains)) {
    report('warning', 'footman.email.testMode.address', 'is outside of reportTask.allowedRecipientDomains', {
      hint: 'no report task runs while test mode is on: name an address of an allowed domain',
    })
  }
  const ids = storageSpaces.map(({ id }) => id)
  for (const [index, { id, directory }] of storageSpaces.entries()) {
    const key = `footman.reportTask.storageSpaces[${index}]`
    if (ids.indexOf(id) < index) report('error', `${key}.id`, 'is used twice', { hint: 'give each space its own id' })
    if (directory === '') {
      report('error', `${key}.directory`, 'is missing', { hint: 'write the whole path of the folder' })
    } else if (!posix.isAbsolute(directory) && !win32.isAbsolute(directory)) {
      report('error', `${key}.directory`, `"${directory}" is a relative path`, {
        hint: 'write the whole path, from the drive or / on',
      })
    }
  }
  if (fonts.length > MOST_FONTS) {
    report('error', 'footman.reportTask.fonts', `has ${fonts.length} files, ${MOST_FONTS} are possible`)
  }
}

/** Settings of other sections that report tasks use. A gap is a warning: the rest of Footman works without it. */
function surroundings({ config, qlikConnection, report }: CheckContext): void {
  const { reportTask } = config.footman
  if (qlikConnection && config.configEngine.host === '') {
    report('warning', 'configEngine.host', 'is missing; report tasks cannot open apps', {
      hint: 'set it to the server of the Qlik Sense engine',
    })
  }
  if (config.emailNotification.smtp.host === '') {
    const isLogin = reportTask.hub.enable && reportTask.hub.auth === 'magicLink'
    const also = isLogin ? ', and no one can sign in to the hub' : ''
    report('warning', 'emailNotification.smtp.host', `is missing; report tasks cannot send mails${also}`, {
      hint: 'set it to the mail server; report tasks that only write files do not need it',
    })
  }
}

function isLanguage(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1
  } catch {
    return false
  }
}
