/** Settings that must fit each other. */

import { isCidr, isHost } from '../../../config/fields.ts'
import { isLoopback } from '../../../platform/addresses.ts'
import { parseFrequency } from '../../../platform/frequency.ts'
import { mayReach, topicMatches } from '../../../platform/mqtt-topics.ts'
import { isAsInButler } from '../compatibility.ts'
import type { Check } from './check.ts'

/** Two listeners on one port. */
export const duplicatePorts: Check = ({ config, report }) => {
  const { restServerConfig: rest, configVisualisation: page, dockerHealthCheck: health } = config
  const listeners = [
    { on: rest.enable, path: 'restServerConfig.serverPort', port: rest.serverPort },
    { on: page.enable, path: 'configVisualisation.port', port: page.port },
    { on: health.enable, path: 'dockerHealthCheck.port', port: health.port },
  ].filter(({ on }) => on)
  for (const [index, { path, port }] of listeners.entries()) {
    const earlier = listeners.slice(0, index).find((listener) => listener.port === port)
    if (!earlier) continue
    report('error', path, `port ${port} is already used by Butler.${earlier.path}`, {
      hint: 'give each listener its own port',
    })
  }
}

/** Topics that are published to: nothing is sent to the one that starts tasks. */
export const outgoingTopics: Check = ({ config: { mqttConfig, footman }, report }) => {
  if (!mqttConfig.enable) return
  const { taskStartTopic } = mqttConfig
  const topics: readonly (readonly [path: string, topic: unknown])[] = [
    ...Object.entries(mqttConfig).map(([key, value]) => [`mqttConfig.${key}`, value] as const),
    ...Object.entries(footman.mqtt).map(([key, value]) => [`footman.mqtt.${key}`, value] as const),
    ...Object.entries(footman.destinations).map(
      ([name, one]) => [`footman.destinations.${name}.topic`, one.type === 'mqtt' ? one.topic : ''] as const,
    ),
  ].filter(([path]) => /topic$/i.test(path) && !/\.(subscriptionRootTopic|taskStartTopic)$/.test(path))
  for (const [path, topic] of topics) {
    if (typeof topic !== 'string' || topic === '' || !mayReach(taskStartTopic, topic)) continue
    report(
      'warning',
      path,
      `"${topic}" lies within taskStartTopic "${taskStartTopic}", so alerts are not sent to it: they would start tasks`,
      {
        hint: 'give it a topic of its own',
      },
    )
  }
}

/** Without them the alerts have no links to the tenant: `Butler.qlikSenseUrls` is about another Qlik Sense. */
export const cloudLinks: Check = ({ config: { qlikSenseCloud }, report }) => {
  if (!qlikSenseCloud.enable) return
  const { qlikSenseUrls } = qlikSenseCloud.event.mqtt.tenant
  for (const [key, page] of [
    ['qmc', 'console'],
    ['hub', 'analytics/home'],
  ] as const) {
    if (qlikSenseUrls[key] !== '') continue
    const path = `qlikSenseCloud.event.mqtt.tenant.qlikSenseUrls.${key}`
    report('warning', path, 'is missing: alerts about reloads in Qlik Cloud have no such link', {
      hint: `write the address of the tenant followed by /${page}`,
    })
  }
}

export const startTopic: Check = ({ config: { mqttConfig, footman }, report }) => {
  // With a shared group the start topic is subscribed on its own.
  if (!mqttConfig.enable || footman.mqtt.sharedGroup !== '') return
  const { taskStartTopic: topic, subscriptionRootTopic: filter } = mqttConfig
  if (topic === '' || topicMatches(filter, topic)) return
  report(
    'warning',
    'mqttConfig.taskStartTopic',
    `"${topic}" is outside of subscriptionRootTopic "${filter}", so Butler got no start requests; Footman subscribes to it besides`,
    {
      hint: "widen subscriptionRootTopic, or set taskStartTopic: '' when nothing is to be started",
    },
  )
}

const FREQUENCIES = [
  'heartbeat',
  'uptimeMonitor',
  'serviceMonitor',
  'qlikSenseVersion.versionMonitor',
  'qlikSenseLicense.serverLicenseMonitor',
  'qlikSenseLicense.licenseMonitor',
  'qlikSenseLicense.licenseRelease',
]

/** A text that fires never or at surprising times. */
export const frequencies: Check = ({ config, written, report }) => {
  for (const section of FREQUENCIES) {
    const settings = sectionOf(config, section) as { enable: boolean; frequency: string }
    const { enable, frequency } = settings
    const path = `${section}.frequency`
    if (!written(path)) continue
    const parsed = parseFrequency(frequency, config.footman.frequencyTimezone)
    if (parsed.ok) {
      if (enable && parsed.value.warning) report('warning', path, parsed.value.warning)
      continue
    }
    settings.enable = false
    if (!enable && isAsInButler('unusedValues', config.footman.compatibility)) continue
    const message = `"${frequency}" is not a valid frequency for Butler.${path}`
    const options = { hint: parsed.error, standalone: true, ...(enable && { feature: section }) } as const
    report(enable ? 'error' : 'warning', path, `CONFIG: ${message}`, options)
  }
}

function sectionOf(config: object, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], config)
}

export const qlikUserHeader: Check = ({ config, qlikConnection, written, report }) => {
  if (!qlikConnection) return
  const hint = 'add {name: X-Qlik-User, value: UserDirectory=Internal;UserId=sa_repository}'
  if (config.configQRS.host !== '' && !written('configQRS.headers.static[0]')) {
    const message = 'sets no X-Qlik-User, so Qlik Sense is asked as INTERNAL\\sa_repository'
    report('warning', 'configQRS.headers.static', message, { hint: `${hint}, or the user that Footman is to be` })
  }
  for (const section of ['configQRS', 'configEngine'] as const) {
    const headers = config[section].headers.static
    if (headers.some(({ name, value }) => name.toLowerCase() === 'x-qlik-user' && value.trim() !== '')) continue
    report('warning', `${section}.headers.static`, 'has no X-Qlik-User, which Qlik Sense asks for', { hint })
  }
}

export const sourceValidation: Check = ({ config: { udpServerConfig: udp }, report }) => {
  if (!udp.enable || !udp.enableSourceValidation) return
  udp.allowedSources.forEach((source, index) => {
    if (isCidr(source) || isHost(source)) return
    const hint = 'write an address like 10.1.2.4, a network like 10.1.2.0/24 or a host name'
    report('warning', `udpServerConfig.allowedSources[${index}]`, `"${source}" is none, so no sender matches it`, {
      hint,
    })
  })
  const usable = udp.allowedSources.filter((source) => isCidr(source) || isHost(source))
  const what = udp.allowedSources.length === 0 ? 'is empty' : 'names no sender'
  udp.allowedSources = usable
  if (usable.length > 0) return
  report(
    'error',
    'udpServerConfig.allowedSources',
    `${what}, but enableSourceValidation is true: every message would be refused`,
    {
      feature: 'udpServerConfig',
      hint: 'list the addresses of the Qlik Sense nodes, or set enableSourceValidation: false',
    },
  )
  udp.enable = false
}

export const clearTextPage: Check = ({ config: { configVisualisation: page }, report }) => {
  if (!page.enable || page.obfuscate || isLoopback(page.host)) return
  report(
    'error',
    'configVisualisation.obfuscate',
    `is false, but the page listens on ${page.host}: it would show secrets to everybody`,
    {
      feature: 'configVisualisation',
      hint: 'set obfuscate: true or host: localhost',
    },
  )
  page.enable = false
}

/** The audit leaves this machine over TLS only. */
export const clearTextAudit: Check = ({ config: { footman }, report }) => {
  const { syslog, webhook } = footman.audit
  const hint = 'use TLS, or a relay on this machine'
  if (syslog.host !== '' && !syslog.tls && !isLoopback(syslog.host)) {
    report('error', 'footman.audit.syslog.tls', `is false, but ${syslog.host} is another machine`, { hint })
  }
  const { protocol, hostname } = webhook.url === '' ? { protocol: '', hostname: '' } : new URL(webhook.url)
  if (protocol === 'http:' && !isLoopback(hostname.replaceAll(/[[\]]/g, ''))) {
    report('error', 'footman.audit.webhook.url', 'sends the audit to another machine without TLS', { hint })
  }
}

/** `/` or a drive as approved directory would open the whole computer. */
export const rootApprovals: Check = ({ config, report }) => {
  if (config.footman.files.allowRootApproval) return
  const pairs = ['fileCopyApprovedDirectories', 'fileMoveApprovedDirectories'] as const
  const directories = [
    ...pairs.flatMap((list) =>
      config[list].flatMap((pair, index) =>
        (['fromDirectory', 'toDirectory'] as const).map((key) => [`${list}[${index}].${key}`, pair[key]] as const),
      ),
    ),
    ...config.fileDeleteApprovedDirectories.map(
      (path, index) => [`fileDeleteApprovedDirectories[${index}]`, path] as const,
    ),
    ...(config.footman.files.createDirApprovedDirectories ?? []).map(
      (path, index) => [`footman.files.createDirApprovedDirectories[${index}]`, path] as const,
    ),
  ]
  for (const [path, directory] of directories) {
    if (!/^(\/|\\|[a-zA-Z]:[\\/]?)$/.test(directory.trim())) continue
    report('error', path, `"${directory}" is a whole drive and approves nothing`, {
      feature: path,
      hint: 'name a folder, or set Butler.footman.files.allowRootApproval: true',
    })
  }
}

const EMAIL = /^[^\s@<>]+@[^\s@<>]+$/

export const mailAddresses: Check = ({ config: { emailNotification, footman }, report }) => {
  if (!emailNotification.enable) return
  for (const [event, block] of Object.entries(emailNotification)) {
    if (typeof block === 'boolean' || !('recipients' in block)) continue
    for (const [index, recipient] of block.recipients.entries()) {
      const address = /<([^<>]*)>\s*$/.exec(recipient)?.[1] ?? recipient.trim()
      if (EMAIL.test(address)) continue
      report('warning', `emailNotification.${event}.recipients[${index}]`, `"${recipient}" is not a mail address`, {
        hint: 'write it like ops@example.com',
      })
    }
  }
  const { testMode } = footman.email
  if (!testMode.enable || EMAIL.test(testMode.address)) return
  report('error', 'footman.email.testMode.address', `must be a mail address, found "${testMode.address}"`, {
    hint: 'set it, or switch testMode off',
  })
}

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export const allowedTaskIds: Check = ({ config: { startTaskFilter }, report }) => {
  if (!startTaskFilter.enable) return
  for (const [index, id] of startTaskFilter.allowTask.taskId.entries()) {
    if (!GUID.test(id)) report('warning', `startTaskFilter.allowTask.taskId[${index}]`, `"${id}" is not a task ID`)
  }
}

export const keyValueSwitch: Check = ({ config, written, report }) => {
  const { restServerConfig, restServerEndpointsEnable, keyValueStore } = config
  if (!restServerConfig.enable || !restServerEndpointsEnable.keyValueStore) return
  if (keyValueStore.enable || !written('keyValueStore.enable')) return
  report(
    'warning',
    'keyValueStore.enable',
    'KEYVALUE: Butler.keyValueStore.enable is false but the REST endpoints are enabled; the store is active',
    { standalone: true },
  )
}

export const listenAddress: Check = ({ config: { restServerConfig }, written, report }) => {
  if (!restServerConfig.enable || written('restServerConfig.serverHost')) return
  const message =
    "CONFIG: the REST API only listens on localhost; set 'Butler.restServerConfig.serverHost: 0.0.0.0' to open it"
  report('info', 'restServerConfig.serverHost', message, { standalone: true })
}

export const telemetry: Check = ({ written, report }) => {
  if (!written('anonTelemetry')) return
  const message = "CONFIG: 'Butler.anonTelemetry' is accepted for compatibility; this program sends no telemetry."
  report('info', 'anonTelemetry', message, { standalone: true })
}
