/** From a point to a line of the line protocol. */
import { Point } from '@influxdata/influxdb-client'
import type { FieldValue, InfluxPoint } from './types.ts'

export interface NameValue {
  readonly name: string
  readonly value: string
}

/** The time in nanoseconds since 1970 as it stands; null when the point has no field. */
export function lineOf(point: InfluxPoint, staticTags: readonly NameValue[], nanoseconds: bigint): string | null {
  const made = new Point(point.measurement)
  for (const { name, value } of staticTags) addTag(made, name, value)
  for (const [name, value] of Object.entries(point.tags)) addTag(made, name, value)
  for (const [name, value] of Object.entries(point.fields)) addField(made, name, value)
  return made.timestamp(String(nanoseconds)).toLineProtocol() ?? null
}

function addTag(point: Point, name: string, value: InfluxPoint['tags'][string]): void {
  if (value === null || value === undefined) return
  const [key, text] = [protectedEnd(name), protectedEnd(String(value))]
  if (key !== '' && text !== '') point.tag(key, text)
}

/** Nothing can escape a backslash at the end: it would take the separator behind it with it. */
function protectedEnd(text: string): string {
  return text.toWellFormed().replace(/\\+$/, '')
}

function addField(point: Point, name: string, value: FieldValue | null | undefined): void {
  const key = protectedEnd(name)
  if (key === '' || value === null || value === undefined) return
  if (typeof value === 'string') point.stringField(key, value.toWellFormed())
  else if (typeof value === 'boolean') point.booleanField(key, value)
  else if (typeof value === 'number') {
    if (Number.isFinite(value)) point.floatField(key, value)
  } else if (Number.isSafeInteger(value.integer)) point.intField(key, value.integer)
}
