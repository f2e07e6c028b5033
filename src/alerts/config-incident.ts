/** `Butler.incidentTool` and the New Relic accounts. */
import { z } from 'zod'
import { count, flag, list, nameValue, number, object, section, text, uri } from '../config/fields.ts'

function signl4Event(outcome: string, severity: number) {
  return section(`${outcome} reload tasks.`, () => ({
    enable: flag('Send an alert.'),
    rateLimit: number('Seconds between two alerts about the same task.', 15),
    serviceName: text('Service named in the alert.', 'Qlik Sense'),
    severity: number('Severity of the alert.', severity, {}),
    includeApp: section('Apps whose reloads are alerted about.', () => ({
      includeAll: flag('All apps; false with a non-empty appId: only those.', true),
      appId: list('App ids.', z.string()),
    })),
  }))
}

const accounts = (description: string) => list(description, z.string())
const attributes = (description: string) => list(description, nameValue('attribute'))

function reloadDestination(property: string, what: 'event' | 'log') {
  return {
    enable: flag(what === 'event' ? 'Send events.' : 'Send log entries.'),
    sendToAccount: section('Accounts to send to.', () => ({
      byCustomProperty: section('Accounts chosen by the task.', () => ({
        enable: flag('Send to the accounts named by the custom property of the task.'),
        customPropertyName: text('Custom property whose values are account names.', property),
      })),
      always: section('Accounts that get everything.', () => ({
        enable: flag('Always send to these accounts.'),
        account: accounts('Account names.'),
      })),
    })),
    attribute: section('Extra attributes.', () => ({
      static: attributes('Fixed attributes.'),
      dynamic: section('Attributes taken from Qlik Sense.', () => ({
        useAppTags: flag('Tags of the app.', true),
        useTaskTags: flag('Tags of the task.', true),
      })),
    })),
  }
}

function sharedSettings(rateLimit: number) {
  return section('Settings of events and log entries.', () => ({
    rateLimit: number('Seconds between two messages about the same subject.', rateLimit),
    header: list('Extra HTTP headers.', nameValue('header')),
    attribute: section('Extra attributes.', () => ({ static: attributes('Fixed attributes.') })),
  }))
}

function newRelicReload(outcome: 'Failed' | 'Aborted') {
  return section(`${outcome} reload tasks.`, () => ({
    destination: section('Destinations of the messages.', () => ({
      event: section('Events.', () => reloadDestination(`Butler_${outcome}Task_Event_NewRelicAccount`, 'event')),
      log: section('Log entries.', () => ({
        ...reloadDestination(`Butler_${outcome}Task_Log_NewRelicAccount`, 'log'),
        tailScriptLogLines: count('Last lines of the script log.', 20),
      })),
    })),
    sharedSettings: sharedSettings(15),
  }))
}

function newRelicService(what: string) {
  return section(what, () => ({
    enable: flag('Send them.'),
    sendToAccount: accounts('Account names.'),
    attribute: section('Extra attributes.', () => ({
      static: attributes('Fixed attributes.'),
      dynamic: section('Attributes of the service.', () => ({
        serviceHost: flag('Host.', true),
        serviceName: flag('Name.', true),
        serviceDisplayName: flag('Label.', true),
        serviceState: flag('State.', true),
      })),
    })),
  }))
}

const transition = (state: string) => section(`The service is ${state}.`, () => ({ enable: flag('Send it.', true) }))

const newRelic = section('New Relic.', () => ({
  enable: flag('Send to New Relic.'),
  destinationAccount: section(
    'Accounts that get every failed and aborted reload, independent of the settings below.',
    () => ({
      event: accounts('Accounts of events.'),
      log: accounts('Accounts of log entries.'),
    }),
  ),
  url: section('Addresses of New Relic.', () => ({
    event: uri('Event API, without path.', 'https://insights-collector.eu01.nr-data.net'),
    log: uri('Log API.', 'https://log-api.eu.newrelic.com/log/v1'),
  })),
  reloadTaskFailure: newRelicReload('Failed'),
  reloadTaskAborted: newRelicReload('Aborted'),
  serviceMonitor: section('Windows services.', () => ({
    destination: section('Destinations of the messages.', () => ({
      event: newRelicService('Events.'),
      log: newRelicService('Log entries.'),
    })),
    monitorServiceState: section('Which changes are sent.', () => ({
      running: transition('running'),
      stopped: transition('stopped'),
    })),
    sharedSettings: sharedSettings(5),
  })),
}))

export const incidentTool = section('Incident tools.', () => ({
  signl4: section('SIGNL4.', () => ({
    enable: flag('Send alerts to SIGNL4.'),
    url: uri('Webhook of the team; a secret.'),
    reloadTaskFailure: signl4Event('Failed', 1),
    reloadTaskAborted: signl4Event('Aborted', 10),
  })),
  newRelic,
}))

export const thirdPartyToolsCredentials = section('Accounts shared by several features.', () => ({
  newRelic: list(
    'New Relic accounts; replaced by those of the command line.',
    object(() => ({
      accountName: z.string().min(1).meta({ description: 'Name by which the account is referred to.' }),
      insertApiKey: text('Key for sending.'),
      accountId: z
        .union([z.number(), z.string()])
        .default('')
        .transform(String)
        .meta({ description: 'Account number.' }),
    })),
  ),
}))

export type IncidentToolConfig = z.output<typeof incidentTool>
export type NewRelicAccount = z.output<typeof thirdPartyToolsCredentials>['newRelic'][number]
