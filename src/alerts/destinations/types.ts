/** The contract of a destination type. Adding a type: one file that exports it, one line in index.ts. */
import type { Need } from '../../events/types.ts'
import type { MqttService } from '../../mqtt/types.ts'
import type { ClientDeps, ClientSettings } from '../../platform/client-source.ts'
import type { ConnectionGuard, HttpResponse } from '../../platform/http-client.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import type { EmailConfig } from '../config-email.ts'
import type { NewRelicAccount } from '../config-incident.ts'
import type { AlertText, TextWriter } from '../message-text/writer.ts'
import type { TemplateEngine } from '../templates/engine.ts'
import type { TimeFormatter } from '../times.ts'
import type { DeliveryResult, PlannedDelivery, RenderInput, TargetedDestination } from '../types.ts'
import type { MailSender } from './email/mailer.ts'
import type { Pacing } from './pacing.ts'
import type { Fields, Finding, SettingsOf } from './settings.ts'

/**
 * The members stand in this order in every file. `Made` is what `create` returns: a whole destination, or the parts of
 * one that is an HTTP request per message (`httpDestination`).
 */
export interface DestinationType<Config extends () => Fields = () => Fields, Made = TargetedDestination> {
  /** The name of the service, as people write it. */
  readonly title: string
  /** One sentence for the choice of a type. */
  readonly about: string
  /**
   * `alert`: people read it; maintenance, snoozes, groups and pending retries suppress its messages.
   * `incident`: an alert that stays open until a recovery closes it. `record`: it gets every message.
   */
  readonly purpose: 'alert' | 'incident' | 'record'
  /** Its settings beside the common ones, with a description each. */
  readonly config: Config
  /** The first conflict between keys that are valid on their own; null when there is none. */
  readonly problem?: (settings: SettingsOf<Config>) => Finding | null
  /** Findings of `footman check`, made without sending a message. */
  readonly check?: (settings: SettingsOf<Config>, context: CheckContext) => Findings
  /** The HTTP server to which `footman doctor` connects; null = a connection that it tests elsewhere (mail, MQTT). */
  readonly server: (settings: SettingsOf<Config>, newRelic: NewRelicUrls) => ServerAddress | null
  readonly create: (settings: SettingsOf<Config>, deps: DestinationDeps, name: string) => Made
}

export type Findings = readonly Finding[] | Promise<readonly Finding[]>
/** The key that names the server, or stands for it, and its address. */
export type ServerAddress = readonly [key: string, url: string]

/** The addresses of `Butler.incidentTool.newRelic.url`. */
export interface NewRelicUrls {
  readonly event: string
  readonly log: string
}

/** The parts of the configuration that destinations rely on. */
export interface CheckConfig {
  readonly mqttConfig: { readonly enable: boolean }
  readonly emailNotification: { readonly smtp: { readonly host: string } }
  readonly thirdPartyToolsCredentials: { readonly newRelic: readonly NewRelicAccount[] }
}

export interface CheckContext {
  readonly name: string
  readonly engine: TemplateEngine
  readonly config: CheckConfig
  /** A failed reload, as the destination would get it. */
  sample(): Promise<HttpRenderInput>
}

export interface MailDeps {
  /** One connection to the mail server for all destinations; made with the first one. */
  readonly sender: () => MailSender
  readonly settings: EmailConfig
  /** Sender of destinations that name none. */
  readonly from: string
}

export interface DestinationDeps extends ClientDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly engine: TemplateEngine
  readonly texts: TextWriter
  readonly times: TimeFormatter
  /** Name of this machine. */
  readonly hostname: string
  /** Version of Footman. */
  readonly version: string
  readonly pacing: Pacing
  /** Absent: its address may be any. */
  readonly guard?: ConnectionGuard
  readonly newRelic: { readonly url: NewRelicUrls; readonly accounts: readonly NewRelicAccount[] }
  /** Null when MQTT is not configured. */
  readonly mqtt: MqttService | null
  readonly mail: MailDeps
}

/** One request, ready to be sent. */
export interface HttpCall {
  /** Default POST. */
  readonly method?: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** The same without markup, for a receiver that may refuse the form of `body`. */
  readonly plainBody?: string
  /** Added to the detail of the delivery when it is delivered. */
  readonly note?: string
  /** Redirects that are followed; default none. */
  readonly redirects?: number
  /** Instead of the authority in the settings of the destination. */
  readonly tls?: ClientSettings
  /** Configuration key of the address; it is named when the server cannot be reached. */
  readonly key?: string
  /** Logged when the request leaves; at level info only texts of Butler. */
  readonly announcement?: { readonly level: 'info' | 'verbose'; readonly text: string }
}

/** The event, its rule and delivery, and the message text. */
export interface HttpRenderInput extends RenderInput {
  readonly text: AlertText
}

/** A destination that is one HTTP request per message. The members stand in this order in every file. */
export interface HttpParts {
  readonly needs: readonly Need[]
  /** The message shows nothing of event and execution but the text. */
  readonly showsTextOnly?: true
  /** Escapes text of the event for its markup; default: removes control characters. */
  readonly escaped?: (text: string) => string
  /** Shown to people: the host of the address, a channel. */
  readonly target: string
  /** Its receivers when there are several; default: `target`, in a lane of its own. */
  readonly targets?: readonly PlannedDelivery[]
  /** Values that are never shown: tokens, keys, addresses that are secrets. */
  readonly secrets: readonly string[]
  /** The largest number of messages per minute; destinations with the same key share it. */
  readonly pace?: { readonly key: string; readonly perMinute: number }
  render(input: HttpRenderInput): HttpCall | Promise<HttpCall>
  /** The result that an answer means; default: by its status. */
  result?(response: HttpResponse, now: number): DeliveryResult
  /** The same message in a form that the receiver takes, after it has refused this one; null when there is none. */
  second?(response: HttpResponse, call: HttpCall): HttpCall | null
}

/** Texts show app, result and error line; templates may show the owner. */
export const TEXT_NEEDS: readonly Need[] = ['app', 'owner', 'execution', 'scriptLog']
