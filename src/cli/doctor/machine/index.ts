/** What is looked at of this machine. */
import type { Probe } from '../types.ts'

export const MACHINE_PROBES: readonly Probe[] = []
