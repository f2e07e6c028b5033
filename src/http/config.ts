/** The REST API: listener, endpoints, access. */
import { z } from 'zod'
import {
  cidr,
  count,
  duration,
  file,
  flag,
  host,
  list,
  nameValue,
  nullableText,
  port,
  section,
  uri,
} from '../config/fields.ts'

export { access } from './config-access.ts'

export const restServerConfig = section('The REST API.', () => ({
  enable: flag('Start the API.'),
  serverHost: host('Address to listen on; 0.0.0.0 = all.', 'localhost'),
  serverPort: port('Port to listen on.', 8080),
  backgroundServerPort: port('Accepted for compatibility; never opened.', 8081, { ignored: true }),
  tls: section('HTTPS.', () => ({
    enable: flag('Serve https instead of http.'),
    cert: file('Certificate with its chain (PEM).'),
    key: file('Key of the certificate (PEM).'),
    ca: nullableText('Further certificate authorities (PEM).'),
  })),
}))

export const restServerApiDocGenerate = flag('Accepted for compatibility; not needed.', false, { ignored: true })

const endpoint = (what: string) => flag(`Offer: ${what}.`)

export const restServerEndpointsEnable = section('Which endpoints of the REST API exist.', () => ({
  apiListEnabledEndpoints: endpoint('list of the enabled endpoints'),
  base62ToBase16: endpoint('conversion from base62 to base16'),
  base16ToBase62: endpoint('conversion from base16 to base62'),
  butlerping: flag('Offer: ping.', true),
  createDir: endpoint('create a directory'),
  createDirQVD: endpoint('create a directory below configDirectories.qvdPath'),
  fileDelete: endpoint('delete a file'),
  fileMove: endpoint('move a file'),
  fileCopy: endpoint('copy a file'),
  keyValueStore: endpoint('key-value store; also allows key-value pairs in start requests'),
  mqttPublishMessage: endpoint('publish an MQTT message'),
  newRelic: section('New Relic.', () => ({
    postNewRelicMetric: endpoint('send a metric to New Relic'),
    postNewRelicEvent: endpoint('send an event to New Relic'),
  })),
  scheduler: section('Schedules.', () => ({
    createNewSchedule: endpoint('create a schedule'),
    getSchedule: endpoint('read schedules'),
    getScheduleStatusAll: endpoint('state of all schedules'),
    updateSchedule: endpoint('change a schedule'),
    deleteSchedule: endpoint('delete a schedule'),
    startSchedule: endpoint('start a schedule'),
    stopSchedule: endpoint('stop a schedule'),
  })),
  senseAppReload: endpoint('reload an app'),
  senseAppDump: endpoint('dump an app'),
  senseListApps: endpoint('list of apps'),
  senseStartTask: endpoint('start tasks'),
  slackPostMessage: endpoint('post a Slack message'),
}))

function newRelicEndpoint(what: string, url: string) {
  return section(`Defaults of the endpoint that sends ${what} to New Relic.`, () => ({
    destinationAccount: list('Accounts used when the request names none.', z.string()),
    url: uri('Address of the New Relic API.', url),
    header: list('Extra HTTP headers.', nameValue('header')),
    attribute: section('Extra attributes.', () => ({
      static: list('Fixed attributes.', nameValue('attribute')),
    })),
  }))
}

const COLLECTOR = 'https://insights-collector.eu01.nr-data.net/'

export const restServerEndpointsConfig = section('Settings of single endpoints.', () => ({
  newRelic: section('New Relic.', () => ({
    postNewRelicMetric: newRelicEndpoint('metrics', `${COLLECTOR}metric/v1`),
    postNewRelicEvent: newRelicEndpoint('events', COLLECTOR),
  })),
}))

export const api = section('More about the REST API.', () => ({
  rateLimitPerMinute: count('Requests per minute and client; 0 = no limit. --api-rate-limit wins.', 6000, {
    min: 0,
    max: 1_000_000,
  }),
  requestTimeout: duration(
    'How long a client may take for the headers of a request (a change needs a restart), and how long its body may stand still; connections without a request are closed after it.',
    '30s',
    { min: 1000, max: 240_000 },
  ),
  connectionsPerAddress: count(
    'Requests of one address under way at a time, and with HTTPS connections; more are refused. 0 = no limit.',
    200,
    { min: 0, max: 100_000 },
  ),
  trustedProxies: list('Addresses of proxies whose X-Forwarded-For is believed.', cidr),
  cors: section('Calls from web pages of other origins.', () => ({
    origins: list(
      'Allowed origins, exact, or "*"; empty = no CORS headers.',
      z.string().refine((value) => value === '*' || isOrigin(value), {
        error: (issue) => `must be an origin like https://qs.acme.example, or "*", found "${issue.input}"`,
      }),
    ),
  })),
  allowedHosts: list(
    'Names by which browsers may call, besides those of this machine: name, or name:port behind a proxy.',
    z.string().refine((value) => /^[^\s/:@*]+(?::\d{1,5})?$/.test(value), {
      error: (issue) => `must be a name like footman.acme.example, without https:// and path, found "${issue.input}"`,
    }),
  ),
}))

function isOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).origin === value
}

export type RestServerConfig = z.output<typeof restServerConfig>
export type RestServerEndpointsEnable = z.output<typeof restServerEndpointsEnable>
export type RestServerEndpointsConfig = z.output<typeof restServerEndpointsConfig>
export type ApiConfig = z.output<typeof api>
