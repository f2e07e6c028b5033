/** What the destinations of `Butler.footman.destinations` share. */
import { hostname } from 'node:os'
import { createMailSender, type MailSender } from '../alerts/destinations/email/mailer.ts'
import { createPacing } from '../alerts/destinations/pacing.ts'
import type { DestinationDeps } from '../alerts/destinations/types.ts'
import { recordLinks } from '../alerts/record.ts'
import type { TemplateEngine } from '../alerts/templates/engine.ts'
import { createTextWriter } from '../alerts/texts/writer.ts'
import type { TimeFormatter } from '../alerts/times.ts'
import type { Config } from '../config/schema.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { VERSION } from '../platform/version.ts'

export interface NamedParts {
  readonly clock: Clock
  readonly log: Logger
  readonly engine: TemplateEngine
  readonly times: TimeFormatter
  /** Null when MQTT is not configured. */
  readonly mqtt: MqttService | null
  /** The absolute paths that a path in the configuration may mean, best first. */
  readonly candidates: (path: string) => readonly string[]
  /** That of the sections of Butler; without it the first destination of type `email` makes one. */
  readonly sender?: MailSender
}

/** Made once; every named destination, those with overridden settings too, is created from it. */
export function destinationDeps(parts: NamedParts, config: Config): DestinationDeps {
  const { clock, log, engine, times } = parts
  const { emailNotification } = config
  let { sender } = parts
  const context = () => ({ ...recordLinks(config), version: VERSION, times, now: clock.now() })
  return {
    ...parts,
    texts: createTextWriter({ engine, log, context }),
    hostname: hostname(),
    version: VERSION,
    pacing: createPacing(clock),
    environment: process.env,
    newRelic: { url: config.incidentTool.newRelic.url, accounts: config.thirdPartyToolsCredentials.newRelic },
    mail: {
      sender: () => {
        sender ??= createMailSender(parts, config)
        return sender
      },
      settings: config.footman.email,
      from: senderOf(emailNotification),
    },
  }
}

/** The first sender that the sections about task mails name. */
function senderOf({ reloadTaskFailure, reloadTaskAborted, reloadTaskSuccess }: Config['emailNotification']): string {
  return [reloadTaskFailure, reloadTaskAborted, reloadTaskSuccess].find((mail) => mail.fromAddress)?.fromAddress ?? ''
}
