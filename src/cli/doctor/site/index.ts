/** What is looked at of the Qlik Sense site, and of the way that its messages take. */

import type { Probe } from '../types.ts'
import { addressProbe } from './addresses.ts'
import { appenderProbe } from './appender.ts'
import { certificatesProbe } from './certificates.ts'
import { nameFindings, propertyFindings, rightsFindings, selectionFindings } from './content.ts'
import { engineProbe } from './engine.ts'
import { nodeFindings } from './nodes.ts'
import { qrsProbe } from './qrs.ts'
import { createSites, type SiteProbe, siteProbe } from './site.ts'
import { clockFindings, licenceFindings, scriptLogFindings, zoneProbe } from './state.ts'
import { udpProbe } from './udp.ts'

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

/** In the order in which people read of them. All share one client of the site, and what they have asked it. */
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
  ]
}

export const SITE_PROBES: readonly Probe[] = createSiteProbes()
