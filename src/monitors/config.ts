/** Self-monitoring, Windows services, Qlik Sense version. */
import { z } from 'zod'
import {
  choice,
  count,
  flag,
  frequency,
  host,
  list,
  nameValue,
  object,
  port,
  section,
  text,
  uri,
} from '../config/fields.ts'
import { LOG_LEVELS } from '../platform/types.ts'

export * from './config-license.ts'

export const heartbeat = section('Outgoing "I am alive" calls.', () => ({
  enable: flag('Make the calls.'),
  remoteURL: uri('Address to call.'),
  frequency: frequency('How often.', 'every 30 seconds'),
}))

export const dockerHealthCheck = section('Health endpoint.', () => ({
  enable: flag('Listen.'),
  port: port('Port to listen on.', 12398),
}))

export const uptimeMonitor = section('Reports about uptime and memory.', () => ({
  enable: flag('Write the reports.'),
  frequency: frequency('How often.', 'every 15 minutes'),
  logLevel: choice('Level of the log lines.', LOG_LEVELS, 'verbose'),
  storeInInfluxdb: section('The reports in InfluxDB.', () => ({ enable: flag('Store them.') })),
  storeNewRelic: section('The reports in New Relic.', () => ({
    enable: flag('Send them.'),
    destinationAccount: list('Names of New Relic accounts.', z.string()),
    url: uri('Address of the metric API.', 'https://insights-collector.eu01.nr-data.net/metric/v1'),
    header: list('Extra HTTP headers.', nameValue('header')),
    metric: section('Metrics.', () => ({
      dynamic: section('Metrics.', () => ({
        butlerMemoryUsage: section('Memory.', () => ({ enable: flag('Send the memory metrics.', true) })),
        butlerUptime: section('Uptime.', () => ({ enable: flag('Send the uptime metric.', true) })),
      })),
    })),
    attribute: section('Attributes.', () => ({
      static: list('Fixed attributes.', nameValue('attribute')),
      dynamic: section('Attributes that Footman knows.', () => ({
        butlerVersion: section('Version.', () => ({ enable: flag('Add the version.', true) })),
      })),
    })),
  })),
}))

const destination = (what: string) => section(what, () => ({ enable: flag('Report there.') }))

export const serviceMonitor = section('Windows services.', () => ({
  enable: flag('Watch the services.'),
  frequency: frequency('How often.', 'every 30 seconds'),
  monitor: list(
    'What to watch.',
    object(() => ({
      host: host('Computer.'),
      services: list(
        'Services of the computer.',
        object(() => ({
          name: text('Name of the service.'),
          friendlyName: text('Label in alerts.'),
        })),
      ),
    })),
  ),
  alertDestination: section('Where to report.', () => ({
    influxDb: destination('InfluxDB.'),
    newRelic: destination('New Relic.'),
    email: destination('Mail.'),
    mqtt: destination('MQTT.'),
    teams: destination('Teams.'),
    slack: destination('Slack.'),
    webhook: destination('Webhooks.'),
  })),
}))

export const qlikSenseVersion = section('Version of Qlik Sense.', () => ({
  versionMonitor: section('Watching the version.', () => ({
    enable: flag('Watch it.'),
    frequency: frequency('How often.', 'every 24 hours'),
    host: host('Central node.'),
    rejectUnauthorized: flag('Refuse a server certificate that cert.clientCertCA does not vouch for.'),
    destination: section('Where to report.', () => ({
      influxDb: section('InfluxDB.', () => ({
        enable: flag('Store it.'),
        tag: section('Tags.', () => ({ static: list('Extra tags.', nameValue('tag')) })),
      })),
    })),
  })),
}))

export const health = section('Health.', () => ({
  host: host('Address of the health endpoint.', 'localhost'),
  heartbeatRequiresHealthy: flag('No heartbeat while a vital part is down.'),
}))

export const footmanServiceMonitor = section('More about Windows services.', () => ({
  unreachableAlert: flag('Alert when a host or service cannot be asked.', true),
  unreachableChecks: count('Failed checks in a row before that alert.', 3, { min: 1, max: 1_000_000 }),
}))

export const footmanVersionMonitor = section('More about the version of Qlik Sense.', () => ({
  port: port('Port of the about service on the host of the version monitor.', 9032),
}))

export type HeartbeatConfig = z.output<typeof heartbeat>
export type DockerHealthCheckConfig = z.output<typeof dockerHealthCheck>
export type UptimeMonitorConfig = z.output<typeof uptimeMonitor>
export type ServiceMonitorConfig = z.output<typeof serviceMonitor>
export type QlikSenseVersionConfig = z.output<typeof qlikSenseVersion>
export type FootmanServiceMonitorConfig = z.output<typeof footmanServiceMonitor>
export type HealthConfig = z.output<typeof health>
