/** Problems of settings, for `footman check`. */
import { messageOf } from '../templates/errors.ts'
import type { Finding } from './types.ts'

/** Fits the problems of the configuration loader, which adds file and line. */
export interface SettingProblem {
  readonly severity: 'error' | 'warning'
  /** `Butler.emailNotification.reloadTaskFailure.subject` */
  readonly path: string
  readonly message: string
  readonly hint?: string
}

/** The message of what `render` throws, as a problem of the key. */
export async function problemsIn(key: string, render: () => Promise<void>): Promise<readonly Finding[]> {
  try {
    await render()
    return []
  } catch (error) {
    return [[key, messageOf(error)]]
  }
}
