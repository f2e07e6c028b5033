/** Every probe, in the order of the report. */
import { clusterProbe } from './cluster/index.ts'
import { dataDirectory, logDirectory } from './machine/data-directory.ts'
import { keyPairs, secrets } from './machine/key-pairs.ts'
import { addressProbe, ports } from './machine/ports.ts'
import { cloud, consoleAddress, destinations, heartbeat } from './peers/http-servers.ts'
import { influxdb } from './peers/influxdb.ts'
import { mqtt } from './peers/mqtt.ts'
import { smtp } from './peers/smtp.ts'
import { reportsProbe } from './reports/index.ts'
import { appenderProbe } from './site/appender.ts'
import { certificatesProbe } from './site/certificates.ts'
import { nameFindings, propertyFindings, rightsFindings, selectionFindings } from './site/content.ts'
import { engineProbe } from './site/engine.ts'
import { nodeFindings } from './site/nodes.ts'
import { qrsProbe } from './site/qrs.ts'
import { createSites, type SiteProbe, siteProbe } from './site/site.ts'
import { clockFindings, licenceFindings, scriptLogFindings, zoneProbe } from './site/state.ts'
import { udpProbe } from './site/udp.ts'
import type { Probe } from './types.ts'

const MACHINE_PROBES: readonly Probe[] = [dataDirectory, logDirectory, ports, keyPairs, secrets]

/** Servers that Footman connects to, except those of Qlik Sense. */
const PEER_PROBES: readonly Probe[] = [
  clusterProbe,
  smtp,
  destinations,
  mqtt,
  influxdb,
  cloud,
  heartbeat,
  consoleAddress,
]

const ASKING: readonly SiteProbe[] = [
  { group: 'clock', title: 'Clock of the Qlik Sense server', run: clockFindings },
  { group: 'rights', title: 'Rights in Qlik Sense', run: rightsFindings },
  { group: 'property', title: 'Custom properties', run: propertyFindings },
  { group: 'selection', title: 'Tasks, apps and tags of the configuration', run: selectionFindings },
  { group: 'names', title: 'Names in Qlik Sense', run: nameFindings },
  { group: 'script-log', title: 'Script logs', run: scriptLogFindings },
  { group: 'licence', title: 'Qlik Sense licence', run: licenceFindings },
]

const NODES: SiteProbe = {
  group: 'nodes',
  title: 'Messages by node',
  applies: ({ config }) => config.udpServerConfig.enable,
  run: nodeFindings,
}

/** The probes of the site, in the order of the report. They share one client of the site and its answers. */
function createSiteProbes(): readonly Probe[] {
  const sites = createSites()
  return [
    certificatesProbe(sites),
    qrsProbe(sites),
    engineProbe(sites),
    ...ASKING.map((probe) => siteProbe(sites, probe)),
    addressProbe,
    udpProbe,
    siteProbe(sites, NODES),
    appenderProbe,
    zoneProbe,
    reportsProbe(sites),
  ]
}

export const PROBES: readonly Probe[] = [...MACHINE_PROBES, ...createSiteProbes(), ...PEER_PROBES]
