/** `Butler.qlikSenseLicense`, `Butler.footman.licenseRelease`. */
import { z } from 'zod'
import { choice, count, flag, frequency, list, nameValue, number, object, section, text } from '../config/fields.ts'

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
