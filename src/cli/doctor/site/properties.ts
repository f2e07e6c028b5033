/** The custom properties that the configuration relies on: there, for the right objects, with the right values. */
import { type WantedProperty, wantedProperties } from '../../../app/config/custom-properties.ts'
import type { Config } from '../../../app/schema.ts'
import { isSameName, type PropertyDefinition } from '../../../qlik/qrs/custom-properties.ts'
import type { DoctorContext, Finding } from '../types.ts'
import { plural, some } from './probe.ts'
import type { Site } from './site.ts'

const GROUP = 'property'
const PLACE = 'in the QMC under Custom properties'

export async function propertyFindings(site: Site, { config, loaded }: DoctorContext): Promise<readonly Finding[]> {
  // A name that is only Footman's default, of something optional, is nothing that anybody relies on.
  const wanted = wantedProperties(config).filter(({ required, keys }) => required || keys.some(loaded.written))
  const found = await site.properties(wanted.map(({ name }) => name))
  const findings = wanted.flatMap((property) => judge(property, found))
  const accounts = accountFindings(config, found)
  const wrong = [...findings, ...accounts]
  if (wanted.length === 0 || wrong.some(({ level }) => level !== 'info')) return wrong
  const message = `${plural(wanted.length, 'custom property').replace(/propertys$/, 'properties')} of the configuration looked at`
  return [{ level: 'ok', code: `${GROUP}.complete`, target: site.target, message }, ...wrong]
}

function judge(wanted: WantedProperty, found: readonly PropertyDefinition[]): readonly Finding[] {
  const { name, keys, values, objects, required, hint } = wanted
  const common = { target: name, ...(keys[0] !== undefined && { key: keys[0] }) }
  const level = required ? 'error' : 'info'
  const definition = found.find((one) => one.name === name)
  const make = `make "${name}" ${PLACE}, for ${objects.map(wordsOf).join(', ')}${values.length > 0 ? `, with the values ${some(values, 10)}` : hint ? `; its values are ${hint}` : ''}; "footman custom-properties --create" does it`
  if (!definition) {
    const other = found.find((one) => isSameName(one.name, name))
    if (other) {
      const message = `Qlik Sense has "${other.name}", written differently: upper and lower case count`
      const fix = `write ${other.name} in Butler.${keys.join(', Butler.')}`
      return [{ ...common, level: 'error', code: `${GROUP}.case`, message, fix }]
    }
    const used = `used by ${keys.map((key) => `Butler.${key}`).join(', ')}`
    return [{ ...common, level, code: `${GROUP}.missing`, message: `does not exist in Qlik Sense; ${used}`, fix: make }]
  }
  const findings: Finding[] = []
  const lacking = objects.filter((one) => !definition.objectTypes.includes(one))
  // A property that works for some kinds of tasks may be meant that way.
  if (lacking.length > 0) {
    const none = lacking.length === objects.length
    const message = `cannot be given to ${lacking.map(wordsOf).join(', ')}, only to ${definition.objectTypes.join(', ') || 'nothing'}`
    const fix = `tick ${lacking.map(wordsOf).join(', ')} for "${name}" ${PLACE}`
    findings.push({ ...common, level: none ? level : 'info', code: `${GROUP}.object-type`, message, fix })
  }
  // Which accounts a property offers is a choice of the site; those that it should not offer are told apart.
  const missing = isAccountProperty(wanted) ? [] : values.filter((value) => !definition.choiceValues.includes(value))
  if (missing.length > 0) {
    const message = `does not offer ${missing.length === 1 ? 'the value' : 'the values'} ${some(missing, 10)}; it has ${some(definition.choiceValues) || 'none'}`
    const fix = `add ${some(missing, 10)} to "${name}" ${PLACE}, or correct Butler.${keys[0]}`
    findings.push({ ...common, level, code: `${GROUP}.value`, message, fix })
  }
  if (definition.choiceValues.length === 0 && missing.length === 0) {
    const message = 'has no values, so no task can have one'
    const fix = `add values to "${name}" ${PLACE}${hint ? `: ${hint}` : ''}`
    findings.push({ ...common, level: required ? 'warning' : 'info', code: `${GROUP}.no-values`, message, fix })
  }
  return findings
}

const WORDS: Readonly<Record<string, string>> = {
  App: 'apps',
  ExternalProgramTask: 'external program tasks',
  ReloadTask: 'reload tasks',
  User: 'users',
  UserSyncTask: 'user synchronization tasks',
}
const wordsOf = (type: string): string => WORDS[type] ?? type

const isAccountProperty = ({ keys }: WantedProperty): boolean =>
  keys.every((key) => key.startsWith('incidentTool.newRelic.'))

/** Values that tasks can choose although the configuration has no such New Relic account. */
function accountFindings(config: Config, found: readonly PropertyDefinition[]): readonly Finding[] {
  const known = new Set(config.thirdPartyToolsCredentials.newRelic.map(({ accountName }) => accountName))
  const wanted = wantedProperties(config).filter(isAccountProperty)
  return wanted.flatMap(({ name, keys }) => {
    const unknown = found.find((one) => one.name === name)?.choiceValues.filter((value) => !known.has(value)) ?? []
    if (unknown.length === 0) return []
    const message = `offers ${some(unknown, 10)}, but no New Relic account of that name is configured: what is meant for it goes nowhere`
    const fix = `add the account to Butler.thirdPartyToolsCredentials.newRelic, or take the value out of "${name}" ${PLACE}`
    return [{ level: 'warning', code: `${GROUP}.account`, target: name, message, fix, key: keys[0]! }] as const
  })
}
