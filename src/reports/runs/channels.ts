/** The channels of deliveries: storage spaces, the hub, mails, mails about outcomes. */
import type { Clock } from '../../platform/types.ts'
import type { SenderRules } from '../addresses.ts'
import type { ReportTaskConfig } from '../config.ts'
import { createDateFormat } from '../date-format.ts'
import type { Hub } from '../hub/index.ts'
import {
  type CarrierDeps,
  type CarrierSettings,
  createFileCarrier,
  createMailCarrier,
  createThrottle,
} from './carriers.ts'
import type { Carrier, DelivererDeps } from './deliver.ts'
import { secretOf } from './document.ts'
import { HUB_OFF } from './making.ts'
import { createNotificationCarrier, type NotifierDeps } from './notify.ts'

type Channels = Pick<DelivererDeps, 'carriers' | 'throttle'>

const leftOut: Carrier = async () => ({ state: 'skipped', detail: 'shadow mode' })

/** Shadow mode sends and writes nothing. */
export const SHADOW_CHANNELS: Channels = {
  throttle: async () => {},
  carriers: { storage: leftOut, hub: leftOut, email: leftOut, notification: leftOut },
}

interface ChannelDeps
  extends Pick<CarrierDeps, 'blobs' | 'spaces' | 'templates'>,
    Pick<NotifierDeps, 'ledger' | 'runLog' | 'mailer'> {
  readonly clock: Clock
  readonly hub: Hub | null
}

interface ChannelSettings extends SenderRules {
  readonly section: ReportTaskConfig
  /** Address of Footman, for links. */
  readonly base: string
  readonly temporaryDirectory: string
  readonly timezone: string
}

export function createChannels(
  { clock, blobs, ledger, runLog, spaces, mailer, templates, hub }: ChannelDeps,
  { section, base, temporaryDirectory, timezone, ...rules }: ChannelSettings,
): Channels {
  const locale = section.defaultLocale
  const deps: CarrierDeps = {
    blobs,
    spaces,
    mailer,
    templates,
    secret: (reference) => secretOf(section.secrets, reference),
    formatTime: (at) => createDateFormat('yyyy-MM-dd HH:mm', { timezone, locale })(new Date(at)),
    timezone,
    hubUrl: hub?.hubUrl ?? (() => ''),
  }
  const { maxAttachmentMb } = section.limits
  const settings: CarrierSettings = { ...rules, host: new URL(base).hostname, temporaryDirectory, maxAttachmentMb }
  return {
    throttle: createThrottle(section.limits.maxMailsPerMinute, () => clock.now()),
    carriers: {
      storage: createFileCarrier(deps, temporaryDirectory),
      hub: hub?.carrier ?? (async () => ({ state: 'failed', code: 'HUB_OFF', detail: HUB_OFF })),
      email: createMailCarrier(deps, settings),
      notification: createNotificationCarrier(
        { ledger, runLog, mailer, runUrl: (id) => `${base}/console/reportrun/${id}` },
        { ...settings, timezone, locale },
      ),
    },
  }
}
