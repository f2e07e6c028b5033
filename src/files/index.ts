/** File operations in approved directories: endpoints, jobs, and their entries in log, audit and metrics. */
import process from 'node:process'
import type { Audit } from '../http/audit.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { type ApprovalSettings, missingDirectories, missingText, readApprovals } from './approvals.ts'
import type { FilesConfig } from './config.ts'
import type { FileJob } from './contract.ts'
import { fileJobRoutes, fileRoutes } from './http.ts'
import { createFileJobs, createJobStore, type FinishedOperation } from './jobs.ts'
import { createFileOperations } from './operations.ts'
import type { PathRules } from './paths.ts'
import { pathsOf } from './texts.ts'

export interface FilesDeps {
  /** Holds the tables of `fileMigrations`. */
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly audit: Audit
  readonly on: {
    fileOperation(operation: string, result: string, bytes: number): void
    /** Called on every change of state of a job, and every two seconds with the progress of running jobs. */
    fileJob(job: FileJob): void
  }
}

/** Sections of the configuration that file operations read. */
export interface FilesSettings extends ApprovalSettings {
  readonly restServerEndpointsEnable: Readonly<Record<(typeof SWITCHES)[number], boolean>>
  readonly footman: { readonly files: FilesConfig }
}

export interface Files {
  readonly routes: readonly ApiRoute[]
  /** To be stopped before the REST API, so that a long copy does not hold that up. */
  readonly services: readonly Service[]
}

const TRANSFERS = ['fileCopy', 'fileMove', 'fileDelete'] as const
const SWITCHES = [...TRANSFERS, 'createDir', 'createDirQVD'] as const

/** Nothing is built while all switches are off. In shadow mode every change is refused. */
export function createFiles(deps: FilesDeps, config: FilesSettings, shadow: boolean): Files {
  const { restServerEndpointsEnable: switches, footman } = config
  if (!SWITCHES.some((name) => switches[name])) return { routes: [], services: [] }
  const { db, writer, clock, audit } = deps
  const log = deps.log.child('files')
  const rules: PathRules = {
    platform: process.platform === 'win32' ? 'win32' : 'posix',
    workingDirectory: process.cwd(),
  }
  const approvals = readApprovals(config, rules, process.platform)
  const operations = createFileOperations({ approvals, rules })
  const jobs = createFileJobs(
    {
      operations,
      clock,
      log,
      store: createJobStore({ db, writer }),
      onFinished(finished) {
        deps.on.fileOperation(finished.request.operation, finished.result, finished.bytes)
        auditJob(audit, finished)
      },
    },
    { maxConcurrent: footman.files.maxConcurrent },
  )
  jobs.onChange(deps.on.fileJob)
  return {
    routes: [
      ...fileRoutes({ operations, jobs }, { shadow }),
      ...fileJobRoutes(jobs, { switch: TRANSFERS.find((name) => switches[name]) ?? TRANSFERS[0] }),
    ],
    services: [warnings(log, approvals.problems, config), jobs],
  }
}

/** Logged at the start, because the description of the API is built without one. */
function warnings(log: Logger, problems: readonly string[], config: FilesSettings): Service {
  const { footman, restServerEndpointsEnable } = config
  return {
    name: 'approved directories',
    async start() {
      for (const problem of problems) log.warn(problem)
      if (restServerEndpointsEnable.createDir && footman.files.createDirAllowAnywhere) {
        log.warn(
          'CREATEDIR: callers may make directories anywhere; list those that they need in Butler.footman.files.createDirApprovedDirectories',
        )
      }
      // A share that does not answer must not hold up the start.
      void missingDirectories(config).then((missing) => {
        for (const one of missing) log.warn(`CONFIG: Butler.${one.key}: ${missingText(one)}`)
      })
    },
    stop: async () => {},
  }
}

/** The call that asked for a job was recorded with its answer, which could not know the end. */
function auditJob(audit: Audit, { request, actor, result, job }: FinishedOperation): void {
  if (!job) return
  audit.record({
    actor,
    address: null,
    action: `file.${request.operation}`,
    target: pathsOf(request),
    status: null,
    outcome: result === 'ok' ? 'ok' : result === 'refused' ? 'denied' : 'failed',
    requestId: null,
    detail: `job ${job.jobId} ${job.state}${job.error === null ? '' : `: ${job.error}`}`,
  })
}
