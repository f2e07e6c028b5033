/** What is looked at of the Qlik Sense site. */
import type { Probe } from '../types.ts'

export const SITE_PROBES: readonly Probe[] = []
