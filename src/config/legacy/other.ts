/** Single translations that are more than a move. */
import { clone } from '../tree.ts'
import type { LegacyContext } from './context.ts'

const RELEASE = 'qlikSenseLicense.licenseRelease'

/** When users were listed like this there was no dry run: releases were real, and stay so. */
export function neverReleaseUsers(legacy: LegacyContext): void {
  const from = `${RELEASE}.neverReleaseUsers`
  if (!legacy.has(from)) return
  const at = legacy.place(from)
  legacy.move(from, `${RELEASE}.neverRelease.user`, '11.1–12.1')
  if (legacy.has(`${RELEASE}.dryRun`)) return
  legacy.setValue(`${RELEASE}.dryRun`, false, at)
  if (legacy.value(`${RELEASE}.enable`) === false) return
  legacy.note(
    'warning',
    from,
    `CONFIG DEPRECATED: 'Butler.${RELEASE}.dryRun' is missing and the section is of a Butler that knew no dry run: licences are really released.`,
    at,
  )
}

const WEBHOOK_BLOCKS = [
  'reloadTaskFailure',
  'reloadTaskAborted',
  'serviceMonitor',
  'qlikSenseServerLicenseMonitor',
  'qlikSenseServerLicenseExpiryAlert',
]

/** The manuals show one rate limit for all webhooks. */
export function webhookRateLimit(legacy: LegacyContext): void {
  const node = legacy.get('webhookNotification.rateLimit')
  if (!node) return
  const at = legacy.place('webhookNotification.rateLimit')
  legacy.note(
    'info',
    'webhookNotification.rateLimit',
    "CONFIG: 'Butler.webhookNotification.rateLimit' is read as the rateLimit of every block that has none",
  )
  legacy.drop('webhookNotification.rateLimit')
  for (const block of WEBHOOK_BLOCKS) {
    const path = `webhookNotification.${block}.rateLimit`
    if (!legacy.has(path)) legacy.set(path, clone(node), at)
  }
}

/** Keys that only files of Butler 2 have. */
const BUTLER_2 = [
  'configEngine.server',
  'configEngine.isSecure',
  'configEngine.cert',
  'configQRS.cert',
  'qvdPath',
  'mqttConfig.brokerIP',
  'udpServerConfig.serverIP',
]

/** Butler 2 had no switches for its endpoints. */
const BUTLER_2_ENDPOINTS = [
  ...['base62ToBase16', 'base16ToBase62', 'butlerping', 'createDir', 'createDirQVD', 'mqttPublishMessage'],
  ...['senseAppDump', 'senseListApps', 'senseStartTask', 'slackPostMessage'],
]

/** In Butler 2 a section that was there was on. To be called before these keys are moved. */
export function presenceMeansOn(legacy: LegacyContext): void {
  if (!legacy.presenceMeansOn || !BUTLER_2.some((path) => legacy.has(path))) return
  for (const section of ['mqttConfig', 'udpServerConfig', 'restServerConfig']) {
    if (legacy.get(section)?.kind !== 'map' || legacy.has(`${section}.enable`) || legacy.has(`${section}.enabled`))
      continue
    const at = legacy.place(section)
    legacy.setValue(`${section}.enable`, true, at)
    legacy.older(
      section,
      `CONFIG DEPRECATED: 'Butler.${section}' (Butler 2.x) has no 'enable'; it is read as on. Please update the config file.`,
      at,
    )
  }
  if (legacy.get('restServerConfig')?.kind !== 'map') return
  const at = legacy.place('restServerConfig')
  if (!legacy.has('restServerConfig.serverHost')) legacy.setValue('restServerConfig.serverHost', '0.0.0.0', at)
  if (legacy.has('restServerEndpointsEnable')) return
  for (const endpoint of BUTLER_2_ENDPOINTS) legacy.setValue(`restServerEndpointsEnable.${endpoint}`, true, at)
}
