/** What Teams says to a message: workflows by status, the older connectors also by a text under status 200. */
import type { HttpResponse } from '../../../platform/http-client.ts'
import type { DeliveryResult } from '../../types.ts'
import { httpResult } from '../http.ts'

const CONNECTOR_ERROR = /returned HTTP error (\d{3})/i

export function teamsResult(response: HttpResponse, now: number): DeliveryResult {
  const told = response.status === 200 ? CONNECTOR_ERROR.exec(response.text())?.[1] : undefined
  return httpResult(told ? { ...response, status: Number(told) } : response, now)
}
