/** Old keys that only moved, and keys of features that no longer exist. `{a,b}` = one row for each. */

export interface Move {
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
export const MOVES: readonly Move[] = [
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
export const REMOVED: readonly string[] = [
  'gitHub',
  `mqttConfig.${SESSION_TOPICS}`,
  'udpServerConfig.portSessionConnectionEvents',
  'restServerEndpointsEnable.{activeUserCount,activeUsers}',
  '{slackNotification,teamsNotification}.userSessionEvents',
  'slackConfig.loginNotificationChannel',
]
