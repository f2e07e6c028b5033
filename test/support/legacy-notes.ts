/** The notes about older layouts, as tests expect them. */

export const readAs = (from: string, versions: string, to: string) =>
  `warning CONFIG DEPRECATED: 'Butler.${from}' (Butler ${versions}) is read as 'Butler.${to}'. Please update the config file.`
export const slip = (from: string, to: string) => `info CONFIG: 'Butler.${from}' is read as 'Butler.${to}'.`

export interface LegacyCase {
  readonly name: string
  readonly text: string
  readonly expected: object
  readonly notes: readonly string[]
}
