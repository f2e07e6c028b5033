/** What is looked at of this machine. */

import type { Probe } from '../types.ts'
import { dataDirectory, logDirectory } from './data-directory.ts'
import { keyPairs, secrets } from './key-pairs.ts'
import { ports } from './ports.ts'

export const MACHINE_PROBES: readonly Probe[] = [dataDirectory, logDirectory, ports, keyPairs, secrets]
