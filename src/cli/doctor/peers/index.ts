/** What is looked at of the servers that Footman talks to, beside Qlik Sense. */
import type { Probe } from '../types.ts'
import { cloud } from './cloud.ts'
import { destinations, heartbeat } from './http/index.ts'
import { influxdb } from './influxdb/index.ts'
import { mqtt } from './mqtt/index.ts'
import { smtp } from './smtp/index.ts'

export const PEER_PROBES: readonly Probe[] = [smtp, destinations, mqtt, influxdb, cloud, heartbeat]
