/** All commands besides `run` with their handlers, each loaded when called. */
import process from 'node:process'
import { isatty } from 'node:tty'
import type { Command } from 'commander'
import { errorText } from '../platform/errors.ts'
import { type Entry, group, on } from './command.ts'
import * as commands from './commands.ts'
import { addDoctor } from './doctor/command.ts'
import { groupCommands } from './help.ts'
import { addInit } from './init/command.ts'
import { EXIT, processIo } from './io.ts'
import { confirm, createPrompt, standardInput } from './prompt.ts'
import { REMOTE } from './remote/index.ts'
import { listed } from './remote/list.ts'
import { addService } from './service/command.ts'

const here = () => ({ env: process.env, cwd: process.cwd() })
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
]

/** Adds them to a program; `done` gets the exit code of the one that ran. Returns the program. */
export function addOtherCommands(program: Command, done: (code: number) => void): Command {
  for (const add of ENTRIES) add(program, done)
  addDoctor(program, done)
  addInit(program, done)
  addService(program, done)
  groupCommands(program)
  return program
}
