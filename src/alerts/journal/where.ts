/** The WHERE part of a list, put together from what was asked for. */

export type SqlValue = string | number

export interface Where {
  readonly sql: string
  readonly values: readonly SqlValue[]
}

/** One condition; null when it was not asked for. */
export type Condition = Where | null

/** All conditions that were asked for. */
export function allOf(conditions: readonly Condition[]): Where {
  const asked = conditions.filter((condition) => condition !== null)
  if (asked.length === 0) return { sql: '1', values: [] }
  return {
    sql: asked.map(({ sql }) => `(${sql})`).join(' AND '),
    values: asked.flatMap(({ values }) => values),
  }
}

/** The column is one of the values; null = not asked for. */
export function oneOf(column: string, values: readonly string[] | null): Condition {
  if (values === null) return null
  return { sql: `${column} IN (${values.map(() => '?').join(', ')})`, values }
}

/** As `oneOf`, for ids and names whose letters' case does not count. */
export function oneOfIgnoringCase(column: string, values: readonly string[] | null): Condition {
  if (values === null) return null
  return { sql: `${column} COLLATE NOCASE IN (${values.map(() => '?').join(', ')})`, values }
}

/** From inclusive, to exclusive; milliseconds since 1970. */
export function between(column: string, from: number | null, to: number | null): Condition {
  return allOf([
    from === null ? null : { sql: `${column} >= ?`, values: [from] },
    to === null ? null : { sql: `${column} < ?`, values: [to] },
  ])
}

/** One of the columns holds the text, ignoring case. */
export function holds(columns: readonly string[], text: string | null): Condition {
  if (text === null || text === '') return null
  const pattern = `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`
  return {
    sql: columns.map((column) => `${column} LIKE ? ESCAPE '\\'`).join(' OR '),
    values: columns.map(() => pattern),
  }
}
