/** What is looked at of the servers that Footman talks to, beside Qlik Sense. */
import type { Probe } from '../types.ts'
import { smtp } from './smtp/index.ts'

export const PEER_PROBES: readonly Probe[] = [smtp]
