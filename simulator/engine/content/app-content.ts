/** The content of an app, and shorthands for the properties of master items, sheets and charts. */

import type { CodeAt, Column, DataTable } from '../data.ts'
import { formatDate } from '../format.ts'
import type { Json } from '../json.ts'
import type { EngineUser } from '../users.ts'

/** A sheet, chart or story with the objects inside of it. */
export interface ObjectNode {
  readonly properties: Json
  readonly children: readonly ObjectNode[]
}

export interface VariableContent {
  readonly properties: Json
  readonly scriptCreated?: true
  readonly reserved?: true
}

export interface BookmarkContent {
  readonly properties: Json
  /** Selected texts by field. */
  readonly selections: Readonly<Record<string, readonly string[]>>
  readonly createdAt: string
}

/** How the script loads a table: the prefixes make it part of a partial reload. */
export type LoadPrefix = 'none' | 'add' | 'replace' | 'merge'

export interface TableContent {
  readonly name: string
  readonly prefix: LoadPrefix
  /** The statement's source, as the progress texts and the lineage name it. */
  readonly source: string
  /** Rows when the table was loaded `version` times; at least 1. */
  build(version: number): DataTable
}

/** Which values a person may see: everything, some values of one field, or nothing at all. */
export type Access = 'all' | 'none' | { readonly field: string; readonly values: readonly string[] }

/** Everything that is in an app; made when the app is opened first. */
export interface AppContent {
  readonly script: string
  /** Sheets, stories, master objects and `appprops`, on the top level. */
  readonly objects: readonly ObjectNode[]
  readonly dimensions: readonly Json[]
  readonly measures: readonly Json[]
  readonly variables: readonly VariableContent[]
  readonly bookmarks: readonly BookmarkContent[]
  readonly snapshots: readonly Json[]
  readonly media: readonly { readonly qUrlDef: string; readonly qUrl: string }[]
  readonly lineage: readonly { readonly qDiscriminator: string; readonly qStatement?: string }[]
  readonly tables: readonly TableContent[]
  /** Section access; without it every user who may open the app sees everything. */
  access?(user: EngineUser): Access
}

export const MONEY = { qType: 'M', qnDec: 2, qUseThou: 1, qFmt: '# ##0,00', qDec: ',', qThou: ' ' } as const
export const PERCENT = { qType: 'F', qnDec: 1, qUseThou: 0, qFmt: '0,0%', qDec: ',', qThou: ' ' } as const
export const WHOLE = { qType: 'I', qnDec: 0, qUseThou: 1, qFmt: '# ##0', qDec: ',', qThou: ' ' } as const

export const masterDimension = (id: string, title: string, field: string): Json => ({
  qInfo: { qId: id, qType: 'dimension' },
  qDim: { qGrouping: 'N', qFieldDefs: [field], qFieldLabels: [title], qLabelExpression: '', title },
  qMetaDef: { title, description: '', tags: [] },
})

export const masterMeasure = (id: string, title: string, expression: string, format: Json = MONEY): Json => ({
  qInfo: { qId: id, qType: 'measure' },
  qMeasure: {
    qLabel: title,
    qDef: expression,
    qGrouping: 'N',
    qExpressions: [],
    qActiveExpression: 0,
    qLabelExpression: '',
    qNumFormat: format,
  },
  qMetaDef: { title, description: '', tags: [] },
})

export const variable = (id: string, name: string, definition: string, comment = ''): Json => ({
  qInfo: { qId: id, qType: 'variable' },
  qMetaDef: {},
  qName: name,
  qComment: comment,
  qNumberPresentation: { qType: 'U', qnDec: 0, qUseThou: 0, qFmt: '', qDec: '', qThou: '' },
  qIncludeInBookmark: false,
  qDefinition: definition,
})

export const scriptVariable = (id: string, name: string, definition: string): VariableContent => ({
  properties: variable(id, name, definition),
  scriptCreated: true,
})

export const bookmark = (
  id: string,
  title: string,
  selections: BookmarkContent['selections'],
  createdAt = '2026-02-10T09:00:00.000Z',
): BookmarkContent => ({
  properties: {
    qInfo: { qId: id, qType: 'bookmark' },
    qMetaDef: { title, description: '' },
    creationDate: createdAt,
    sheetId: '',
    selectionFields: Object.keys(selections).join(', '),
  },
  selections,
  createdAt,
})

export const fieldDimension = (field: string, sort: Json = { qSortByAscii: 1 }): Json => ({
  qDef: { qFieldDefs: [field], qFieldLabels: [field], qSortCriterias: [sort] },
  qNullSuppression: true,
})

export const libraryColumn = (qLibraryId: string): Json => ({ qLibraryId, qDef: {} })

export const expressionMeasure = (expression: string, label: string, format: Json = MONEY, sort = 0): Json => ({
  qDef: { qDef: expression, qLabel: label, qNumFormat: format },
  qSortBy: { qSortByNumeric: sort },
})

export interface CubeParts {
  readonly dimensions: readonly Json[]
  readonly measures: readonly Json[]
  readonly more?: Json
}

export const cube = ({ dimensions, measures, more = {} }: CubeParts): Json => ({
  qDimensions: dimensions,
  qMeasures: measures,
  qInterColumnSortOrder: [...dimensions, ...measures].map((_, column) => column),
  qSuppressZero: false,
  qSuppressMissing: true,
  qMode: 'S',
  qInitialDataFetch: [],
  ...more,
})

/** A chart on a sheet. */
export const chart = (id: string, type: string, title: string, hypercube: Json, more: Json = {}): ObjectNode => ({
  properties: {
    qInfo: { qId: id, qType: type },
    qMetaDef: {},
    qExtendsId: '',
    title,
    subtitle: '',
    footnote: '',
    showTitles: true,
    visualization: type,
    qHyperCubeDef: hypercube,
    ...more,
  },
  children: [],
})

export interface Placed {
  readonly node: ObjectNode
  /** Column, row, width and height on the grid of 24 x 12. */
  readonly at: readonly [col: number, row: number, colspan: number, rowspan: number]
}

export const sheet = (id: string, title: string, rank: number, placed: readonly Placed[]): ObjectNode => ({
  properties: {
    qInfo: { qId: id, qType: 'sheet' },
    qMetaDef: { title, description: '' },
    rank,
    thumbnail: { qStaticContentUrlDef: {} },
    columns: 24,
    rows: 12,
    cells: placed.map(({ node, at: [col, row, colspan, rowspan] }) => {
      const info = node.properties.qInfo as { qId: string; qType: string }
      return { name: info.qId, type: info.qType, col, row, colspan, rowspan }
    }),
    qChildListDef: { qData: { title: '/title' } },
  },
  children: placed.map(({ node }) => node),
})

export const appProperties = (id: string, title: string): ObjectNode => ({
  properties: {
    qInfo: { qId: id, qType: 'appprops' },
    qMetaDef: {},
    sheetTitleBgColor: '',
    sheetLogoThumbnail: { qStaticContentUrlDef: null },
    theme: 'horizon',
    title,
  },
  children: [],
})

/** Dates as the script formats them, one for each day from `first` (serial number) on. */
export function dateColumn(name: string, first: number, days: number, codeAt: CodeAt): Column {
  const symbol = (code: number) => ({ text: formatDate(first + code, 'YYYY-MM-DD'), num: first + code })
  return {
    name,
    cardinal: days,
    numeric: true,
    format: { qType: 'D', qnDec: 0, qUseThou: 0, qFmt: 'YYYY-MM-DD' },
    tags: ['$numeric', '$integer', '$timestamp', '$date'],
    codeAt,
    symbol,
    number: (code) => (code < 0 ? Number.NaN : first + code),
  }
}
