import type { SimulatedSite } from '../types.ts'
import { Refusal, text } from './replies.ts'

type Json = Readonly<Record<string, unknown>>

const OBJECT_TYPES = new Set([
  ...['App', 'AnalyticConnection', 'ContentLibrary', 'DataConnection', 'EngineService', 'Extension'],
  ...['ExternalProgramTask', 'PrintingService', 'ProxyService', 'ReloadTask', 'RepositoryService', 'SchedulerService'],
  ...['ServerNodeConfiguration', 'Stream', 'User', 'UserSyncTask', 'VirtualProxyConfig'],
])

const invalid = (name: string) => new Refusal(text(400, `The request contains an invalid property ${name}`))

/** Refuses what a definition cannot be; which status QRS has for a name that is taken is not documented. */
export function checkDefinition(site: SimulatedSite, { name, choiceValues, objectTypes }: Json, id: string | null) {
  if (name !== undefined && (typeof name !== 'string' || name.trim() === '')) throw invalid('name')
  const taken = [...site.customPropertyDefinitions.values()].some(
    (other) => other.id !== id && other.name.toLowerCase() === String(name).toLowerCase(),
  )
  if (taken) throw new Refusal(text(409, 'Conflict'))
  if (choiceValues !== undefined && !areTexts(choiceValues)) throw invalid('choiceValues')
  const known =
    objectTypes === undefined || (areTexts(objectTypes) && objectTypes.every((one) => OBJECT_TYPES.has(one)))
  if (!known) throw invalid('objectTypes')
}

const areTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string')

/** A choice value that is taken out of its definition is taken from the objects too. */
export function dropLostValues(site: SimulatedSite) {
  for (const labelled of [...site.tasks.values(), ...site.apps.values(), ...site.users.values()]) {
    labelled.customProperties = labelled.customProperties.filter(({ value, definition }) =>
      definition.choiceValues.includes(value),
    )
  }
}
