/** Values that are valid and do not do what was meant. */
import { posix, win32 } from 'node:path'
import type { Config } from '../../schema.ts'
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

/** Approved directories must not depend on the working directory of Footman. */
export const relativeDirectories: Check = ({ config, report }) => {
  for (const [key, path] of approvedDirectories(config)) {
    if (path === '' || posix.isAbsolute(path) || win32.isAbsolute(path) || isControlled(path)) continue
    const message = `"${path}" is a relative path: which folder it means depends on where Footman was started`
    report('warning', key, message, { hint: 'write the whole path, from the drive or / on' })
  }
}

/** The approved directories of the operations that are switched on. */
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

/** `"D:\temp\Logs"` in double quotes holds a tab and a line separator where `\t` and `\L` stand. */
export const unescapedPaths: Check = ({ config, report }) => {
  for (const [key, text] of textsOf(config, '')) {
    if (!isControlled(text)) continue
    const signs = [...new Set(text)].filter((sign) => sign in ESCAPES).map((sign) => ESCAPES[sign])
    const message = `"${asWritten(text)}" is not the path that it seems: in double quotes ${signs.join(' and ')} ${signs.length === 1 ? 'means' : 'mean'} a tab, line end or the like`
    report('warning', key, message, { hint: 'take single quotes, write every backslash twice, or write /' })
  }
}

/** Escapes of YAML by the character that they produce. */
const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\u0007': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\u001b': '\\e',
  '\u0085': '\\N',
  '\u00a0': '\\_',
  '\u2028': '\\L',
  '\u2029': '\\P',
}

const asWritten = (text: string): string =>
  [...text].map((sign) => (sign === '\\' ? '\\\\' : (ESCAPES[sign] ?? sign))).join('')

/** A path of Windows, on a drive or a share, whose backslashes were taken for escapes. */
function isControlled(text: string): boolean {
  const [first = ''] = text.slice(2)
  const isPath = text.startsWith('\\') || (/^[a-z]:/i.test(text) && (first in ESCAPES || '\\/'.includes(first)))
  return isPath && [...text].some((sign) => sign in ESCAPES)
}

function* textsOf(value: unknown, key: string): Generator<readonly [key: string, text: string]> {
  if (typeof value === 'string') yield [key, value]
  if (typeof value !== 'object' || value === null || value instanceof RegExp) return
  for (const [name, member] of Object.entries(value)) {
    const step = Array.isArray(value) ? `[${name}]` : key === '' ? name : `.${name}`
    yield* textsOf(member, `${key}${step}`)
  }
}
