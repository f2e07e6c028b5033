/** Accounts of Windows that a service can run as without a password. */
import { EXIT } from '../../io.ts'
import { ServiceError } from '../types.ts'

const BUILT_IN: Readonly<Record<string, string>> = {
  localservice: 'NT AUTHORITY\\LocalService',
  networkservice: 'NT AUTHORITY\\NetworkService',
}
const LOCAL_SERVICE_SID = 'S-1-5-19'
const NETWORK_SERVICE_SID = 'S-1-5-20'

/** The account that Windows makes for every service: no password, no rights but those that it is given. */
export const virtualAccount = (service: string): string => `NT SERVICE\\${service}`

/** Rejects accounts that need a password: a command line is no place for one. */
export function serviceAccount(wanted: string | undefined, service: string): string {
  if (wanted === undefined) return virtualAccount(service)
  const builtIn = BUILT_IN[wanted.replace(/^NT AUTHORITY\\/i, '').toLowerCase()]
  if (builtIn) return builtIn
  if (/^NT SERVICE\\.+$/i.test(wanted) || /^[^\\]+\\[^\\]+\$$/.test(wanted)) return wanted
  throw new ServiceError(
    `--user ${wanted}: Footman asks for no passwords. Use LocalService, NetworkService, "NT SERVICE\\${service}" or a group managed account (DOMAIN\\name$); for an ordinary account install without --user and enter it in services.msc`,
    EXIT.badInput,
  )
}

/** Who runs a task: the scheduler knows no accounts of services. */
export function taskAccount(wanted: string | undefined, service: string): { id: string; isManaged: boolean } {
  if (wanted === undefined) return { id: LOCAL_SERVICE_SID, isManaged: false }
  const account = serviceAccount(wanted, service)
  if (account === BUILT_IN.localservice) return { id: LOCAL_SERVICE_SID, isManaged: false }
  if (account === BUILT_IN.networkservice) return { id: NETWORK_SERVICE_SID, isManaged: false }
  if (account.endsWith('$')) return { id: account, isManaged: true }
  throw new ServiceError(
    `--user ${wanted}: tasks of the Task Scheduler run as LocalService, NetworkService or a group managed account (DOMAIN\\name$)`,
    EXIT.badInput,
  )
}

/** For `icacls`: an account, or `*` and a security id. */
export const trustee = (account: string): string => (/^S-1-/.test(account) ? `*${account}` : account)
