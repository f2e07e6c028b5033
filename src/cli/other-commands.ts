/** All commands besides `run` with their handlers, each loaded when called. */
import process from 'node:process'
import { isatty } from 'node:tty'
import type { Command } from 'commander'
import { errorText } from '../platform/errors.ts'
import { type Entry, group, on } from './command.ts'
import * as commands from './commands.ts'
import { DOCTOR } from './doctor/command.ts'
import { groupCommands } from './help.ts'
import { givenOf, INIT, LOG_APPENDER } from './init/command.ts'
import { EXIT, processIo } from './io.ts'
import { confirm, createPrompt, standardInput } from './prompt.ts'
import { REMOTE } from './remote/index.ts'
import { listed } from './remote/list.ts'
import * as service from './service/command.ts'

/** Open connections keep the process alive for at most this time after the report of the doctor. */
const REST_MS = 300

const here = () => ({ env: process.env, cwd: process.cwd() })
const host = async () => (await import('./service/host.ts')).processHost()
const node = () => import('./cluster/running.ts')
const credential = () => import('./credential.ts')

async function credentialDeps() {
  const { protectedValuesOf } = await import('../platform/protected-values.ts')
  return { io: processIo, values: protectedValuesOf(process.env), ...here() }
}

async function confirmOnce(question: string): Promise<boolean> {
  const prompt = createPrompt()
  try {
    return await confirm(prompt, question)
  } finally {
    prompt.close()
  }
}

const ENTRIES: readonly Entry[] = [
  on(commands.DEMO, async ({ nodes, ...options }) => {
    if (nodes === undefined) return (await import('./demo/index.ts')).runDemo(options, processIo)
    return (await import('./demo/nodes.ts')).runNodesDemo({ ...options, nodes }, processIo)
  }),
  on(commands.CHECK, async (options) => (await import('./check.ts')).runCheck(options, processIo)),
  on(DOCTOR, async (options) => {
    const code = await (await import('./doctor/index.ts')).runDoctor(options, processIo)
    // Not before everything is written.
    process.stdout.write('', () => void setTimeout(() => process.exit(), REST_MS).unref())
    return code
  }),
  on(INIT, async (options) => {
    const [{ runInit }, { isFree }] = await Promise.all([import('./init/index.ts'), import('./init/answers.ts')])
    const openPrompt = process.stdin.isTTY === true ? createPrompt : null
    const { execPath, platform } = process
    return runInit(givenOf({ ...options }), options, processIo, { ...here(), execPath, platform, isFree, openPrompt })
  }),
  on(LOG_APPENDER, async (options) => {
    const { runLogAppender } = await import('./init/log-appender.ts')
    return runLogAppender(options, processIo, { ...here(), platform: process.platform })
  }),
  on(commands.CUSTOM_PROPERTIES, async (names, options) => {
    const { runCustomProperties } = await import('./custom-properties.ts')
    const { execPath, stdin } = process
    const surroundings = { ...here(), execPath, confirm: stdin.isTTY === true ? confirmOnce : null }
    return runCustomProperties(names, options, processIo, surroundings)
  }),
  on(commands.HEALTHCHECK, async (options) => (await import('./healthcheck.ts')).runHealthcheck(options, processIo)),
  on(commands.TEST_EMAIL, async (...given) => (await import('./test-email.ts')).runTestEmail(...given, processIo)),
  on(commands.SCHEMA, async () => (await import('./schema.ts')).runSchema(processIo)),
  on(commands.OPENAPI, async (options) => (await import('./openapi.ts')).runOpenApi(options, processIo)),
  on(commands.MIGRATE_CONFIG, async (...given) =>
    (await import('./migrate-config.ts')).runMigrateConfig(...given, processIo),
  ),
  ...REMOTE,
  group('template', 'the templates of alerts', [
    on(commands.TEMPLATE_PREVIEW, async (...given) =>
      (await import('./template.ts')).runTemplatePreview(...given, processIo),
    ),
    on(commands.TEMPLATE_SHOW, async (name) => (await import('./template.ts')).runTemplateShow(name, processIo)),
  ]),
  group('cluster', 'several nodes that work as one over a shared database', [
    on(commands.CLUSTER_SQL, async (options) =>
      (await import('./cluster/sql.ts')).runClusterSql(options, processIo, here()),
    ),
    on(commands.CLUSTER_STATUS, async (options) => (await node()).runClusterStatus(options, processIo)),
    on(commands.CLUSTER_STEP_DOWN, async (options) => (await node()).runStepDown(options, processIo)),
    on(commands.CLUSTER_LEAVE, async (options) => (await node()).runLeave(options, processIo)),
    on(commands.CLUSTER_REMOVE, async (...given) => (await node()).runRemoveNode(...given, processIo)),
  ]),
  group('key', 'keys for the REST API', [
    on(commands.KEY_CREATE, async (options) => (await import('./key.ts')).runKeyCreate(options, processIo)),
    on(commands.KEY_HASH, async () => (await import('./key.ts')).runKeyHash(standardInput(), processIo)),
    listed('key list'),
  ]),
  group('credential', 'secrets outside the configuration file', [
    on(commands.CREDENTIAL_SET, async (name, { account = [] }) => {
      const { readSecret, runCredentialSet } = await credential()
      try {
        return await runCredentialSet(name, account, await credentialDeps(), () => readSecret(isatty(0)))
      } catch (error) {
        processIo.err(`error: credential set ${name}: ${errorText(error)}: nothing was kept`)
        return EXIT.badInput
      }
    }),
    on(commands.CREDENTIAL_LIST, async (options) =>
      (await credential()).runCredentialList(options, await credentialDeps()),
    ),
    on(commands.CREDENTIAL_REMOVE, async (name) =>
      (await credential()).runCredentialRemove(name, await credentialDeps()),
    ),
  ]),
  on(commands.VERSION_COMMAND, async (options) => (await import('./version.ts')).runVersion(options, processIo)),
  group('service', 'run Footman as a service: systemd on Linux, WinSW or the Task Scheduler on Windows', [
    on(service.SERVICE_INSTALL, async (options) =>
      (await import('./service/install.ts')).runInstall(options, processIo, await host()),
    ),
    on(service.SERVICE_UNINSTALL, async (options) =>
      (await import('./service/install.ts')).runUninstall(options, processIo, await host()),
    ),
    on(service.SERVICE_STATUS, async (options) =>
      (await import('./service/watch.ts')).runStatus(options, processIo, await host()),
    ),
    on(service.SERVICE_LOGS, async (options) =>
      (await import('./service/watch.ts')).runLogs(options, processIo, await host()),
    ),
  ]),
]

/** Adds them to a program; `done` gets the exit code of the one that ran. Returns the program. */
export function addOtherCommands(program: Command, done: (code: number) => void): Command {
  for (const add of ENTRIES) add(program, done)
  groupCommands(program)
  return program
}
