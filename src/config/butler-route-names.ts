/** The routes that the sections of Butler can make, and why some of them are not there. */

export interface ButlerRouteName {
  readonly name: string
  /** Name of the destination. */
  readonly to: string
  /** Below `Butler`; each must be true (or, for a topic, not empty). */
  readonly switches: readonly string[]
}

interface Section {
  readonly name: string
  readonly to: string
  /** Where its events are, below `Butler`. */
  readonly at: string
  /** Switches above the section. */
  readonly above?: readonly string[]
}

const CLOUD = 'qlikSenseCloud.event.mqtt.tenant'
const SECTIONS: readonly Section[] = [
  { name: 'emailNotification', to: 'email', at: 'emailNotification' },
  { name: 'webhookNotification', to: 'webhook', at: 'webhookNotification' },
  { name: 'slackNotification', to: 'slack', at: 'slackNotification' },
  { name: 'teamsNotification', to: 'teams', at: 'teamsNotification' },
  { name: 'incidentTool.signl4', to: 'signl4', at: 'incidentTool.signl4' },
  { name: 'incidentTool.newRelic', to: 'newrelic', at: 'incidentTool.newRelic' },
  ...['email', 'slack', 'teams'].map((to) => ({
    name: `qlikSenseCloud.${to}Notification`,
    to,
    at: `${CLOUD}.alert.${to}Notification`,
    above: ['qlikSenseCloud.enable'],
  })),
]

/** Topics of MQTT by the key that names them; an empty topic makes no route. */
const TOPICS = [
  ...['taskFailureTopic', 'taskFailureFullTopic', 'taskAbortedTopic', 'taskAbortedFullTopic'].map(
    (key) => `mqttConfig.${key}`,
  ),
  ...['taskSuccessTopic', 'taskSuccessFullTopic'].map((key) => `footman.mqtt.${key}`),
]

/** The task sections of InfluxDB; those about aborted tasks have one switch together. */
const POINTS = ['reload', 'externalProgram', 'userSync', 'distribute', 'preload'].flatMap((type) => [
  ...['Failure', 'Success'].map((end) => ({ name: `${type}Task${end}`, on: `influxDb.${type}Task${end}.enable` })),
  { name: `${type}TaskAborted`, on: 'footman.influxDb.storeAborted' },
])

/** Events of a section are its members that are switched on and off, or limited, by themselves. */
export function butlerRouteNames(config: unknown): readonly ButlerRouteName[] {
  const topics = TOPICS.map((path) => ({ name: `butler.${path}`, to: 'mqtt', switches: ['mqttConfig.enable', path] }))
  const points = POINTS.map(({ name, on }) => ({
    name: `butler.influxDb.${name}`,
    to: 'influxdb',
    switches: ['influxDb.enable', on],
  }))
  const events = SECTIONS.flatMap(({ name, to, at, above = [] }) => {
    const section = valueAt(config, at)
    if (!isRecord(section)) return []
    return Object.entries(section).flatMap(([event, value]) => {
      if (!isRecord(value) || !EVENT_MEMBERS.some((member) => member in value)) return []
      return [{ name: `butler.${name}.${event}`, to, switches: [...above, `${at}.enable`, `${at}.${event}.enable`] }]
    })
  })
  return [...events, ...topics, ...points]
}

const EVENT_MEMBERS = ['rateLimit', 'webhooks', 'destination']

/** Why this route was not made. */
export function whyOff({ switches }: ButlerRouteName, config: unknown): string {
  const off = switches.find((path) => valueAt(config, path) === false)
  if (off) return `Butler.${off} is false`
  const empty = switches.find((path) => valueAt(config, path) === '')
  return empty ? `Butler.${empty} is empty` : 'nothing to send to is set up for it'
}

function valueAt(config: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), config)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
