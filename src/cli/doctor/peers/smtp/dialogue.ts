/** The first words with a mail server, as far as STARTTLS. */
import type { Socket } from 'node:net'
import { readUntil } from '../../net/connect.ts'

export interface Greeting {
  /** The server's first line. */
  readonly line: string
  readonly startTls: boolean
  /** Ways to log in that it offers before TLS. */
  readonly login: boolean
}

/** The server says that it does not want to talk. */
export class SmtpRefusal extends Error {
  override readonly name = 'SmtpRefusal'
}

/** Rejects with `SmtpRefusal` for an answer that is no 2xx, with `ESILENT` when none comes. */
export async function greet(socket: Socket, timeoutMs: number): Promise<Greeting> {
  const line = await answer(socket, timeoutMs)
  socket.write('EHLO footman\r\n')
  const offers = await answer(socket, timeoutMs)
  return {
    line: line.trim(),
    startTls: /^250[- ]STARTTLS\b/im.test(offers),
    login: /^250[- ]AUTH\b/im.test(offers),
  }
}

/** From now on the socket is to shake hands. */
export async function startTls(socket: Socket, timeoutMs: number): Promise<void> {
  socket.write('STARTTLS\r\n')
  await answer(socket, timeoutMs)
}

export function sayGoodbye(socket: Socket): void {
  socket.end('QUIT\r\n')
  socket.destroySoon()
}

/** A whole answer: its last line has a blank after the number. */
async function answer(socket: Socket, timeoutMs: number): Promise<string> {
  const text = await readUntil(socket, (all) => /^\d{3} [^\n]*\n/m.test(all), timeoutMs)
  if (!text.startsWith('2')) throw new SmtpRefusal(text.trim().split(/\r?\n/)[0])
  return text
}
