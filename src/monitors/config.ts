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
  number,
  object,
  port,
  section,
  text,
  uri,
} from '../config/fields.ts'
import { LOG_LEVELS } from '../platform/types.ts'

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
    'Computers with the services to watch.',
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
export type UptimeMonitorConfig = z.output<typeof uptimeMonitor>
export type ServiceMonitorConfig = z.output<typeof serviceMonitor>
export type QlikSenseVersionConfig = z.output<typeof qlikSenseVersion>
export type FootmanServiceMonitorConfig = z.output<typeof footmanServiceMonitor>
export type HealthConfig = z.output<typeof health>

/** `Butler.qlikSenseLicense`, `Butler.footman.licenseRelease`. */
const influxDb = section('InfluxDB.', () => ({
  enable: flag('Store it.'),
  tag: section('Tags.', () => ({ static: list('Extra tags.', nameValue('tag')) })),
}))

const recurring = section('Each time.', () => ({ enable: flag('Send the state each time.', true) }))
const alert = section('Alerts.', () => ({ enable: flag('Send alerts about the end of the licence.', true) }))

/** A flag of the management console: users whose flag equals the value are protected. */
const userFlag = (name: string) =>
  choice(`Never release licences of users whose "${name}" is this.`, ['yes', 'no', 'ignore'], 'ignore')

function licenseType(type: string) {
  return section(`${type} licences.`, () => ({
    enable: flag('Release them.', true),
    releaseThresholdDays: number('Days without use.', 30, { min: 0 }),
  }))
}

export const qlikSenseLicense = section('Licences of Qlik Sense.', () => ({
  serverLicenseMonitor: section('Watching the server licence.', () => ({
    enable: flag('Watch it.'),
    frequency: frequency('How often.', 'every 24 hours'),
    alert: section('Alerts.', () => ({ thresholdDays: number('Alert when fewer days are left.', 60, { min: 0 }) })),
    destination: section('Where to report.', () => ({
      influxDb,
      mqtt: section('MQTT.', () => ({ enable: flag('Publish.'), sendRecurring: recurring, sendAlert: alert })),
      webhook: section('Webhooks.', () => ({
        enable: flag('Call webhooks.'),
        sendRecurring: recurring,
        sendAlert: alert,
      })),
    })),
  })),
  licenseMonitor: section('Watching access licences.', () => ({
    enable: flag('Watch them.'),
    frequency: frequency('How often.', 'every 6 hours'),
    destination: section('Where to report.', () => ({ influxDb })),
  })),
  licenseRelease: section('Releasing unused access licences.', () => ({
    enable: flag('Release them.'),
    dryRun: flag('Only log what would be released.', true),
    frequency: frequency('How often.', 'every 24 hours'),
    neverRelease: section('Users whose licences are kept; the INTERNAL sa_ accounts always are.', () => ({
      user: list(
        'Users.',
        object(() => ({ userDir: text('User directory.'), userId: text('User id.') })),
      ),
      tag: list('Users with one of these tags.', z.string()),
      customProperty: list(
        'Users with one of these custom property values.',
        object(() => ({ name: text('Name of the custom property.'), value: text('Its value.') })),
      ),
      userDirectory: list('User directories.', z.string()),
      inactive: userFlag('inactive'),
      blocked: userFlag('blocked'),
      removedExternally: userFlag('removed externally'),
    })),
    licenseType: section('Types of licences.', () => ({
      analyzer: licenseType('Analyzer'),
      professional: licenseType('Professional'),
    })),
    destination: section('Where to report.', () => ({ influxDb })),
  })),
}))

export const licenseRelease = section('More about releasing licences.', () => ({
  maxPerRun: count('Most licences released in one run; 0 = no limit.', 0, { min: 0, max: 1_000_000 }),
}))

export type QlikSenseLicenseConfig = z.output<typeof qlikSenseLicense>
