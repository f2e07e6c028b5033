/** Which release of Qlik Sense runs: logged, and stored in InfluxDB. */

import type { InfluxPoint } from '../metrics/influxdb/types.ts'
import type { Clock, Logger } from '../platform/types.ts'
import type { AboutClient, SystemInfo } from '../qlik/about.ts'
import type { QlikSenseVersionConfig } from './config.ts'
import { tagsOf, type WritePoints } from './types.ts'

export interface VersionMonitorDeps {
  readonly about: Pick<AboutClient, 'systemInfo'>
  readonly clock: Clock
  readonly log: Logger
  /** Null = not wanted. */
  readonly writePoints: WritePoints | null
  /** The last answer. */
  readonly onRelease?: (info: SystemInfo) => void
}

const LABEL = '[QSEOW] QLIKSENSE VERSION MONITOR'

/** One look. Rejects when the answer is none. */
export function createVersionMonitor(
  deps: VersionMonitorDeps,
  settings: Pick<QlikSenseVersionConfig['versionMonitor'], 'destination'>,
): (signal: AbortSignal, isRepeat?: boolean) => Promise<void> {
  const { about, clock, log, writePoints } = deps
  const { influxDb } = settings.destination

  return async (signal, isRepeat = false) => {
    const info = await about.systemInfo(signal)
    deps.onRelease?.(info)
    if (isRepeat) return
    log.info(`${LABEL}: Qlik Sense product name: ${info.productName}`)
    log.info(`${LABEL}: Qlik Sense deployment type: ${info.deploymentType}`)
    log.info(`${LABEL}: Qlik Sense version: ${info.version}`)
    log.info(`${LABEL}: Qlik Sense release: ${info.releaseLabel}`)
    if (influxDb.enable) await writePoints?.([versionPoint(info, tagsOf(influxDb.tag.static), clock.now())])
  }
}

function versionPoint(info: SystemInfo, tags: Readonly<Record<string, string>>, time: number): InfluxPoint {
  return {
    measurement: 'qlik_sense_version',
    tags,
    fields: {
      content_hash: info.contentHash || null,
      sense_id: info.senseId || null,
      version: info.version || null,
      deployment_type: info.deploymentType || null,
      release_label: info.releaseLabel || null,
      deprecated_product_version: info.deprecatedProductVersion || null,
      product_name: info.productName || null,
      copyright_year_range: info.copyrightYearRange || null,
    },
    time,
  }
}
