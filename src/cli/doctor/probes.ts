/** Every probe, in the order of the report. */
import { dataDirectory, logDirectory } from './machine/data-directory.ts'
import { keyPairs, secrets } from './machine/key-pairs.ts'
import { ports } from './machine/ports.ts'
import { PEER_PROBES } from './peers/index.ts'
import { SITE_PROBES } from './site/index.ts'
import type { Probe } from './types.ts'

const MACHINE_PROBES: readonly Probe[] = [dataDirectory, logDirectory, ports, keyPairs, secrets]

export const PROBES: readonly Probe[] = [...MACHINE_PROBES, ...SITE_PROBES, ...PEER_PROBES]
