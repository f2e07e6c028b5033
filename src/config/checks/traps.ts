/** Values that are valid and do not do what was meant. */
import { posix, win32 } from 'node:path'
import type { Config } from '../schema.ts'
import type { Check } from './check.ts'

/** Ports of mail servers have a way of beginning: 465 with TLS, 587 and 25 without. */
export const mailTlsMode: Check = ({ config: { emailNotification }, written, report }) => {
  const { enable, smtp } = emailNotification
  if (!enable || !written('emailNotification.smtp.secure')) return
  if (smtp.secure && (smtp.port === 587 || smtp.port === 25)) {
    const message = `is true, but servers begin without TLS on port ${smtp.port} and change to it by STARTTLS`
    report('warning', 'emailNotification.smtp.secure', message, { hint: 'set it to false, or port to 465' })
  }
  if (!smtp.secure && smtp.port === 465) {
    const message = 'is false, but servers expect TLS from the first byte on port 465'
    report('warning', 'emailNotification.smtp.secure', message, { hint: 'set it to true, or port to 587' })
  }
}

export const emptyStartFilter: Check = ({ config: { startTaskFilter }, report }) => {
  const { enable, allowTask } = startTaskFilter
  if (!enable || Object.values(allowTask).some((list) => list.length > 0)) return
  report('warning', 'startTaskFilter.allowTask', 'is empty, so no task at all may be started', {
    hint: 'name tasks in taskId, tag or customProperty, or set Butler.startTaskFilter.enable to false',
  })
}

/** What is approved would depend on where Footman was started. */
export const relativeDirectories: Check = ({ config, report }) => {
  for (const [key, path] of approvedDirectories(config)) {
    if (path === '' || posix.isAbsolute(path) || win32.isAbsolute(path) || isControlled(path)) continue
    const message = `"${path}" is a relative path: which folder it means depends on where Footman was started`
    report('warning', key, message, { hint: 'write the whole path, from the drive or / on' })
  }
}

/** Of operations that are switched on. */
function approvedDirectories(config: Config): (readonly [key: string, path: string])[] {
  const { restServerConfig, restServerEndpointsEnable: on, footman } = config
  if (!restServerConfig.enable) return []
  const pairs = (list: 'fileCopyApprovedDirectories' | 'fileMoveApprovedDirectories') =>
    config[list].flatMap((pair, index) =>
      (['fromDirectory', 'toDirectory'] as const).map((key) => [`${list}[${index}].${key}`, pair[key]] as const),
    )
  const list = (key: string, paths: readonly string[]) =>
    paths.map((path, index) => [`${key}[${index}]`, path] as const)
  return [
    ...(on.fileCopy ? pairs('fileCopyApprovedDirectories') : []),
    ...(on.fileMove ? pairs('fileMoveApprovedDirectories') : []),
    ...(on.fileDelete ? list('fileDeleteApprovedDirectories', config.fileDeleteApprovedDirectories) : []),
    ...list('footman.files.createDirApprovedDirectories', footman.files.createDirApprovedDirectories ?? []),
  ]
}

/** `"D:\temp\new"` in double quotes holds a tab and a line end where `\t` and `\n` stand. */
export const unescapedPaths: Check = ({ config, report }) => {
  for (const [key, text] of textsOf(config, '')) {
    if (!isControlled(text)) continue
    const message = `holds a tab, line end or the like: ${JSON.stringify(text)}; in double quotes \\t and \\n mean these`
    report('warning', key, message, { hint: 'take single quotes, write every backslash twice, or write /' })
  }
}

/** A path of Windows whose backslashes were taken for escapes: after the drive there is one, or a control character. */
function isControlled(text: string): boolean {
  const [first = ''] = text.slice(2)
  return /^[a-z]:/i.test(text) && (first < ' ' || '\\/'.includes(first)) && [...text].some((one) => one < ' ')
}

function* textsOf(value: unknown, key: string): Generator<readonly [key: string, text: string]> {
  if (typeof value === 'string') yield [key, value]
  if (typeof value !== 'object' || value === null || value instanceof RegExp) return
  for (const [name, member] of Object.entries(value)) {
    const step = Array.isArray(value) ? `[${name}]` : key === '' ? name : `.${name}`
    yield* textsOf(member, `${key}${step}`)
  }
}
