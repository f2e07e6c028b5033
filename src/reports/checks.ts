/** Rules of definitions that reach beyond the form of a member: reports, filters, conditions. tasks: `task-checks.ts`. */
import { errorText } from '../platform/errors.ts'
import type { AddressProblem, SenderRules } from './addresses.ts'
import { numberFormatProblem } from './data/columns.ts'
import { hasSeries, NEEDS } from './documents/charts/content.ts'
import type { ReportCondition, Rule } from './entities/condition.ts'
import type { ReportFilter } from './entities/filter.ts'
import type { Binding, Block, BlockOf, Report, TemplateReport } from './entities/report.ts'
import type { Issue } from './issues.ts'
import { linearRegExp } from './linear-regexp.ts'
import { PATTERN_TOKENS, pathProblem, patternProblem } from './patterns.ts'

/** The parts of the configuration that definitions refer to. */
export interface CheckSettings extends SenderRules {
  /** Names of `reportTask.secrets`. */
  readonly secrets: readonly string[]
  readonly storageSpaces: readonly { readonly id: string; readonly projects: readonly string[] }[]
  /** Whether Footman offers the hub. */
  readonly hubEnabled: boolean
  /** Whether an Office converter was found. */
  readonly converterFound: () => boolean
}

/** Issues of values that come up twice; `path` makes the path of the one with this index. */
export function duplicates(values: readonly string[], path: (index: number) => string, what: string): Issue[] {
  return values.flatMap((value, index) =>
    values.indexOf(value) < index ? [{ path: path(index), message: `The ${what} "${value}" is used twice` }] : [],
  )
}

export const addressIssue = (path: string, problem: AddressProblem | null): Issue[] =>
  problem === null ? [] : [{ path, message: problem.message }]

export const patternIssue = (path: string, problem: string | null): Issue[] =>
  problem === null ? [] : [{ path, message: problem, code: 'INVALID_PATTERN' }]

type Chart = Pick<BlockOf<'chart'>, 'chart' | 'dimension' | 'dimension2' | 'measures'>

/** Issues of the formats of columns, figures or measures in the list at `path`. */
const formatIssues = (path: string, list: readonly (string | { readonly format?: string | undefined })[]): Issue[] =>
  list.flatMap((one, index) => {
    const message = typeof one === 'string' || one.format === undefined ? null : numberFormatProblem(one.format)
    return message === null ? [] : [{ path: `${path}.${index}.format`, message }]
  })

function chartIssues(path: string, { chart, dimension, dimension2, measures }: Chart): Issue[] {
  const needs = NEEDS[chart]
  const issues = [dimension, dimension2].flatMap((given, index): Issue[] => {
    const [fewest, most] = needs.dimensions
    const place = `${path}.${index === 0 ? 'dimension' : 'dimension2'}`
    if (given === undefined && index < fewest) return [{ path: place, message: `Required for ${chart}` }]
    return given !== undefined && index >= most ? [{ path: place, message: `Not used by ${chart}` }] : []
  })
  const [least, most] = needs.measures
  const allowed = hasSeries(chart) && dimension2 !== undefined ? 1 : most
  if (measures.length < least || measures.length > allowed) {
    const number = least === allowed ? String(least) : `${least} to ${allowed}`
    const why = allowed < most ? ' with dimension2' : ''
    issues.push({
      path: `${path}.measures`,
      message: `${chart} takes ${number} measure${allowed === 1 ? '' : 's'}${why}`,
    })
  }
  return [...issues, ...formatIssues(`${path}.measures`, measures)]
}

interface Columns {
  readonly columns: readonly {
    readonly label?: string | undefined
    readonly key?: string
    readonly format?: string | undefined
  }[]
  readonly sort: readonly { readonly column: number | string }[]
}

/** A column is named by its number from 0, its key or its label. */
function tableIssues(path: string, { columns, sort }: Columns): Issue[] {
  const unknown = sort.flatMap(({ column }, index) => {
    const isKnown =
      typeof column === 'number'
        ? column < columns.length
        : columns.some(({ key, label }) => key === column || label === column)
    return isKnown ? [] : [{ path: `${path}.sort.${index}.column`, message: `There is no column ${column}` }]
  })
  return [...unknown, ...formatIssues(`${path}.columns`, columns)]
}

function blockIssues(block: Block, index: number): Issue[] {
  const path = `blocks.${index}`
  if (block.type === 'chart') return chartIssues(path, block)
  if (block.type === 'kpi') return formatIssues(`${path}.items`, block.items)
  return block.type === 'table' ? tableIssues(path, block) : []
}

const RESERVED = ['app', 'report', 'task', 'run', 'cycle', 'filter']
const NO_FOLDER = /[\\/:]/

function bindingIssues(binding: Binding, index: number): Issue[] {
  const path = `data.${index}`
  switch (binding.type) {
    case 'chart':
      return 'chart' in binding ? chartIssues(path, binding) : []
    case 'image':
      return fileIssues(`${path}.file`, binding.file, /\.(png|jpe?g)$/i, 'a PNG or JPEG file')
    case 'table': {
      const keys = binding.columns.map(({ key }) => key)
      return [...duplicates(keys, (at) => `${path}.columns.${at}.key`, 'key'), ...tableIssues(path, binding)]
    }
    default:
      return []
  }
}

/** Files of the template directory are named without a folder. */
function fileIssues(path: string, file: string, ending: RegExp, what: string): Issue[] {
  if (NO_FOLDER.test(file)) return [{ path, message: 'Must be the name of a file in the template directory' }]
  return ending.test(file) ? [] : [{ path, message: `Must be ${what}` }]
}

function templateIssues({ template, data, levels }: TemplateReport): Issue[] {
  const keys = [...data, ...levels].map(({ key }) => key)
  const pathOf = (index: number) => (index < data.length ? `data.${index}.key` : `levels.${index - data.length}.key`)
  const reserved = keys.flatMap((key, index) =>
    RESERVED.includes(key) ? [{ path: pathOf(index), message: `"${key}" is a built-in name` }] : [],
  )
  const format = templateFormat(template)
  const nested = levels.flatMap(({ within }, index): Issue[] => {
    if (within === null) return []
    const path = `levels.${index}.within`
    const outer = levels.find(({ key }) => key === within)
    if (!outer || outer === levels[index]) return [{ path, message: `There is no other level "${within}"` }]
    if (outer.within !== null) return [{ path, message: 'Levels nest at most two deep' }]
    return format === null || format === 'docx' ? [] : [{ path, message: 'Only levels of docx templates nest' }]
  })
  const file =
    template?.source === 'file' ? fileIssues('template.file', template.file, TEMPLATE_FILE, TEMPLATE_KINDS) : []
  return [...duplicates(keys, pathOf, 'key'), ...reserved, ...data.flatMap(bindingIssues), ...nested, ...file]
}

/** Names of files that can be templates. */
export const TEMPLATE_FILE = /\.(xlsx|docx|pptx|xltx|dotx|potx)$/i
const TEMPLATE_KINDS = 'an xlsx, docx, pptx, xltx, dotx or potx file'
const DOCUMENT_FORMATS = { xltx: 'xlsx', dotx: 'docx', potx: 'pptx', xlsx: 'xlsx', docx: 'docx', pptx: 'pptx' } as const
type TemplateFormat = (typeof DOCUMENT_FORMATS)[keyof typeof DOCUMENT_FORMATS]

/** The format of documents of a template; null without one. */
export function templateFormat(template: TemplateReport['template']): TemplateFormat | null {
  if (template === null) return null
  const ending = TEMPLATE_FILE.exec(template.source === 'file' ? template.file : template.fileName)?.[1]
  return ending === undefined ? null : DOCUMENT_FORMATS[ending.toLowerCase() as keyof typeof DOCUMENT_FORMATS]
}

function isLocale(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1
  } catch {
    return false
  }
}

export const localeIssues = (locale: string | undefined): Issue[] =>
  locale === undefined || isLocale(locale) ? [] : [{ path: 'locale', message: 'Must be a language like en-GB' }]

export function reportIssues(report: Report): Issue[] {
  const { title, footer } = report.page
  const page = (member: string, pattern: string | null) =>
    pattern === null ? [] : patternIssue(`page.${member}`, patternProblem(pattern, { tokens: PATTERN_TOKENS.page }))
  const content =
    report.type === 'template'
      ? templateIssues(report)
      : [
          ...duplicates(
            report.blocks.map(({ key }) => key),
            (index) => `blocks.${index}.key`,
            'key',
          ),
          ...report.blocks.flatMap(blockIssues),
        ]
  return [...localeIssues(report.locale), ...page('title', title), ...page('footer', footer), ...content]
}

export function filterIssues({ clauses, variables }: ReportFilter): Issue[] {
  const bookmarks = clauses.flatMap(({ type }, index) => (type === 'bookmark' ? [index] : []))
  return [
    ...bookmarks.slice(1).map((index) => ({ path: `clauses.${index}`, message: 'Only one bookmark can be applied' })),
    ...clauses.flatMap((clause, index) =>
      clause.type === 'date' && clause.preset === 'lastNDays' && clause.n === undefined
        ? [{ path: `clauses.${index}.n`, message: 'Required for lastNDays' }]
        : [],
    ),
    ...duplicates(
      variables.map(({ name }) => name),
      (index) => `variables.${index}.name`,
      'name',
    ),
  ]
}

export const conditionIssues = ({ rules }: ReportCondition, { storageSpaces }: CheckSettings): Issue[] =>
  rules.flatMap((rule, index) => ruleIssues(rule, `rules.${index}`, storageSpaces))

const UNARY = ['empty', 'notEmpty']
const BETWEEN = ['between', 'notBetween']
/** A count is one number. */
const COUNT_OPERATORS = ['eq', 'ne', 'gt', 'ge', 'lt', 'le']

function ruleIssues(rule: Rule, path: string, spaces: CheckSettings['storageSpaces']): Issue[] {
  switch (rule.type) {
    case 'value': {
      const { op, left, right, right2 } = rule
      if (UNARY.includes(op)) return []
      if ('previous' in left) return [{ path: `${path}.left`, message: 'The previous value stands on the right' }]
      if (right === undefined) return [{ path: `${path}.right`, message: `Required for ${op}` }]
      if (BETWEEN.includes(op) && right2 === undefined)
        return [{ path: `${path}.right2`, message: `Required for ${op}` }]
      return op === 'matches' && 'const' in right ? expressionIssues(`${path}.right.const`, String(right.const)) : []
    }
    case 'rowCount':
      return COUNT_OPERATORS.includes(rule.op)
        ? []
        : [{ path: `${path}.op`, message: `Expected one of ${COUNT_OPERATORS.join(', ')}` }]
    case 'keyValue': {
      const { op, value } = rule
      if (BETWEEN.includes(op)) return [{ path: `${path}.op`, message: 'Not possible with one value' }]
      if (!UNARY.includes(op) && value === undefined) return [{ path: `${path}.value`, message: `Required for ${op}` }]
      return op === 'matches' ? expressionIssues(`${path}.value`, String(value)) : []
    }
    case 'lastReload':
      return rule.is === 'withinMinutes' && rule.minutes === undefined
        ? [{ path: `${path}.minutes`, message: 'Required for withinMinutes' }]
        : []
    case 'file': {
      const problem = pathProblem(rule.path)
      if (problem !== null) return [{ path: `${path}.path`, message: `The path ${problem}` }]
      return spaces.some(({ id }) => id === rule.spaceId) ? [] : [unknownSpace(`${path}.spaceId`, rule.spaceId, spaces)]
    }
    default:
      return []
  }
}

export const unknownSpace = (path: string, spaceId: string, spaces: CheckSettings['storageSpaces']): Issue => ({
  path,
  message: `There is no storage space ${spaceId} in Butler.footman.reportTask.storageSpaces${listOf(spaces.map(({ id }) => id))}`,
  code: 'UNKNOWN_REFERENCE',
})

/** `, there is a, b`; '' when there is nothing. */
export const listOf = (names: readonly string[]): string => (names.length === 0 ? '' : `, there is ${names.join(', ')}`)

function expressionIssues(path: string, text: string): Issue[] {
  try {
    linearRegExp(text)
    return []
  } catch (error) {
    return [{ path, message: `Must be a regular expression: ${errorText(error)}` }]
  }
}
