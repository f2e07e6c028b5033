/** What every type of named destination is made of. */
import type { Need } from '../../../events/types.ts'
import type { MqttService } from '../../../mqtt/types.ts'
import type { HttpClient, HttpClientSettings, HttpResponse } from '../../../platform/http-client.ts'
import type { Clock, Logger } from '../../../platform/types.ts'
import type { DestinationConfig } from '../../config-destinations.ts'
import type { EmailConfig } from '../../config-email.ts'
import type { NewRelicAccount } from '../../config-incident.ts'
import type { TemplateEngine } from '../../templates/engine.ts'
import type { AlertText, TextWriter } from '../../texts/writer.ts'
import type { TimeFormatter } from '../../times.ts'
import type { DeliveryResult, PlannedDelivery, RenderInput } from '../../types.ts'
import type { MailSender } from '../email/mailer.ts'
import type { Pacing } from './pacing.ts'

/** The settings of one type. */
export type SettingsOf<T extends DestinationConfig['type']> = Extract<DestinationConfig, { type: T }>

export interface HttpTypeDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly engine: TemplateEngine
  readonly texts: TextWriter
  /** Name of this machine. */
  readonly hostname: string
  /** Of Footman. */
  readonly version: string
  readonly pacing: Pacing
  readonly newRelic: {
    readonly url: { readonly event: string; readonly log: string }
    readonly accounts: readonly NewRelicAccount[]
  }
  /** The absolute paths that a path in the configuration may mean, best first. */
  readonly candidates: (path: string) => readonly string[]
  /** `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, in capitals or not. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Replaced in tests. */
  readonly createClient?: (settings: HttpClientSettings) => HttpClient
}

export interface MailDeps {
  /** One connection to the mail server for all destinations; made with the first one. */
  readonly sender: () => MailSender
  readonly settings: EmailConfig
  /** Sender of destinations that name none. */
  readonly from: string
}

export interface NamedDestinationDeps extends HttpTypeDeps {
  /** Null when MQTT is not configured. */
  readonly mqtt: MqttService | null
  readonly mail: MailDeps
  readonly times: TimeFormatter
}

/** One request, ready to be sent. */
export interface HttpCall {
  /** Default POST. */
  readonly method?: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
  /** The same in plain words, for a receiver that may refuse the form of `body`. */
  readonly plainBody?: string
}

/** What is known when a message is made. */
export interface HttpRenderInput extends RenderInput {
  readonly text: AlertText
}

/** A type of destination that is one HTTP request per message. The members stand in this order in every file. */
export interface HttpType {
  readonly needs: readonly Need[]
  /** Of event and execution nothing is shown but what the text says. */
  readonly showsTextOnly?: true
  /** How its markup wants outside text; default: without control characters. */
  readonly escaped?: (text: string) => string
  /** What a person recognises: the host of the address, a channel. */
  readonly target: string
  /** Whom it reaches when that is more than one place; default: `target`, in a lane of its own. */
  readonly targets?: readonly PlannedDelivery[]
  /** Values that are never shown: tokens, keys, addresses that are secrets. */
  readonly secrets: readonly string[]
  /** At most so many messages in a minute; those of one key share them. */
  readonly pace?: { readonly key: string; readonly perMinute: number }
  render(input: HttpRenderInput): HttpCall | Promise<HttpCall>
  /** What an answer means; default: by its status. */
  result?(response: HttpResponse, now: number): DeliveryResult
  /** The same message in a form that the receiver takes, after it has refused this one; null when there is none. */
  second?(response: HttpResponse, call: HttpCall): HttpCall | null
}

export type HttpTypeFactory<T extends DestinationConfig['type']> = (
  settings: SettingsOf<T>,
  deps: HttpTypeDeps,
  name: string,
) => HttpType

/** Texts show app, result and error line; templates may show the owner. */
export const TEXT_NEEDS: readonly Need[] = ['app', 'owner', 'execution', 'scriptLog']
