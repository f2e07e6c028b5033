/** Names with `;`, which separates the fields of the messages that the scheduler sends. */
import { compare } from '../../../qlik/qrs/filter.ts'
import type { DoctorContext, Finding } from '../types.ts'
import { plural, some } from './probe.ts'
import type { Site } from './site.ts'

const GROUP = 'names'

export async function nameFindings(site: Site, _context: DoctorContext): Promise<readonly Finding[]> {
  const [tasks, apps, users] = await Promise.all([
    site.tasks(),
    site.list('app', compare('name', 'so', ';')),
    site.list('user', compare('userId', 'so', ';')),
  ])
  const findings: Finding[] = []
  const kinds = [
    ['task', 'task', tasks.map(({ name }) => name)],
    ['app', 'app', apps.map(({ name }) => String(name ?? ''))],
  ] as const
  for (const [what, word, names] of kinds) {
    const found = names.filter((name) => name.includes(';'))
    if (found.length === 0) continue
    const message = `${plural(found.length, word)} with ";" in the name: ${some(found)}. Footman reads such messages and settles the names with Qlik Sense; Butler 16 drops them`
    const fix = `nothing needs to be done; a name without ";" also helps other programs that read these messages`
    findings.push({ level: 'info', code: `${GROUP}.${what}`, target: site.target, message, fix })
  }
  const accounts = users.map(({ userId, userDirectory }) => `${userDirectory}\\${userId}`)
  const broken = accounts.filter((name) => name.includes(';'))
  if (broken.length > 0) {
    const message = `${plural(broken.length, 'user id')} with ";": ${some(broken)}. In messages about tasks that such a user starts, a part of the id is taken for the name of the app`
    const fix = 'start these tasks as another user, or give the account an id without ";"'
    findings.push({ level: 'warning', code: `${GROUP}.user`, target: site.target, message, fix })
  }
  if (findings.length > 0) return findings
  return [
    { level: 'ok', code: `${GROUP}.plain`, target: site.target, message: 'no name of a task, app or user holds ";"' },
  ]
}
