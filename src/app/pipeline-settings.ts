/** From the configuration to the settings of the event pipeline. */

import type { PipelineSettings } from '../events/pipeline.ts'
import type { Config } from './schema.ts'

const MINUTE_MS = 60_000

export function pipelineSettings(config: Config, dataDirectory: string, qrsEnabled: boolean): PipelineSettings {
  const { udpServerConfig: udp, footman } = config
  return {
    dataDirectory,
    qrsEnabled,
    maxBacklog: footman.delivery.maxBacklog,
    memoryBacklog: footman.delivery.memoryBacklog,
    enrichmentTimeoutMs: footman.delivery.enrichmentTimeout,
    finalStatusTimeoutMs: footman.delivery.finalStatusTimeout,
    distributePollMs: footman.distribute.pollInterval,
    distributeMaxAgeMs: footman.distribute.maxAge,
    udp: udp.enable
      ? {
          host: udp.serverHost,
          port: udp.portTaskFailure,
          maxMessageSize: udp.maxMessageSize,
          allowedSources: udp.enableSourceValidation ? udp.allowedSources : null,
          sharedSecrets: footman.udp.sharedSecrets,
          maxMessagesPerMinute: udp.rateLimit.enable ? udp.rateLimit.maxMessagesPerMinute : null,
          dedupTtlMs: udp.deduplication.enable ? udp.deduplication.ttlMinutes * MINUTE_MS : null,
          maxConcurrent: udp.messageQueue.maxConcurrent,
          maxSize: udp.messageQueue.maxSize,
          backpressurePercent: udp.messageQueue.backpressureThreshold,
        }
      : null,
  }
}
