/** What the configured user may see and do on the site. Nothing is started to find out. */

import type { Config } from '../../../app/schema.ts'
import { and, eq } from '../../../qlik/qrs/filter.ts'
import { toCount } from '../../../qlik/qrs/normalise.ts'
import type { DoctorContext, Finding } from '../types.ts'
import { identityOf } from './identity.ts'
import { plural } from './probe.ts'
import type { Site } from './site.ts'

const GROUP = 'rights'
const KEY = 'configQRS.headers.static'
/** Accounts of Qlik Sense itself, and the roles whose rules let somebody start every task. */
const INTERNAL = /^sa_(repository|scheduler|api|engine|proxy)$/i
const ROLES = ['RootAdmin', 'ContentAdmin', 'DeploymentAdmin']

export async function rightsFindings(site: Site, { config }: DoctorContext): Promise<readonly Finding[]> {
  const identity = identityOf(config.configQRS.headers.static, KEY)
  if ('problem' in identity) return []
  const { directory, userId, name } = identity
  const transport = await site.transport()
  const count = toCount((await transport.json({ path: 'task/count' })).value) ?? 0
  if (count === 0) {
    const fix = `give ${name} the role ContentAdmin in the QMC, or use sa_repository in Butler.${KEY}`
    const message = `${name} sees no task: the site has none, or the user has no right to read them`
    return [{ level: 'warning', code: `${GROUP}.no-tasks`, target: name, message, fix, key: KEY }]
  }
  const reads: Finding = {
    ...{ level: 'ok', code: `${GROUP}.read`, target: name, key: KEY },
    message: `may read tasks (${plural(count, 'task')})`,
  }
  if (!startsTasks(config)) return [reads]
  if (directory.toLowerCase() === 'internal' && INTERNAL.test(userId)) {
    return [reads, { level: 'ok', code: `${GROUP}.start`, target: name, message: 'may start tasks', key: KEY }]
  }
  const [user] = await site.list('user', and(eq('userDirectory', directory), eq('userId', userId)))
  const roles = Array.isArray(user?.roles) ? user.roles.map(String) : []
  const role = ROLES.find((one) => roles.includes(one))
  if (role) {
    return [
      reads,
      { level: 'ok', code: `${GROUP}.start`, target: name, message: `may start tasks (${role})`, key: KEY },
    ]
  }
  const message = `has none of the roles ${ROLES.join(', ')}: starting tasks is refused unless a security rule of its own allows it`
  const fix = `give ${name} the role ContentAdmin in the QMC, or use sa_repository in Butler.${KEY}`
  return [reads, { level: 'warning', code: `${GROUP}.start`, target: name, message, fix, key: KEY }]
}

function startsTasks({ restServerConfig, restServerEndpointsEnable, mqttConfig, scheduler, footman }: Config): boolean {
  const byRest = restServerConfig.enable && restServerEndpointsEnable.senseStartTask
  return byRest || mqttConfig.enable || scheduler.enable || footman.retryPolicy.enable
}
