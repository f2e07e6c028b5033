/** The apps of reports in the engine: a run may open each of them, and they have what the templates name. */
import { errorText } from '../../../platform/errors.ts'
import { EngineError } from '../../../qlik/engine/errors.ts'
import type { EngineClient } from '../../../qlik/engine/types.ts'
import { ReportError } from '../../../reports/codes.ts'
import { openApp } from '../../../reports/data/app.ts'
import { openSession } from '../../../reports/data/index.ts'
import { unresolved } from '../../../reports/data/resolve.ts'
import { EvaluationError } from '../../../reports/types.ts'
import { engineClient } from '../site/engine.ts'
import { identityOf, NO_CERTIFICATES, plural, type Site, some } from '../site/site.ts'
import type { DoctorContext, Finding } from '../types.ts'
import type { UsedReport } from './stored.ts'

/** Apps that are open at the same time. */
const AT_ONCE = 4
const SETTINGS = 'Butler.configEngine.headers.static'

interface Use {
  readonly appId: string
  readonly reports: readonly UsedReport[]
  /** Whether a task opens it as the user of the configuration; others do as each recipient, which costs a licence. */
  readonly byService: boolean
}

interface Examination {
  readonly client: EngineClient
  /** `DIR\id` */
  readonly user: string
  /** Milliseconds of one call. */
  readonly timeout: number
  readonly signal: AbortSignal
  /** Expressions of tags, by id of the report. */
  readonly expressions: ReadonlyMap<string, readonly string[]>
}

/** Opens every app of the enabled tasks, within `timeLimit` milliseconds for all of them. */
export async function appFindings(
  reports: readonly UsedReport[],
  expressions: Examination['expressions'],
  site: Site,
  { config: { configEngine }, timeout }: DoctorContext,
  timeLimit: number,
): Promise<readonly Finding[]> {
  const uses = usesOf(reports)
  const identity = identityOf(configEngine.headers.static, 'configEngine.headers.static')
  // A wrong user is reported with the engine.
  if (uses.length === 0 || 'problem' in identity) return []
  const target = `${configEngine.host}:${configEngine.port}`
  const pems = configEngine.useSSL ? await site.certificates() : null
  if (configEngine.useSSL && pems === null) return [notExamined(target, NO_CERTIFICATES)]
  const examination = {
    client: engineClient(configEngine, pems, timeout),
    user: identity.name,
    timeout,
    expressions,
    signal: AbortSignal.timeout(timeLimit),
  }
  const findings: Finding[] = []
  let opened = 0
  const late: string[] = []
  const queue = [...uses]
  const work = async (): Promise<void> => {
    for (let use = queue.shift(); use; use = queue.shift()) {
      if (examination.signal.aborted) late.push(use.appId)
      else {
        const found = await examineApp(use, examination)
        if (found === 'silent') late.push(use.appId)
        else {
          if (found.opened) opened += 1
          findings.push(...found.findings)
        }
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  if (late.length > 0) {
    const message = `no session for ${plural(late.length, 'app')} of reports (${some(late)}); see the engine`
    findings.push(notExamined(target, message))
  }
  if (opened === 0) return findings
  const message = `${plural(opened, 'app')} of reports can be opened as ${identity.name}`
  return [{ level: 'ok', code: 'reports.apps', target, message }, ...findings]
}

const notExamined = (target: string, message: string): Finding => ({
  level: 'info',
  code: 'reports.apps-not-examined',
  target,
  message,
})

function usesOf(reports: readonly UsedReport[]): readonly Use[] {
  const used = reports.filter(({ tasks }) => tasks.length > 0)
  return [...Map.groupBy(used, ({ report }) => report.appId)].map(([appId, own]) => ({
    appId,
    reports: own,
    byService: own.some(({ tasks }) => tasks.some(({ run }) => run.evaluateAs === 'service')),
  }))
}

interface ExaminedApp {
  readonly opened: boolean
  readonly findings: readonly Finding[]
}

/** `silent`: the engine opens no session, which is no matter of this app. */
async function examineApp(use: Use, examination: Examination): Promise<ExaminedApp | 'silent'> {
  const { appId } = use
  const { client, timeout, signal } = examination
  const session = await openSession(client, { appId, identity: `doctor-${appId}`, signal }).catch((error) => error)
  if (session instanceof Error) {
    if (session instanceof ReportError && session.code === 'APP_ACCESS_DENIED') {
      return { opened: false, findings: refusal(session, use, examination) }
    }
    return 'silent'
  }
  try {
    const app = await openApp(session, appId, timeout)
    const findings: Finding[] = []
    for (const { report } of use.reports) {
      if (report.type !== 'template' || report.template === null) continue
      for (const problem of await unresolved(app, report, examination.expressions.get(report.id) ?? [])) {
        const message = `the app "${app.name}" cannot resolve ${problem}`
        const fix = 'correct the data or the levels of the report, or bring back what the app had'
        const target = `report "${report.name}"`
        findings.push({ level: 'error', code: 'reports.template-data', target, message, fix })
      }
    }
    return { opened: true, findings }
  } catch (error) {
    return { opened: false, findings: refusal(error, use, examination) }
  } finally {
    await session.close()
  }
}

function refusal(error: unknown, { appId, reports, byService }: Use, { user, timeout }: Examination): Finding[] {
  const target = `app ${appId}`
  const names = some(reports.map(({ report }) => report.name))
  const say = (level: Finding['level'], code: string, message: string, fix: string): Finding[] => [
    { level, code, target, message: `${message}; used by ${names}`, fix },
  ]
  const code = error instanceof ReportError ? error.code : null
  const reason = error instanceof ReportError ? error.details : errorText(error)
  if (code === 'APP_NOT_FOUND') {
    const fix = 'correct appId of the report, or switch off the tasks that make it'
    return say('error', 'reports.app-missing', 'the engine has no app with this id', fix)
  }
  if (code === 'APP_ACCESS_DENIED') {
    if (!byService) {
      const message = `${user} may not open it. Its tasks open it as each recipient, which is not tried here`
      return [{ level: 'info', code: 'reports.app-of-recipients', target, message: `${message}; used by ${names}` }]
    }
    const fix = `let ${user} open the app (a security rule of the QMC, and section access of the app), or name another user in ${SETTINGS}`
    return say('error', 'reports.app-denied', `${user} may not open it: ${reason}`, fix)
  }
  if (code === 'APP_NO_DATA') {
    return say('error', 'reports.app-empty', 'it holds no data', 'reload the app')
  }
  if (isLate(error)) {
    const fix = 'a large app takes minutes to load: give --timeout more time, or open it in the hub before'
    return say('warning', 'reports.app-slow', `not opened within ${timeout / 1000} s`, fix)
  }
  if (code === null && !(error instanceof EvaluationError || error instanceof EngineError)) throw error
  const fix = 'open the app in the hub as this user, and look into the log of the Qlik Sense Engine Service'
  return say('error', 'reports.app-failed', `cannot be opened as ${user}: ${reason}`, fix)
}

/** Given up for the time of one call, or of the whole examination. */
function isLate(error: unknown): boolean {
  const cause = error instanceof ReportError ? error.cause : error
  return cause instanceof EngineError && (cause.kind === 'timeout' || cause.kind === 'aborted')
}
