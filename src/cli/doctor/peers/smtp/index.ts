/** The mail server: greeting, TLS, login. No mail is sent. */
import type { DoctorContext, Probe } from '../../types.ts'
import { loginFindings } from './login.ts'
import { lookAtServer } from './server.ts'
import { subjectOf } from './subject.ts'

export const smtp: Probe = {
  group: 'smtp',
  title: 'Mail server',
  applies: ({ config }) => usesMail(config) && config.emailNotification.smtp.host !== '',
  async run(context) {
    const subject = subjectOf(context)
    const { findings, usable } = await lookAtServer(context, subject)
    return usable ? [...findings, ...(await loginFindings(context, subject))] : findings
  },
}

function usesMail({ emailNotification, footman, qlikSenseCloud }: DoctorContext['config']): boolean {
  const { emailNotification: cloud } = qlikSenseCloud.event.mqtt.tenant.alert
  const named = Object.values(footman.destinations).some(({ enable, type }) => enable && type === 'email')
  return emailNotification.enable || named || (qlikSenseCloud.enable && cloud.reloadAppFailure.enable)
}
