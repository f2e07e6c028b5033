/** Every probe, in the order in which people read of them. */
import { MACHINE_PROBES } from './machine/index.ts'
import { PEER_PROBES } from './peers/index.ts'
import { SITE_PROBES } from './site/index.ts'
import type { Probe } from './types.ts'

export const PROBES: readonly Probe[] = [...MACHINE_PROBES, ...SITE_PROBES, ...PEER_PROBES]
