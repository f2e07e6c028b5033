import type { Subject } from '../../net/trouble.ts'
import type { DoctorContext, Finding } from '../../types.ts'

const SMTP = 'emailNotification.smtp'

export interface MailSubject extends Subject {
  readonly host: string
  readonly port: number
  readonly section: string
}

export function subjectOf({ config }: DoctorContext): MailSubject {
  const { host, port } = config.emailNotification.smtp
  return {
    ...{ host, port, group: 'smtp', target: `${host}:${port}`, section: `Butler.${SMTP}` },
    ...{ hostKey: `Butler.${SMTP}.host`, portKey: `Butler.${SMTP}.port`, key: `${SMTP}.host` },
  }
}

/** A finding about the server as a whole, or about one key of its section. */
export function mailFinding({ target }: MailSubject, finding: Omit<Finding, 'target' | 'key'>, key = 'host'): Finding {
  return { ...finding, target, key: `${SMTP}.${key}` }
}
