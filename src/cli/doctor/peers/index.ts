/** What is looked at of the servers that Footman talks to, beside Qlik Sense. */
import type { Probe } from '../types.ts'
import { cloud } from './cloud.ts'
import { destinations, heartbeat } from './http/index.ts'
import { influxdb } from './influxdb.ts'
import { mqtt } from './mqtt.ts'
import { smtp } from './smtp.ts'

export const PEER_PROBES: readonly Probe[] = [smtp, destinations, mqtt, influxdb, cloud, heartbeat]
