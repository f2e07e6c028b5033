/** Shorthands for the properties of master items, sheets and charts. */
import type { Json } from '../json.ts'
import type { BookmarkContent, ObjectNode, VariableContent } from './types.ts'

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
