/** Access control that is off: everything is open, except that what is new serves callers on this machine only. */
import { EVERYBODY, forbidden } from '../../platform/http/caller.ts'
import type { AccessControl, Contact, Identity } from './types.ts'

const LOCAL_ONLY =
  'While access control is off, this endpoint answers callers on this machine only. Configure Butler.footman.access to open it to others.'

const NOBODY_KNOWN: Identity = { caller: EVERYBODY, bucket: null, refusal: null }

export function createOpenAccess(isLocal: (contact: Contact) => boolean): AccessControl {
  return {
    admit: () => null,
    identify: () => NOBODY_KNOWN,
    refusal(route, _caller, contact) {
      const isNew = route.scope !== undefined && route.endpoint === null
      return isNew && !isLocal(contact) ? forbidden(LOCAL_ONLY) : null
    },
  }
}
