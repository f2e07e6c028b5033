/** `Butler.configVisualisation`, and the console. */
import { z } from 'zod'
import { count, flag, host, httpUrl, noted, port, section, uri } from '../config/fields.ts'

export const configVisualisation = section('Web page that shows the configuration.', () => ({
  enable: flag('Offer the page.'),
  host: host('Address to listen on.', 'localhost'),
  port: port('Port to listen on.', 3100),
  obfuscate: flag('Mask secrets and addresses.', true),
}))

const HOURS = { min: 1, max: 168 }

export const footmanConsole = section('The web console, at /console/ of the REST API.', () => ({
  enable: flag('Offer the console.', true),
  publicUrl: httpUrl(
    'Address of Footman for browsers, used in links of alerts: https://qs.acme.example/footman. Empty = no links.',
  ).meta({ label: 'Public address' }),
  sessionHours: count('Longest life of a session, in hours.', 12, HOURS),
  idleHours: count('A session ends after this time without a request, in hours.', 4, HOURS),
  allowPlainHttp: flag(
    'Let people on other machines sign in without TLS. Their credentials can be read on the network.',
  ),
  bindAddress: flag('End a session when the address of its browser changes.'),
  hsts: flag('Make browsers use TLS for a year (Strict-Transport-Security).'),
  links: section('Links to Qlik Sense.', () => ({
    qmc: uri('Management console.', '', { defaultText: 'Butler.qlikSenseUrls.qmc' }),
    hub: uri('Hub.', '', { defaultText: 'Butler.qlikSenseUrls.hub' }),
  })),
  nightStart: noted(
    z
      .string()
      .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time like 20:00')
      .prefault('20:00'),
    {
      description:
        'Begin of the preset "Last night" of the page Now, which ends at noon, and end of a snooze until tonight; in the zone of Footman.',
    },
  ),
}))

export type ConsoleConfig = z.output<typeof footmanConsole>
