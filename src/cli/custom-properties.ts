/** `footman custom-properties`: what a configuration needs in Qlik Sense, what is there, and making what is missing. */

import { type WantedProperty, wantedProperties } from '../app/config/custom-properties.ts'
import { type LoadResult, loadConfig } from '../app/config/load.ts'
import type { Config } from '../app/schema.ts'
import { type ConfigPaths, createPathResolver } from '../config/paths.ts'
import { renderProblem, sortProblems } from '../config/problems.ts'
import { errorText } from '../platform/errors.ts'
import { createLogger } from '../platform/log.ts'
import { visible } from '../platform/visible.ts'
import { readCertificates } from '../qlik/qrs/certificates.ts'
import {
  type CustomPropertyClient,
  createCustomPropertyClient,
  isSameName,
  type NewProperty,
  type PropertyDefinition,
} from '../qlik/qrs/custom-properties.ts'
import { QrsError } from '../qlik/qrs/errors.ts'
import { reasonOf } from '../qlik/qrs/failure.ts'
import { createQrsTransport, type QrsTransport } from '../qlik/qrs/transport.ts'
import type { OptionsOf } from './command.ts'
import type { CUSTOM_PROPERTIES } from './commands.ts'
import { type CommandIo, EXIT } from './io.ts'
import { type Column, type ListingForm, listing } from './table.ts'

type CustomPropertiesOptions = OptionsOf<typeof CUSTOM_PROPERTIES>

interface CustomPropertiesSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly execPath: string
  /** Null without a terminal to ask on. */
  readonly confirm: ((question: string) => Promise<boolean>) | null
}

const NAME = 'custom-properties'

/** 0 = all there, 1 = arguments or configuration, 2 = Qlik Sense cannot be asked or refuses, 3 = something is missing. */
export async function runCustomProperties(
  names: readonly string[],
  options: CustomPropertiesOptions,
  io: CommandIo,
  surroundings: CustomPropertiesSurroundings,
): Promise<number> {
  const { env, cwd, execPath } = surroundings
  const file = options.configfile ?? env.FOOTMAN_CONFIGFILE
  const loaded = await loadConfig({ ...(file ? { file } : {}), env, cwd })
  const { config } = loaded
  if (!config) return refuseConfiguration(loaded, io)
  const all = wantedProperties(config)
  const unknown = names.find((name) => all.every((one) => one.name !== name))
  if (unknown !== undefined) {
    const known = all.map(({ name }) => name).join(', ') || 'none at all'
    io.err(`error: ${NAME}: the configuration does not use "${unknown}", but ${known}`)
    return EXIT.badInput
  }
  const wanted = names.length > 0 ? all.filter(({ name }) => names.includes(name)) : all
  if (!options.qsConnection) return list(wanted, options, io)
  if (!loaded.qlikConnection) return refuseConfiguration(loaded, io)
  const paths = createPathResolver({ configDirectory: loaded.directory, cwd, execPath })
  try {
    const transport = await openRepository(config, paths, options.timeout)
    try {
      const client = createCustomPropertyClient({ transport })
      return await examine({ client, wanted, named: names.length > 0, options, io, surroundings })
    } finally {
      transport.close()
    }
  } catch (error) {
    io.err(visible(`error: ${NAME}: ${failureText(error, config)}`))
    return EXIT.unreachable
  }
}

function refuseConfiguration({ problems }: LoadResult, io: CommandIo): number {
  for (const problem of sortProblems(problems)) if (problem.severity === 'error') io.err(renderProblem(problem))
  io.err(`error: ${NAME}: the configuration has errors: correct them (footman check lists them)`)
  return EXIT.badInput
}

function list(wanted: readonly WantedProperty[], options: CustomPropertiesOptions, io: CommandIo): number {
  if (options.create) {
    io.err(`error: ${NAME}: --create needs Qlik Sense: leave --no-qs-connection out`)
    return EXIT.badInput
  }
  const form = { wide: options.wide, width: io.columns }
  io.out(options.json ? JSON.stringify(propertyJson(wanted, []), null, 2) : propertyTable(wanted, [], form))
  return EXIT.ok
}

interface Examination {
  readonly client: CustomPropertyClient
  readonly wanted: readonly WantedProperty[]
  /** The person has named the properties. */
  readonly named: boolean
  readonly options: CustomPropertiesOptions
  readonly io: CommandIo
  readonly surroundings: CustomPropertiesSurroundings
}

async function examine(examination: Examination): Promise<number> {
  const { client, wanted, named, options, io } = examination
  const isAsked = ({ wanted: { required } }: ComparedProperty) => required || named || options.optional === true
  const look = async () => compareProperties(wanted, await client.definitions(wanted.map(({ name }) => name)))
  let compared = await look()
  if (options.create && !(await create(compared.filter(isAsked).flatMap(stepsFor), examination))) return EXIT.badInput
  if (options.create && !options.dryRun) compared = await look()
  if (options.json) io.out(JSON.stringify(propertyJson(wanted, compared), null, 2))
  else print(wanted, compared, isAsked, examination)
  return compared.filter(isAsked).every(isComplete) ? EXIT.ok : EXIT.missing
}

function print(
  wanted: readonly WantedProperty[],
  compared: readonly ComparedProperty[],
  isAsked: (one: ComparedProperty) => boolean,
  { options, io }: Examination,
): void {
  const form = { wide: options.wide, width: io.columns }
  io.out(wanted.length > 0 ? propertyTable(wanted, compared, form) : 'The configuration uses no custom properties.')
  const remarks = compared.filter((one) => isAsked(one) || one.definition !== null)
  const lines = [...remarks.flatMap(byHand), ...remarks.flatMap(emptyOnes)]
  if (lines.length > 0) io.out(`\n${lines.join('\n')}`)
  if (!options.create && compared.some((one) => isAsked(one) && stepsFor(one).length > 0)) {
    io.out('\nfootman custom-properties --create adds what is missing, after it has asked.')
  }
}

/** False when it was not allowed to do it. Progress goes to standard error beside JSON. */
async function create(steps: readonly Step[], { client, options, io, surroundings }: Examination): Promise<boolean> {
  const say = options.json ? io.err : io.out
  if (steps.length === 0) {
    say('Nothing has to be created.\n')
    return true
  }
  say(`To do in Qlik Sense:\n${steps.map((step) => `  ${stepText(step)}`).join('\n')}\n`)
  if (options.dryRun) return true
  if (!options.yes) {
    if (!surroundings.confirm) {
      io.err(`error: ${NAME}: there is no terminal to ask on: give --yes to do it, or --dry-run to see it only`)
      return false
    }
    if (!(await surroundings.confirm('Do this now?'))) {
      io.err(`error: ${NAME}: nothing was changed`)
      return false
    }
  }
  for (const step of steps) say(`${await perform(step, client)}`)
  say('')
  return true
}

async function perform(step: Step, client: CustomPropertyClient): Promise<string> {
  if (step.kind === 'addValues') {
    const added = await client.addValues(step.id, step.values)
    if (added === null) return `${step.name} was deleted meanwhile`
    return added.length > 0 ? `added to ${step.name}: ${added.join(', ')}` : `${step.name} has got its values meanwhile`
  }
  const { name, choiceValues } = step.property
  if ((await client.create(step.property)) === 'created') return `created ${name}`
  const [definition] = await client.definitions([name])
  const added = definition && (await client.addValues(definition.id, choiceValues))
  return `${name} was created by another user meanwhile${added?.length ? `; added ${added.join(', ')}` : ''}`
}

function failureText(error: unknown, config: Config): string {
  const { host, port } = config.configQRS
  if (!(error instanceof QrsError)) return errorText(error)
  if (error.status === 403) {
    return `Qlik Sense refuses this to ${userOf(config)}: give that user a role that may manage custom properties (RootAdmin, ContentAdmin), or make them in the QMC`
  }
  if (error.status === 409) return 'another user keeps changing the same custom property: try again'
  const said = error.body === '' ? '' : `: ${error.body}`
  return `${host}:${port}: ${reasonOf(error)}${said}; for details: footman doctor`
}

interface ComparedProperty {
  readonly wanted: WantedProperty
  /** Null when there is none of exactly this name. */
  readonly definition: PropertyDefinition | null
  /** One that differs in upper and lower case only: to QRS it is the same name, to Footman another one. */
  readonly similar: string | null
  readonly missingValues: readonly string[]
  /** Kinds of objects that cannot have it, and one of which at least must: `ReloadTask`, `App or User`. */
  readonly missingObjects: readonly string[]
}

function compareProperties(
  wanted: readonly WantedProperty[],
  definitions: readonly PropertyDefinition[],
): ComparedProperty[] {
  return wanted.map((one) => {
    const definition = definitions.find(({ name }) => name === one.name) ?? null
    const similar = definition ? null : (definitions.find(({ name }) => isSameName(name, one.name))?.name ?? null)
    return {
      wanted: one,
      definition,
      similar,
      missingValues: definition ? one.values.filter((value) => !definition.choiceValues.includes(value)) : [],
      missingObjects: one.groups
        .filter((group) => definition && !group.some((object) => definition.objectTypes.includes(object)))
        .map((group) => group.join(' or ')),
    }
  })
}

/** Nothing has to be done about it. */
export const isComplete = ({ definition, missingValues, missingObjects }: ComparedProperty): boolean =>
  definition !== null && missingValues.length === 0 && missingObjects.length === 0

export type Step =
  | { readonly kind: 'create'; readonly property: NewProperty }
  | { readonly kind: 'addValues'; readonly id: string; readonly name: string; readonly values: readonly string[] }

/** The additions that complete the property; empty when nothing has to be added. */
function stepsFor({ wanted, definition, similar, missingValues }: ComparedProperty): readonly Step[] {
  if (similar !== null) return []
  const { name, values, objects, keys } = wanted
  if (!definition) {
    const description = `Used by Footman: ${keys.map((key) => `Butler.${key}`).join(', ')}`.slice(0, MAX_DESCRIPTION)
    return [{ kind: 'create', property: { name, description, choiceValues: values, objectTypes: objects } }]
  }
  return missingValues.length > 0 ? [{ kind: 'addValues', id: definition.id, name, values: missingValues }] : []
}

/** Enough to find the setting. */
const MAX_DESCRIPTION = 200

/** Sentences about differences that have to be corrected by hand in Qlik Sense. */
function byHand({ wanted, similar, missingObjects }: ComparedProperty): readonly string[] {
  const { name } = wanted
  const lines: string[] = []
  if (similar !== null) {
    lines.push(
      `"${name}" is called "${similar}" in Qlik Sense, and upper and lower case count: write it like that in the configuration`,
    )
  }
  if (missingObjects.length > 0) {
    lines.push(`"${name}" cannot be given to ${missingObjects.join(', ')}: tick that in the QMC, Custom properties`)
  }
  return lines
}

/** Properties whose values only the site knows. */
function emptyOnes({ wanted, definition }: ComparedProperty): readonly string[] {
  const values = definition ? definition.choiceValues : wanted.values
  if (values.length > 0) return []
  return [`"${wanted.name}" has no values yet: add the ${wanted.hint ?? 'values'} that may be chosen, in the QMC`]
}

/** `compared` is empty when QRS was not asked. */
export function propertyTable(
  wanted: readonly WantedProperty[],
  compared: readonly ComparedProperty[],
  form: ListingForm,
): string {
  const states = new Map(compared.map((one) => [one.wanted.name, stateOf(one)]))
  const state: Column<WantedProperty> = { head: 'IN QLIK SENSE', cell: ({ name }) => states.get(name) ?? '', least: 13 }
  const columns: readonly Column<WantedProperty>[] = [
    { head: 'NAME', cell: ({ name }) => name },
    { head: 'VALUES', cell: ({ values, hint }) => values.join(', ') || `(${hint ?? 'of your choice'})`, least: 12 },
    { head: 'FOR', cell: ({ objects }) => objects.join(', '), least: 8 },
    { head: 'NEEDED', cell: ({ required }) => (required ? 'yes' : 'optional') },
    ...(compared.length > 0 ? [state] : []),
    { head: 'USED BY', cell: ({ keys }) => keys.map((key) => `Butler.${key}`).join(', '), least: 16 },
  ]
  return listing(columns, wanted, form)
}

function stateOf({ definition, similar, missingValues, missingObjects }: ComparedProperty): string {
  if (similar !== null) return `other case: ${similar}`
  if (!definition) return 'missing'
  const lacks = [
    ...(missingValues.length > 0 ? [`lacks ${missingValues.join(', ')}`] : []),
    ...(missingObjects.length > 0 ? [`not for ${missingObjects.join(', ')}`] : []),
  ]
  return lacks.join('; ') || 'there'
}

/** `create Butler_X (values Yes; for ReloadTask)`. */
function stepText(step: Step): string {
  if (step.kind === 'addValues') return `add to ${step.name}: ${step.values.join(', ')}`
  const { name, choiceValues, objectTypes } = step.property
  const values = choiceValues.length > 0 ? `values ${choiceValues.join(', ')}` : 'no values yet'
  return `create ${name} (${values}; for ${objectTypes.join(', ')})`
}

interface PropertyJson extends WantedProperty {
  /** Null when QRS was not asked. */
  readonly state: 'there' | 'missing' | 'incomplete' | null
  readonly missingValues: readonly string[]
  readonly missingObjects: readonly string[]
  readonly similar: string | null
}

function propertyJson(
  wanted: readonly WantedProperty[],
  compared: readonly ComparedProperty[],
): readonly PropertyJson[] {
  return wanted.map((one) => {
    const found = compared.find((other) => other.wanted === one)
    const { missingValues = [], missingObjects = [], similar = null } = found ?? {}
    return { ...one, state: found ? wordOf(found) : null, missingValues, missingObjects, similar }
  })
}

function wordOf(one: ComparedProperty): 'there' | 'missing' | 'incomplete' {
  if (isComplete(one)) return 'there'
  return one.definition ? 'incomplete' : 'missing'
}

const NO_CERTIFICATES = { cert: '', key: '', ca: '' }

/** Rejects when the certificates cannot be read. */
async function openRepository(
  { cert, configQRS }: Config,
  paths: ConfigPaths,
  timeoutMs: number,
): Promise<QrsTransport> {
  const { host, port, useSSL, headers, rejectUnauthorized } = configQRS
  const files = {
    clientCert: paths.input(cert.clientCert, 'program'),
    clientCertKey: paths.input(cert.clientCertKey, 'program'),
    clientCertCA: paths.input(cert.clientCertCA, 'program'),
  }
  const certificates = useSSL ? await readCertificates(files) : NO_CERTIFICATES
  const log = createLogger({ level: 'error', format: 'text', console: false })
  return createQrsTransport(
    { log },
    { host, port, useSSL, headers: headers.static, rejectUnauthorized, certificates, timeoutMs },
  )
}

/** The account in whose name QRS is asked: the value of `X-Qlik-User`. */
export function userOf({ configQRS }: Config): string {
  return configQRS.headers.static.find(({ name }) => name.toLowerCase() === 'x-qlik-user')?.value ?? 'without a user'
}
