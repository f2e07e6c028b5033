/**
 * Access control that is off: what Butler 16 had is open, the rest serves callers on this machine only, and no foreign web
 * page gets in by the browser of its visitor.
 */

import type { BrowserRules } from '../endpoint/browser.ts'
import { EVERYBODY, forbidden } from '../endpoint/caller.ts'
import type { AccessControl, Contact, Identity } from './types.ts'

const LOCAL_ONLY =
  'While access control is off, this endpoint answers callers on this machine only. Configure Butler.footman.access to open it to others.'

const NOBODY_KNOWN: Identity = { caller: EVERYBODY, bucket: null, refusal: null }

export function createOpenAccess(isLocal: (contact: Contact) => boolean, browser: BrowserRules): AccessControl {
  return {
    admit: (_url, { headers }) => browser.refusal(headers),
    identify: () => NOBODY_KNOWN,
    refusal(route, _caller, contact) {
      const forAll = route.scope === undefined || route.butler === true
      return forAll || isLocal(contact) ? null : forbidden(LOCAL_ONLY)
    },
  }
}
