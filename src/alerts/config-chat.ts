/** `Butler.slackNotification`, `Butler.teamsNotification`. */
import type { z } from 'zod'
import { choice, count, file, flag, number, section, text, uri } from '../config/fields.ts'

const MESSAGE_TYPES = ['basic', 'formatted'] as const

/** Keys that a Slack message has and a Teams message lacks. */
function slackSender(channel: string) {
  return {
    channel: text('Channel.', channel),
    fromUser: text('Name of the sender.', 'Qlik Sense'),
    iconEmoji: text('Icon of the sender.', ':ghost:'),
  }
}

/** Keys of every chat message. */
function chatMessage(rateLimit: number, basic: string) {
  return {
    webhookURL: uri('Address to post to.'),
    messageType: choice('basic: one line of text; formatted: the template file.', MESSAGE_TYPES, 'formatted'),
    basicMsgTemplate: text('Template of the basic message.', basic),
    rateLimit: number('Seconds between two messages about the same subject.', rateLimit),
    templateFile: file('Template of the formatted message.', '', { defaultText: 'built-in template' }),
  }
}

function chatScriptLogLines(head: number, tail: number) {
  return {
    headScriptLogLines: count('First lines of the script log offered to the template.', head),
    tailScriptLogLines: count('Last lines of the script log offered to the template.', tail),
  }
}

function reload(outcome: 'failed' | 'aborted') {
  return {
    enable: flag(`Send a message when a reload task ${outcome === 'failed' ? 'has failed' : 'was aborted'}.`),
    ...chatMessage(300, `Qlik Sense reload ${outcome}: "{{taskName}}"`),
    ...chatScriptLogLines(10, 10),
  }
}

function service(outcome: 'stopped' | 'started') {
  return chatMessage(30, `Windows service ${outcome}: "{{serviceName}}" on host "{{host}}"`)
}

const SERVICE_CHANNEL = 'qliksense-service-alert'

export const slackNotification = section('Alerts by Slack.', () => ({
  enable: flag('Send Slack messages.'),
  restMessage: section('The endpoint that posts a Slack message; works even with enable: false.', () => ({
    webhookURL: uri('Address to post to.'),
  })),
  reloadTaskFailure: section('Failed reload tasks.', () => ({
    ...reload('failed'),
    ...slackSender('sense-task-failure'),
  })),
  reloadTaskAborted: section('Aborted reload tasks.', () => ({
    ...reload('aborted'),
    ...slackSender('sense-task-aborted'),
  })),
  serviceStopped: section('Stopped Windows services.', () => ({
    ...service('stopped'),
    ...slackSender(SERVICE_CHANNEL),
  })),
  serviceStarted: section('Started Windows services.', () => ({
    ...service('started'),
    ...slackSender(SERVICE_CHANNEL),
  })),
}))

export const teamsNotification = section('Alerts by Microsoft Teams.', () => ({
  enable: flag('Send Teams messages.'),
  reloadTaskFailure: section('Failed reload tasks.', () => reload('failed')),
  reloadTaskAborted: section('Aborted reload tasks.', () => reload('aborted')),
  serviceStopped: section('Stopped Windows services.', () => service('stopped')),
  serviceStarted: section('Started Windows services.', () => service('started')),
}))

export type SlackNotificationConfig = z.output<typeof slackNotification>
export type TeamsNotificationConfig = z.output<typeof teamsNotification>
