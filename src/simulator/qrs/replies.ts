import type { Reply } from '../types.ts'

const JSON_TYPE = { 'content-type': 'application/json;charset=utf-8' }
const TEXT_TYPE = { 'content-type': 'text/plain;charset=utf-8' }

export const json = (status: number, value: unknown): Reply => ({
  status,
  headers: JSON_TYPE,
  body: JSON.stringify(value),
})
export const text = (status: number, body: string): Reply => ({ status, headers: TEXT_TYPE, body })
export const empty = (status: number): Reply => ({ status })

/** Ends the handling of a request with an answer. */
export class Refusal extends Error {
  readonly reply: Reply
  constructor(reply: Reply) {
    super(`${reply.status}`)
    this.reply = reply
  }
}
