/** Slack and Teams before Butler 5. */
import { clone } from '../tree.ts'
import type { LegacyContext } from './context.ts'

const VERSIONS = { slack: '2.0–4.3', teams: '4.2–4.3' }

export function slackConfig(legacy: LegacyContext): void {
  if (!legacy.has('slackConfig')) return
  const at = legacy.place('slackConfig')
  // Before 3.0 the section alone switched Slack on.
  if (legacy.has('slackConfig.enable')) legacy.move('slackConfig.enable', 'slackNotification.enable', VERSIONS.slack)
  else if (legacy.presenceMeansOn && !legacy.has('slackNotification.enable'))
    legacy.setValue('slackNotification.enable', true, at)
  for (const [event, channel] of [
    ['reloadTaskFailure', 'taskFailureChannel'],
    ['reloadTaskAborted', 'taskAbortedChannel'],
  ]) {
    if (!legacy.has(`slackConfig.${channel}`)) continue
    basicAlert(legacy, `slackNotification.${event}`, 'slackConfig.webhookURL')
    legacy.move(`slackConfig.${channel}`, `slackNotification.${event}.channel`, VERSIONS.slack)
  }
  legacy.move('slackConfig.webhookURL', 'slackNotification.restMessage.webhookURL', VERSIONS.slack)
  dropIfEmpty(legacy, 'slackConfig')
}

export function teamsConfig(legacy: LegacyContext): void {
  if (!legacy.has('teamsConfig')) return
  legacy.move('teamsConfig.enable', 'teamsNotification.enable', VERSIONS.teams)
  if (legacy.has('teamsConfig.taskFailureWebhookURL')) {
    basicAlert(legacy, 'teamsNotification.reloadTaskFailure')
    legacy.move('teamsConfig.taskFailureWebhookURL', 'teamsNotification.reloadTaskFailure.webhookURL', VERSIONS.teams)
  }
  dropIfEmpty(legacy, 'teamsConfig')
}

/** The messages of that time were one line of text. */
function basicAlert(legacy: LegacyContext, section: string, urlFrom?: string): void {
  const at = legacy.place(urlFrom ?? section)
  if (!legacy.has(`${section}.enable`)) legacy.setValue(`${section}.enable`, true, at)
  if (!legacy.has(`${section}.messageType`)) legacy.setValue(`${section}.messageType`, 'basic', at)
  const url = urlFrom ? legacy.get(urlFrom) : undefined
  if (url && !legacy.has(`${section}.webhookURL`)) legacy.set(`${section}.webhookURL`, clone(url), at)
}

function dropIfEmpty(legacy: LegacyContext, section: string): void {
  const node = legacy.get(section)
  if (node?.kind === 'map' && node.entries.size > 0) return
  legacy.drop(section)
}

/** `restMessage.enable: false` kept the endpoint from posting. */
export function restMessage(legacy: LegacyContext): void {
  const path = 'slackNotification.restMessage.enable'
  const value = legacy.value(path)
  if (value === undefined) return
  const at = legacy.place(path)
  legacy.deprecated(path, '5.0–7.3', 'restServerEndpointsEnable.slackPostMessage', at)
  legacy.drop(path)
  if (value === false) legacy.setValue('restServerEndpointsEnable.slackPostMessage', false, at)
}
