/** Answers of servers that mean to speak JSON. */
import type { HttpResponse } from './http-client.ts'

/** The members of a JSON answer; empty when it is something else. */
export function jsonOf(response: HttpResponse): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(response.text())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
