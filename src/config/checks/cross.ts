/** Settings that must fit each other. */
import { parseFrequency } from '../../platform/frequency.ts'
import { topicMatches } from '../../platform/mqtt-topics.ts'
import { type Check, isLoopback } from './check.ts'

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
    `"${topic}" is outside of subscriptionRootTopic "${filter}", so no start request arrives`,
    {
      hint: 'widen subscriptionRootTopic',
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
export const frequencies: Check = ({ config, report }) => {
  for (const section of FREQUENCIES) {
    const settings = sectionOf(config, section) as { enable: boolean; frequency: string }
    const { enable, frequency } = settings
    const path = `${section}.frequency`
    const parsed = parseFrequency(frequency, config.footman.frequencyTimezone)
    if (parsed.ok) {
      if (enable && parsed.value.warning) report('warning', path, parsed.value.warning)
      continue
    }
    // Only matters when the start goes on in spite of errors.
    settings.enable = false
    const message = `"${frequency}" is not a valid frequency for Butler.${path}`
    report(enable ? 'error' : 'warning', path, `CONFIG: ${message}`, { hint: parsed.error, standalone: true })
  }
}

function sectionOf(config: object, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], config)
}

export const qlikUserHeader: Check = ({ config, qlikConnection, report }) => {
  if (!qlikConnection) return
  for (const section of ['configQRS', 'configEngine'] as const) {
    const headers = config[section].headers.static
    if (headers.some(({ name }) => name.toLowerCase() === 'x-qlik-user')) continue
    report('warning', `${section}.headers.static`, 'has no X-Qlik-User, which Qlik Sense asks for', {
      hint: 'add {name: X-Qlik-User, value: UserDirectory=Internal;UserId=sa_repository}',
    })
  }
}

export const sourceValidation: Check = ({ config: { udpServerConfig: udp }, report }) => {
  if (!udp.enable || !udp.enableSourceValidation || udp.allowedSources.length > 0) return
  report(
    'error',
    'udpServerConfig.allowedSources',
    'is empty, but enableSourceValidation is true: every message would be refused',
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
    report('error', path, `"${directory}" is a whole drive`, {
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
