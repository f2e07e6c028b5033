/** Fits the problems of the configuration loader, which adds file and line. */
export interface SettingProblem {
  readonly severity: 'error' | 'warning'
  /** `Butler.emailNotification.reloadTaskFailure.subject` */
  readonly path: string
  readonly message: string
  readonly hint?: string
}
