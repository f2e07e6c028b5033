import type { DataTable } from '../data/column.ts'
import type { EngineUser } from '../identity.ts'
import type { Json } from '../json.ts'

/** A sheet, chart, story ... with what stands inside of it. */
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
  /** Section access; without it everybody who may open the app sees everything. */
  access?(user: EngineUser): Access
}
