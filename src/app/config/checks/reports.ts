/** Rules inside `Butler.footman.reportTask`. */
import { posix, win32 } from 'node:path'
import type { Check } from './check.ts'

const MOST_FONTS = 8

/** Tasks name a space by its id, and a relative folder would depend on where Footman was started. */
export const reportTasks: Check = ({ config, report }) => {
  const { enable, storageSpaces, fonts } = config.footman.reportTask
  if (!enable) return
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
