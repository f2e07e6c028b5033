/** Older layouts of the configuration file, translated to the present one before anything is checked. */
import type { Problem, ProblemList } from '../problems.ts'
import type { MapNode } from '../tree.ts'
import { createLegacyContext, expand, type LegacyContext } from './context.ts'
import {
  eventSwitches,
  flatSettings,
  headerMappings,
  headerPair,
  instanceTag,
  missingAccountLists,
  namelessDestinations,
  neverReleaseUsers,
  presenceMeansOn,
  quotedValues,
  rejectUnauthorized,
  restMessage,
  singleAccount,
  singleUrl,
  slackConfig,
  teamsConfig,
  uptimeConnection,
  webhookRateLimit,
} from './sections.ts'

type Step = (legacy: LegacyContext) => void

const STEPS: readonly Step[] = [
  presenceMeansOn,
  removedFeatures,
  slackConfig,
  teamsConfig,
  moves,
  restMessage,
  webhookRateLimit,
  uptimeConnection,
  instanceTag,
  flatSettings,
  headerMappings,
  headerPair,
  rejectUnauthorized,
  quotedValues,
  neverReleaseUsers,
  singleAccount,
  namelessDestinations,
  singleUrl,
  eventSwitches,
  missingAccountLists,
]

/**
 * `root` is the whole file with its key `Butler`. `withoutSwitchIsOn`: sections of a layout that had no `enable` count as
 * switched on. Notes are added in the order of the file.
 */
export function translateLegacy(
  root: MapNode,
  { withoutSwitchIsOn }: { readonly withoutSwitchIsOn: boolean },
  problems: ProblemList,
): void {
  const notes: Problem[] = []
  const legacy = createLegacyContext(root, notes, withoutSwitchIsOn)
  for (const step of STEPS) step(legacy)
  for (const note of notes.sort((a, b) => a.line - b.line || a.column - b.column)) problems.add(note)
}

/** One line instead of one for each key of an older layout; `file` as the user gave it. */
export function summarised(notes: readonly Problem[], file: string): readonly Problem[] {
  const older = notes.filter((note) => note.older)
  const [first] = older
  if (!first) return notes
  const count =
    older.length === 1
      ? '1 setting stands where older Butlers had it; it is read as before'
      : `${older.length} settings stand where older Butlers had them; they are read as before`
  const message = `CONFIG DEPRECATED: ${count}`
  const hint = `"footman migrate-config ${file}" shows and writes the present layout`
  const { line, column } = first
  const path = 'Butler'
  const line1: Problem = { severity: 'warning', path, message, hint, standalone: true, older: true, file, line, column }
  return notes.flatMap((note) => (note === first ? [line1] : note.older ? [] : [note]))
}

function moves(legacy: LegacyContext): void {
  for (const { from, to, versions } of MOVES) {
    const targets = expand(to)
    for (const [index, source] of expand(from).entries()) legacy.move(source, targets[index]!, versions)
  }
}

function removedFeatures(legacy: LegacyContext): void {
  for (const path of REMOVED.flatMap(expand)) {
    if (!legacy.has(path)) continue
    legacy.note('warning', path, `CONFIG: 'Butler.${path}' belongs to a feature that no longer exists; ignored.`)
    legacy.drop(path)
  }
}

interface Move {
  readonly from: string
  /** With as many braces as `from`. */
  readonly to: string
  /** Versions of Butler that knew `from`; absent = a slip of the manuals, only worth an info line. */
  readonly versions?: string
}

export const MAILS =
  '{reloadTaskSuccess,reloadTaskAborted,reloadTaskFailure,distributeTaskSuccess,distributeTaskFailure,preloadTaskSuccess,preloadTaskFailure}'
const OLD_MAILS = '{reloadTaskFailure,reloadTaskAborted,serviceStopped,serviceStarted}'
export const RELOADS = '{reloadTaskFailure,reloadTaskAborted}'

/** Applied in this order: sections first, then what is in them. */
const MOVES: readonly Move[] = [
  { from: 'incidetTool', to: 'incidentTool' },
  {
    from: 'emailNotification.reladTask{Failure,Aborted}',
    to: 'emailNotification.reloadTask{Failure,Aborted}',
    versions: '4.2–4.3',
  },
  { from: `emailNotification.${RELOADS}.toAdress`, to: `emailNotification.${RELOADS}.recipients`, versions: '4.2–4.3' },
  {
    from: `emailNotification.${OLD_MAILS}.fromAdress`,
    to: `emailNotification.${OLD_MAILS}.fromAddress`,
    versions: '5.0–12.4',
  },
  {
    from: `emailNotification.${MAILS}.alertEnableByEmailAddress`,
    to: `emailNotification.${MAILS}.alertEnabledByEmailAddress`,
  },
  { from: 'udpServerConfig.enabled', to: 'udpServerConfig.enable' },
  { from: 'udpServerConfig.deduplicationEnable', to: 'udpServerConfig.deduplication.enable' },
  { from: 'udpServerConfig.deduplicationTtlMinutes', to: 'udpServerConfig.deduplication.ttlMinutes' },
  { from: 'udpServerConfig.serverIP', to: 'udpServerConfig.serverHost', versions: '2.0–2.2' },
  { from: 'mqttConfig.serviceStartedTopic', to: 'mqttConfig.serviceRunningTopic' },
  { from: 'mqttConfig.serviceStateTopic', to: 'mqttConfig.serviceStatusTopic' },
  { from: 'mqttConfig.brokerIP', to: 'mqttConfig.brokerHost', versions: '2.0' },
  {
    from: 'restServerEndpointsEnable.apiListEnbledEndpoints',
    to: 'restServerEndpointsEnable.apiListEnabledEndpoints',
    versions: '4.0–13.1',
  },
  {
    from: 'scriptLog.storeOnDisk.reloadTaskFailure',
    to: 'scriptLog.storeOnDisk.clientManaged.reloadTaskFailure',
    versions: '7.2–12.4',
  },
  { from: 'heartbeat.enabled', to: 'heartbeat.enable', versions: '3.1' },
  { from: 'configEngine.{server,serverPort,isSecure}', to: 'configEngine.{host,port,useSSL}', versions: '2.0–2.2' },
  { from: 'configQRS.{cert,key,ca}', to: 'cert.{clientCert,clientCertKey,clientCertCA}', versions: '2.0–2.2' },
  { from: 'configEngine.{cert,key}', to: 'cert.{clientCert,clientCertKey}', versions: '2.0–2.2' },
  { from: 'qvdPath', to: 'configDirectories.qvdPath', versions: '2.0–2.2' },
  {
    from: `incidentTool.newRelic.${RELOADS}.{rateLimit,header}`,
    to: `incidentTool.newRelic.${RELOADS}.sharedSettings.{rateLimit,header}`,
    versions: '7.3–7.5',
  },
  {
    from: `incidentTool.newRelic.${RELOADS}.attribute.static`,
    to: `incidentTool.newRelic.${RELOADS}.sharedSettings.attribute.static`,
    versions: '7.3–7.5',
  },
]

const SESSION_TOPICS =
  '{sessionStartTopic,sessionStopTopic,connectionOpenTopic,connectionCloseTopic,sessionServerStatusTopic,activeUserCountTopic,activeUsersTopic}'

/** Keys of features that no longer exist. */
const REMOVED: readonly string[] = [
  'gitHub',
  `mqttConfig.${SESSION_TOPICS}`,
  'udpServerConfig.portSessionConnectionEvents',
  'restServerEndpointsEnable.{activeUserCount,activeUsers}',
  '{slackNotification,teamsNotification}.userSessionEvents',
  'slackConfig.loginNotificationChannel',
]
